"""Reads a configuration: YAML with `${ENVIRONMENT}` values; its errors name the place, the value and the near key."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError
from typing_extensions import override

from modelport.gateway.settings import GatewaySettings, ModelSettings, ServerSettings
from modelport.models.scrubbing import SECRET_NAME, Scrubber
from modelport.values.errors import InputError

_VARIABLE = re.compile(r"\$(?P<escape>\$?)\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")
_MERGE = "tag:yaml.org,2002:merge"
SHORTEST_SECRET_VALUE = 8
"""A value from the environment this long is taken for a secret; shorter ones are ports and names."""


def load_settings(file: str | Path) -> GatewaySettings:
    """Return the settings in a YAML file; import paths in it are relative to its folder.

    Raises:
        InputError: The file cannot be read, is no YAML, or has a key or value that is wrong.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no config file {str(file)!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the config file {str(file)!r} cannot be read: {error}") from None
    return settings_from(_parsed(text, path.name), name=path.name, folder=path.resolve().parent)


def settings_from(raw: Any, *, name: str = "config", folder: Path | None = None) -> GatewaySettings:
    """Return the settings in a dict as a YAML file would hold it.

    Args:
        raw: The dict, its `${NAME}` values not yet replaced.
        name: What errors call it.
        folder: What import paths are relative to.

    Raises:
        InputError: A key or value is wrong; the message names its place, the value and the near key.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise InputError(f"{name} must be a mapping with 'models' and 'server', got {raw!r:.80}")
    environment = _Environment(name)
    filled: Any = environment.fill(raw, "")
    try:
        settings = GatewaySettings.model_validate(filled)
    except ValidationError as error:
        scrubber = Scrubber(environment.values)
        lines = [_line(detail, filled, scrubber) for detail in error.errors(include_url=False, include_input=False)]
        message = f"{name}: " + "; ".join(lines)
    else:
        settings.read_from(folder, frozenset(environment.values))
        return settings
    # Raised outside of the handler: pydantic's error holds the values it refused.
    raise InputError(message)


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


def _parsed(text: str, name: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise InputError(f"{name} is no YAML: {error.problem}{place}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{name} is no YAML: {type(error).__name__}") from None


class _Environment:
    """Fills `${NAME}` and `${NAME:-default}` from the environment; `$${NAME}` stays as `${NAME}`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.values: set[str] = set()
        """What was filled in, as far as it may be a secret."""

    def fill(self, value: Any, place: str) -> Any:
        """Return a value with all variables inside it filled in."""
        if isinstance(value, str):
            return _VARIABLE.sub(lambda found: self._value(found, place), value) if "${" in value else value
        if isinstance(value, Mapping):
            entries = cast("Mapping[Any, Any]", value).items()
            return {key: self.fill(one, f"{place}.{key}" if place else str(key)) for key, one in entries}
        if isinstance(value, list):
            items = enumerate(cast("list[Any]", value))
            return [self.fill(one, f"{place}[{index}]") for index, one in items]
        return value

    def _value(self, found: re.Match[str], place: str) -> str:
        if found["escape"]:
            return found[0][1:]
        name = found["name"]
        value: str | None = os.environ.get(name) or found["default"]
        if value is None:
            raise InputError(
                f"{self._name}: {place}: the environment variable {name!r} is not set; set it, or write "
                f"${{{name}:-default}}"
            )
        if len(value) >= SHORTEST_SECRET_VALUE:
            self.values.add(value)
        return value


def _line(detail: Mapping[str, Any], raw: Any, scrubber: Scrubber) -> str:
    """Return one of pydantic's complaints with its YAML path, the value and the near key."""
    steps: tuple[Any, ...] = detail["loc"]
    place = _place(steps)
    if detail["type"] == "extra_forbidden":
        known = list(_section(steps[:-1]).model_fields)
        near = difflib.get_close_matches(str(steps[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{place!r} is no known key; {hint}"
    if detail["type"] == "missing":
        return f"{place!r} is missing"
    if steps[-1] == "[key]":
        return f"the name {place!r} must be a text; write it in quotes"
    message: str = detail["msg"]
    return f"{place!r}: {message[:1].lower()}{message[1:]}, got {_shown(steps, raw, scrubber)}"


def _section(steps: tuple[Any, ...]) -> type[BaseModel]:
    if not steps:
        return GatewaySettings
    return ServerSettings if steps[0] == "server" else ModelSettings


def _place(steps: tuple[Any, ...]) -> str:
    place = ""
    for index, step in enumerate(steps):
        is_key = steps[index + 1 : index + 2] == ("[key]",)
        if isinstance(step, int) and not is_key:
            place += f"[{step}]"
        elif step != "[key]":
            place += f".{step}" if place else str(step)
    return place


def _shown(steps: tuple[Any, ...], raw: Any, scrubber: Scrubber) -> str:
    if any(isinstance(step, str) and (step == "keys" or SECRET_NAME.search(step)) for step in steps):
        return "***"
    value = raw
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
    text = repr(value)
    return "***" if text in scrubber else f"{text:.80}"
