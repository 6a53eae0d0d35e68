"""Reads a configuration: YAML with `${ENVIRONMENT}` values, our own or LiteLLM's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import SecretStr, ValidationError
from typing_extensions import override

from modelport.gateway.config_errors import config_mistakes
from modelport.gateway.environment import Environment
from modelport.gateway.settings import GatewaySettings, KeySettings
from modelport.models.scrubbing import Scrubber
from modelport.values.errors import InputError

_MERGE = "tag:yaml.org,2002:merge"
MASTER_KEY_VARIABLES = ("MODELPORT_MASTER_KEY", "LITELLM_MASTER_KEY")
"""Where the master key is when the config has none; the first that is set counts."""


def load_settings(file: str | Path) -> GatewaySettings:
    """Return the settings in a YAML file; import paths in it are relative to its folder.

    Raises:
        InputError: The file cannot be read, is no YAML, or has a key or value that is wrong.
    """
    path = Path(file)
    return settings_from(_read(path, str(file)), name=path.name, folder=path.resolve().parent)


def settings_from(raw: Any, *, name: str = "config", folder: Path | None = None) -> GatewaySettings:
    """Return the settings in a dict as a YAML file would hold it.

    Args:
        raw: The dict, its `${NAME}` values not yet replaced; LiteLLM's are known by their sections.
        name: What errors call it.
        folder: What import paths are relative to.

    Raises:
        InputError: A key or value is wrong; the message names its place, the value and the near key.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise InputError(f"{name} must be a mapping with 'models' and 'server', got a {type(raw).__name__}")
    given = cast("Mapping[Any, Any]", raw)
    is_litellm = not given.keys().isdisjoint(LITELLM_SECTIONS)
    if is_litellm and "models" in given:
        raise InputError(f"{name} has 'models' beside LiteLLM's sections; write all of them in one of the two forms")
    environment = Environment(name, is_litellm=is_litellm)
    files: list[Path] = []
    if is_litellm:
        from modelport.gateway.litellm_config import converted, prepared

        def included(file: str) -> Any:
            files.append((folder or Path.cwd()) / file)
            return _read(files[-1], file)

        given = prepared(given, name, included, environment)
    filled: Any = environment.fill(given, "")
    scrubber = Scrubber(environment.values)
    if is_litellm:
        filled = converted(filled, name, scrubber)  # pyright: ignore[reportPossiblyUnboundVariable]
    try:
        settings = GatewaySettings.model_validate(filled)
    except ValidationError as error:
        message = f"{name}: {config_mistakes(error, filled, scrubber)}"
    else:
        settings.read_from(folder, frozenset(environment.values), included=files, is_litellm=is_litellm)
        _add_master_key(settings)
        return settings
    # Raised outside of the handler: pydantic's error holds the values it refused.
    raise InputError(message)


LITELLM_SECTIONS = ("model_list", "litellm_settings", "router_settings", "general_settings")
"""What says that a config is LiteLLM's."""


def _add_master_key(settings: GatewaySettings) -> None:
    """Take the master key from the environment, unless the config has one."""
    if any(key.master for key in settings.server.keys):
        return
    for variable in MASTER_KEY_VARIABLES:
        value = os.environ.get(variable, "").strip()
        if value:
            if all(key.key.get_secret_value() != value for key in settings.server.keys):
                master = KeySettings(key=SecretStr(value), name="master", master=True)
                # Assigned, so that it counts as given where options are laid over the config.
                settings.server.keys = [*settings.server.keys, master]
            return


class _Loader(yaml.SafeLoader):
    """Reads YAML; a key given twice is an error, not a silent loss."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != _MERGE and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _read(path: Path, shown: str) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no config file {shown!r}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"the config file {shown!r} cannot be read: {error}") from None
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise InputError(f"{path.name} is no YAML: {error.problem}{place}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path.name} is no YAML: {type(error).__name__}") from None
