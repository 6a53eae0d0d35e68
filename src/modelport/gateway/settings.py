"""What a gateway is told: its models and how it serves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from modelport.models.scrubbing import Scrubber


class ModelSettings(BaseModel):
    """Says what one model is."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    use: str = Field(min_length=1)
    """Its import path: `module:attr` or `path/to/file.py:attr`."""
    params: dict[str, Any] = {}
    """The arguments its class is made with."""


class ServerSettings(BaseModel):
    """Says how the models are served."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: str = Field(default="127.0.0.1", min_length=1)
    """The address to listen on."""
    port: int = Field(default=4000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    keys: list[SecretStr] = []
    """Who may call: any of these keys. None: everybody who calls over loopback."""
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """The largest request body; a larger one is answered with 413."""
    timeout_seconds: float | None = Field(default=None, gt=0)
    """How long one call may take, queueing included; None: as long as it likes."""
    shutdown_seconds: int = Field(default=30, ge=0)
    """How long open requests may go on after SIGTERM or Ctrl-C."""


class GatewaySettings(BaseModel):
    """Is the whole configuration of a gateway."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    models: dict[str, ModelSettings] = {}
    """The models by the names that clients ask for."""
    server: ServerSettings = Field(default_factory=ServerSettings)
    """How they are served."""

    _folder: Path | None = PrivateAttr(default=None)
    _interpolated: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def folder(self) -> Path | None:
        """The folder that import paths are relative to: the config file's; None without a file."""
        return self._folder

    def read_from(self, folder: Path | None, interpolated: frozenset[str]) -> None:
        """Note where these settings were read, and which of their values came from the environment."""
        self._folder = folder
        self._interpolated = interpolated

    def scrubber(self) -> Scrubber:
        """Return what takes the secrets of these settings out of texts."""
        keys = [key.get_secret_value() for key in self.server.keys]
        return Scrubber([*self._interpolated, *keys]).with_secrets_in([entry.params for entry in self.models.values()])
