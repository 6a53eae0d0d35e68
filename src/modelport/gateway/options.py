"""What the command line says about a gateway, and the settings that come of it and the config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import ValidationError
from typing_extensions import override

from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.gateway.settings import GatewaySettings, ServerSettings


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Says what to serve, and how; it can be asked again for its settings when the config has changed."""

    model: str | None = None
    """An import path of one model to serve, with or without a config."""
    config: Path | None = None
    """The YAML file."""
    host: str | None = None
    """Wins over the config's."""
    port: int | None = None
    """Wins over the config's."""
    keys: tuple[str, ...] = ()
    """Are added to the config's."""
    workers: int | None = None
    """Wins over the config's."""

    @override
    def __repr__(self) -> str:
        return f"ServeOptions(model={self.model!r}, config={str(self.config)!r})"  # never the keys

    def with_key(self, key: str) -> ServeOptions:
        """Return these options with one more key."""
        return msgspec.structs.replace(self, keys=(*self.keys, key))

    def settings(self) -> GatewaySettings:
        """Read the config; return its settings with these options on top.

        Raises:
            InputError: There is nothing to serve, or a value is wrong; the message names its place.
        """
        from modelport.gateway.config import load_settings, settings_from
        from modelport.gateway.settings import ModelSettings

        if self.model is None and self.config is None:
            raise InputError(
                "there is nothing to serve; name a model (modelport serve my_models:MyLLM) or a config "
                "(modelport serve --config config.yaml)"
            )
        settings = load_settings(self.config) if self.config is not None else settings_from({})
        if self.model is not None:
            settings.models[self.model.rpartition(":")[2]] = ModelSettings(use=self.model)
        if not settings.models:
            raise InputError("there is no model to serve; name one in the config's 'models'")
        settings.server = self._on_top_of(settings.server)
        return settings

    def _on_top_of(self, server: ServerSettings) -> ServerSettings:
        given = {"host": self.host, "port": self.port, "workers": self.workers}
        changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if self.keys:
            changed["keys"] = [*server.keys, *self.keys]
        kept = {name: getattr(server, name) for name in server.model_fields_set}
        try:
            return type(server).model_validate({**kept, **changed})
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False)[0]
        name = str(detail["loc"][0])
        if name == "keys":
            raise InputError(f"--key: {detail['msg']}")
        raise InputError(f"--{name}: {changed.get(name)!r} is wrong: {detail['msg'].lower()}")
