"""What a gateway is told: its models and how it serves them."""

from __future__ import annotations

import difflib
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from modelport.models.scrubbing import Scrubber

_RULES = ConfigDict(extra="forbid", hide_input_in_errors=True)


class DeploymentSettings(BaseModel):
    """Says what one of several models behind one name is."""

    model_config = _RULES

    use: str = Field(min_length=1)
    """What it is: an import path (`module:attr`, `path/to/file.py:attr`) or `provider/model`."""
    params: dict[str, Any] = {}
    """The arguments its class is made with; of `provider/model` also `api_key`, `api_base`, and `defaults`: parameters
    of every call."""
    max_concurrency: int | None = Field(default=None, ge=1)
    """How many requests it answers at once; None: as many as come."""
    max_queue: int = Field(default=256, ge=0)
    """How many requests may wait for it; more are refused with 429."""
    queue_timeout_seconds: float | None = Field(default=60, gt=0)
    """How long a request may wait before it is refused with 503; None: as long as it likes."""


class CircuitBreakerSettings(BaseModel):
    """Says when a deployment that fails is left alone for a while."""

    model_config = _RULES

    failures: int = Field(default=5, ge=1)
    """After how many failures in a row."""
    cooldown_seconds: float = Field(default=10, gt=0)
    """For how long; then one request tries whether it works again."""


class ModelSettings(BaseModel):
    """Says what answers under one name."""

    model_config = _RULES

    use: str | None = Field(default=None, min_length=1)
    """What it is: an import path (`module:attr`, `path/to/file.py:attr`) or `provider/model`; under a name with a `*`,
    the `*` of `provider/*` is what clients ask for."""
    params: dict[str, Any] = {}
    """The arguments its class is made with; of `provider/model` also `api_key`, `api_base`, and `defaults`: parameters
    of every call."""
    deployments: list[DeploymentSettings] | None = Field(default=None, min_length=1)
    """Several models behind this name, in place of `use`; the least busy one answers."""
    max_concurrency: int | None = Field(default=None, ge=1)
    """How many requests it answers at once; None: as many as come."""
    max_queue: int = Field(default=256, ge=0)
    """How many requests may wait for it; more are refused with 429."""
    queue_timeout_seconds: float | None = Field(default=60, gt=0)
    """How long a request may wait before it is refused with 503; None: as long as it likes."""
    timeout_seconds: float | None = Field(default=None, gt=0)
    """How long one call may take, queueing included; None: what `server.timeout_seconds` says."""
    retries: int = Field(default=0, ge=0, le=10)
    """How often a call that failed is tried again, before its first byte and if that may help."""
    fallbacks: list[str] = []
    """The models that answer when this one fails, in their order."""
    circuit_breaker: CircuitBreakerSettings | None = None
    """When a deployment that fails is left alone; None: by the defaults where something else can answer."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.use is None and self.deployments is None:
            raise PydanticCustomError("missing_use", "'use' is missing")
        if self.deployments is not None:
            alone = sorted(self.model_fields_set & _OF_ONE)
            if alone:
                names = ", ".join(map(repr, alone))
                raise PydanticCustomError("two_uses", "{names} must stand in each of 'deployments'", {"names": names})
        return self

    def parts(self) -> list[DeploymentSettings]:
        """Return the deployments: those given, or the only one."""
        if self.deployments is not None:
            return self.deployments
        given = {name: getattr(self, name) for name in _OF_ONE}
        return [DeploymentSettings.model_construct(**given)]


_OF_ONE = frozenset(DeploymentSettings.model_fields)
"""What a model has when it is the only deployment of its name."""


class KeySettings(BaseModel):
    """Says who may call, and how much."""

    model_config = _RULES

    key: SecretStr
    """What the client sends as `Authorization: Bearer KEY` or `x-api-key`."""
    name: str | None = Field(default=None, min_length=1, max_length=100)
    """What logs call it; None: the first eight hex digits of its SHA-256."""
    models: list[str] = []
    """Which models it may call, by their names here; `*` stands for any text. Empty: all."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """How many requests it may make in a minute."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """How many tokens, of prompts and answers together, it may use in a minute."""
    max_parallel_requests: int | None = Field(default=None, ge=1)
    """How many of its requests may be open at once."""
    expires: datetime | date | None = None
    """When it stops working, as `2026-12-31T12:00:00Z`, or its last day, as `2026-12-31`; without a zone it is UTC."""
    master: bool = False
    """Whether it is the operator's own key."""

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        return {"key": given} if isinstance(given, (str, SecretStr)) else given

    @field_validator("expires", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        if value is None or isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value) if len(value) == len("2026-12-31") else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise PydanticCustomError(
                "no_date", "must be a day or a time, as 2026-12-31 or 2026-12-31T12:00:00Z"
            ) from None

    @field_validator("key")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text.strip():
            raise PydanticCustomError("empty_key", "a key must not be empty")
        if text != text.strip() or any(ord(character) < 32 for character in text):
            raise PydanticCustomError("unsendable_key", "a key must have no spaces or line breaks around or in it")
        return value


class LimitSettings(BaseModel):
    """Bounds what clients may send, and how slowly."""

    model_config = _RULES

    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """The largest request body; a larger one is answered with 413."""
    max_header_bytes: int = Field(default=64 * 1024, ge=1024)
    """The largest head of a request, its line included; a larger one is answered with 431."""
    header_timeout_seconds: float = Field(default=10, gt=0)
    """How long a request's head may take to arrive."""
    body_timeout_seconds: float = Field(default=60, gt=0)
    """How long a request's body may take to arrive."""
    max_connections: int | None = Field(default=None, ge=1)
    """How many connections may be open at once; None: as many as the system allows."""


class CorsSettings(BaseModel):
    """Says which web pages may call."""

    model_config = _RULES

    origins: list[str] = Field(min_length=1)
    """Their origins, as `https://chat.example.com`; `*`: all."""
    max_age_seconds: int = Field(default=600, ge=0)
    """How long a browser may keep what it was told."""

    @field_validator("origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]+", origin):
                raise PydanticCustomError(
                    "no_origin", "each must be '*' or an origin without a path, as https://chat.example.com"
                )
        return value


class ServerSettings(BaseModel):
    """Says how the models are served."""

    model_config = _RULES

    host: str = Field(default="127.0.0.1", min_length=1)
    """The address to listen on."""
    port: int = Field(default=4000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    keys: list[KeySettings] = []
    """Who may call: a key as a text, or a key with its limits. None: everybody who calls over loopback. The master key
    also comes from `MODELPORT_MASTER_KEY` or `LITELLM_MASTER_KEY`."""
    limits: LimitSettings = Field(default_factory=LimitSettings)
    """What clients may send, and how slowly."""
    cors: CorsSettings | None = None
    """Which web pages may call; None: none."""
    timeout_seconds: float | None = Field(default=None, gt=0)
    """How long one call may take, queueing included; None: as long as it likes."""
    shutdown_seconds: int = Field(default=30, ge=0)
    """How long open requests may go on after SIGTERM or Ctrl-C."""
    keep_alive_comments_seconds: float | None = Field(default=None, gt=0)
    """How long a stream may be silent before a comment is sent to keep its connection; None: no comments."""
    log_requests: bool = True
    """Whether each request is one line in the log; never a prompt, an answer or a secret."""
    metrics: bool = True
    """Whether `/metrics` answers in Prometheus's format."""
    workers: int = Field(default=1, ge=1, le=256)
    """How many processes serve; each loads the models for itself."""


class GatewaySettings(BaseModel):
    """Is the whole configuration of a gateway."""

    model_config = _RULES

    models: dict[str, ModelSettings] = {}
    """The models by the names that clients ask for; a `*` in a name stands for any text."""
    aliases: dict[str, str] = {}
    """More names of models: the name that clients ask for, and the model's."""
    handlers: dict[str, str] = {}
    """LiteLLM handlers by the provider's name that they answer for, as import paths: `use: provider/model` calls them,
    and so do the handlers each other."""
    server: ServerSettings = Field(default_factory=ServerSettings)
    """How they are served."""

    _folder: Path | None = PrivateAttr(default=None)
    _interpolated: frozenset[str] = PrivateAttr(default=frozenset())
    _is_litellm: bool = PrivateAttr(default=False)
    _loaded: dict[str, Any] = PrivateAttr(default_factory=dict[str, Any])

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        for name, model in self.models.items():
            self._check_name(name, model)
            for fallback in model.fallbacks:
                self._check_target(fallback, "fallbacks", f"models.{name}.fallbacks")
        for alias, target in self.aliases.items():
            if alias in self.models:
                raise _refused("the name {name} is a model and an alias; give one of them another name", name=alias)
            self._check_target(target, "aliases", f"aliases.{alias}")
        for provider in self.handlers:
            if not provider or "/" in provider or "*" in provider:
                raise _refused("the name {name} of a handler must be a text without '/' and '*'", name=provider)
        return self

    def _check_name(self, name: str, model: ModelSettings) -> None:
        if not name or name.count("*") > 1:
            raise _refused("the name {name} must be a text with at most one '*'", name=name)
        for part in model.parts():
            if "*" not in part.use:
                continue
            place = f"models.{name}"
            if "*" not in name:
                raise _refused("{place}: the '*' of {use} needs one in the model's name", place=place, use=part.use)
            if not re.fullmatch(r"[^/:*\\]+/[^*]*\*[^*]*", part.use) or ".py:" in part.use:
                raise _refused(
                    "{place}: {use} cannot be filled in by clients: a '*' stands after a provider, as openai/*, and "
                    "never in an import path",
                    place=place,
                    use=part.use,
                )

    def _check_target(self, target: str, what: str, place: str) -> None:
        known = [*self.models, *(self.aliases if what == "fallbacks" else ())]
        if target in known or any("*" in one and matches(one, target) for one in known):
            return
        near = difflib.get_close_matches(target, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the models are {', '.join(known) or 'none'}"
        raise _refused("'{place}': there is no model {name}; " + hint.replace("{", "{{"), place=place, name=target)

    @property
    def folder(self) -> Path | None:
        """The folder that import paths are relative to: the config file's; None without a file."""
        return self._folder

    @property
    def is_litellm(self) -> bool:
        """Whether these settings were a LiteLLM config, whose unknown providers are no mistakes."""
        return self._is_litellm

    @property
    def loaded(self) -> dict[str, Any]:
        """The providers of the handlers that were loaded for these settings, by their names."""
        return self._loaded

    def read_from(self, folder: Path | None, interpolated: frozenset[str], *, is_litellm: bool = False) -> None:
        """Note where these settings were read, and which of their values came from the environment."""
        self._folder = folder
        self._interpolated = interpolated
        self._is_litellm = is_litellm

    def scrubber(self) -> Scrubber:
        """Return what takes the secrets of these settings out of texts."""
        keys = [key.key.get_secret_value() for key in self.server.keys]
        params = [part.params for model in self.models.values() for part in model.parts()]
        return Scrubber([*self._interpolated, *keys]).with_secrets_in(params)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a name is one that a pattern with at most one `*` stands for."""
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == name
    return len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after)


def _refused(template: str, **facts: str) -> PydanticCustomError:
    shown = {fact: value if fact == "place" else f"{value!r:.100}" for fact, value in facts.items()}
    return PydanticCustomError("whole", cast("Any", template), shown)
