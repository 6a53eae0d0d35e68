"""What a gateway is told: its models and how it serves them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self, cast

from pydantic import BaseModel, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from modelport.gateway.patterns import matches
from modelport.gateway.server_settings import (
    RULES,
    CorsSettings,
    KeySettings,
    LimitSettings,
    ServerSettings,
)
from modelport.models.scrubbing import Scrubber

__all__ = [
    "CircuitBreakerSettings",
    "CorsSettings",
    "DeploymentSettings",
    "GatewaySettings",
    "KeySettings",
    "LimitSettings",
    "ModelSettings",
    "ServerSettings",
]


class DeploymentSettings(BaseModel):
    """Says what one of several models behind one name is."""

    model_config = RULES

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

    model_config = RULES

    failures: int = Field(default=5, ge=1)
    """After how many failures in a row."""
    cooldown_seconds: float = Field(default=10, gt=0)
    """For how long; then one request tries whether it works again."""


class ModelSettings(BaseModel):
    """Says what answers under one name."""

    model_config = RULES

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
    """How long an answer may take, with queueing, retries and fallbacks; None: what `server.timeout_seconds` says."""
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


class GatewaySettings(BaseModel):
    """Is the whole configuration of a gateway."""

    model_config = RULES

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
    _included: frozenset[Path] = PrivateAttr(frozenset())
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
    def included(self) -> frozenset[Path]:
        """The files that the config file includes."""
        return self._included

    @property
    def is_litellm(self) -> bool:
        """Whether these settings were a LiteLLM config, whose unknown providers are no mistakes."""
        return self._is_litellm

    @property
    def loaded(self) -> dict[str, Any]:
        """The providers of the handlers that were loaded for these settings, by their names."""
        return self._loaded

    def read_from(
        self,
        folder: Path | None,
        interpolated: frozenset[str],
        *,
        included: Iterable[Path] = (),
        is_litellm: bool = False,
    ) -> None:
        """Note where these settings were read, and which of their values came from the environment."""
        self._folder = folder
        self._included = frozenset(included)
        self._interpolated = interpolated
        self._is_litellm = is_litellm

    def scrubber(self) -> Scrubber:
        """Return what takes the secrets of these settings out of texts."""
        keys = [key.key.get_secret_value() for key in self.server.keys]
        params = [part.params for model in self.models.values() for part in model.parts()]
        return Scrubber([*self._interpolated, *keys]).with_secrets_in(params)


def _refused(template: str, **facts: str) -> PydanticCustomError:
    shown = {fact: value if fact == "place" else f"{value!r:.100}" for fact, value in facts.items()}
    return PydanticCustomError("whole", cast("Any", template), shown)
