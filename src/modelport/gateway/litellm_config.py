"""LiteLLM's config.yaml as settings of ours: what it says of models, handlers, routing and keys.

Sections and keys that mean nothing here are named in the log, one line each, and never stop the start
(`litellm/proxy/_types.py::ConfigYAML` has them all).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, cast

from modelport.gateway.environment import Environment, Unset
from modelport.gateway.litellm_entries import Entries
from modelport.gateway.litellm_values import Values
from modelport.gateway.patterns import matches
from modelport.models.scrubbing import Scrubber
from modelport.values.errors import InputError

logger = logging.getLogger("modelport.gateway")

_SECTIONS = (
    "model_list",
    "litellm_settings",
    "router_settings",
    "general_settings",
    "environment_variables",
    "include",
    "server",  # ours: what LiteLLM has no words for
)
_TAKEN = {
    "litellm_settings": (
        "custom_provider_map num_retries request_timeout fallbacks default_fallbacks allowed_fails drop_params "
        "set_verbose telemetry suppress_debug_info modify_params json_logs turn_off_message_logging "
        "callbacks success_callback failure_callback"
    ),
    "router_settings": (
        "num_retries timeout fallbacks default_fallbacks model_group_alias allowed_fails cooldown_time "
        "routing_strategy default_max_parallel_requests set_verbose"
    ),
    "general_settings": (
        "master_key max_in_flight_requests_per_worker max_queued_requests_per_worker admission_queue_timeout_seconds "
        "cancel_on_disconnect"
    ),
}
"""Keys that are used, or whose meaning holds here anyway."""


def prepared(
    raw: Mapping[Any, Any], name: str, read: Callable[[str], Any], environment: Environment
) -> Mapping[Any, Any]:
    """Return a config with the files that it includes, once its `environment_variables` are set.

    Args:
        raw: The config, its variables not yet filled in.
        name: What messages call it.
        read: Reads a file beside it.
        environment: Fills in the variables.

    Raises:
        InputError: A file cannot be read, or a section is not as LiteLLM has it.
    """
    whole = dict(raw)
    values = Values(name, Scrubber())
    for file in values.texts(whole.pop("include", None), "include"):
        included = values.mapping(read(file), f"include: {file}")
        for section, more in included.items():
            known = whole.get(section)
            whole[section] = [*known, *more] if isinstance(known, list) and isinstance(more, list) else more
    for variable, value in values.mapping(whole.pop("environment_variables", None), "environment_variables").items():
        filled = environment.fill(value, f"environment_variables.{variable}")
        if filled is not None and not isinstance(filled, Unset):
            try:
                os.environ[variable] = str(filled)
            except (OSError, ValueError) as error:
                raise InputError(f"{name}: environment_variables.{variable} cannot be set: {error}") from None
            environment.fill(f"os.environ/{variable}", "")  # from now on it is known as a value that may be a secret
    return whole


def converted(raw: Mapping[Any, Any], name: str, scrubber: Scrubber) -> dict[str, Any]:
    """Return the settings that a LiteLLM config says, as our own config would hold them.

    Args:
        raw: The config, its variables filled in.
        name: What messages call it.
        scrubber: Knows what came from the environment.

    Raises:
        InputError: A value that is used here is not as LiteLLM has it; the message names its place.
    """
    return _Conversion(raw, Values(name, scrubber)).settings()


class _Conversion:
    """Reads one config."""

    def __init__(self, raw: Mapping[Any, Any], values: Values) -> None:
        self._values = values
        self._raw = raw
        self._sections = {section: values.mapping(raw.get(section), section) for section in _TAKEN}
        self._handlers = self._provider_map()

    def settings(self) -> dict[str, Any]:
        """Return the settings."""
        self._name_unknown_keys()
        models = Entries(self._values, self._handlers).models(self._raw.get("model_list"))
        self._bound(models)
        self._route(models)
        server = self._values.mapping(self._raw.get("server"), "server")
        server["keys"] = [*self._values.items(server, "keys", "server.keys"), *self._keys()]
        timeout = self._first("timeout", "router_settings") or self._first("request_timeout", "litellm_settings")
        if timeout:
            server.setdefault("timeout_seconds", timeout)
        return {"models": models, "aliases": self._aliases(models), "handlers": self._handlers, "server": server}

    def _name_unknown_keys(self) -> None:
        for section in self._raw:
            if section not in _SECTIONS:
                self._values.ignored(str(section))
        for section, given in self._sections.items():
            for key, value in given.items():
                if key not in _TAKEN[section].split() and value is not None:
                    self._values.ignored(f"{section}.{key}")
        for key in ("callbacks", "success_callback", "failure_callback"):
            for one in self._values.texts(self._sections["litellm_settings"].get(key), f"litellm_settings.{key}"):
                if one != "prometheus":  # /metrics is always there
                    self._values.ignored(f"litellm_settings.{key}: {one!r:.80}")
        strategy = self._sections["router_settings"].get("routing_strategy")
        if strategy not in (None, "simple-shuffle", "least-busy"):
            self._values.warn("router_settings.routing_strategy", "the least busy deployment answers here")

    def _provider_map(self) -> dict[str, str]:
        """Return the handlers' import paths; of equal names the last one counts."""
        place = "litellm_settings.custom_provider_map"
        found: dict[str, str] = {}
        for index, entry in enumerate(self._values.items(self._sections["litellm_settings"], "custom_provider_map")):
            given = self._values.mapping(entry, f"{place}[{index}]")
            provider = self._values.text(given.get("provider"), f"{place}[{index}].provider")
            found[provider] = self._values.text(given.get("custom_handler"), f"{place}[{index}].custom_handler")
        return found

    def _keys(self) -> list[dict[str, Any]]:
        place, key = "general_settings.master_key", self._sections["general_settings"].get("master_key")
        if isinstance(key, Unset):
            # Starting without it would let everybody in.
            raise InputError(
                f"{self._values.name}: {place}: the environment variable {key.name!r} is not set; set it, or take "
                f"master_key out"
            )
        if key is not None and not str(key).strip():
            raise InputError(f"{self._values.name}: {place} must not be empty")
        return [] if key is None else [{"key": str(key), "name": "master", "master": True}]

    def _bound(self, models: dict[str, Any]) -> None:
        """Give the models the bounds of the whole proxy, where they have none of their own."""
        general = "general_settings"
        slots = self._first("default_max_parallel_requests", "router_settings") or self._first(
            "max_in_flight_requests_per_worker", general
        )
        bounds = {
            "max_concurrency": slots or None,
            "max_queue": self._first("max_queued_requests_per_worker", general),
            "queue_timeout_seconds": self._first("admission_queue_timeout_seconds", general) or None,
        }
        for model in models.values():
            for part in model.get("deployments", [model]):
                for bound, value in bounds.items():
                    if value is not None:
                        part.setdefault(bound, value)

    def _route(self, models: dict[str, Any]) -> None:
        """Give the models their retries, fallbacks and circuit breakers."""
        router, own = "router_settings", "litellm_settings"
        retries = self._first("num_retries", router)
        retries = self._first("num_retries", own) if retries is None else retries
        allowed, cooldown = self._first("allowed_fails", router), self._first("cooldown_time", router)
        allowed = self._first("allowed_fails", own) if allowed is None else allowed
        breaker: dict[str, Any] = {}
        if allowed is not None:
            breaker["failures"] = max(1, int(allowed) + 1)
        if cooldown:
            breaker["cooldown_seconds"] = cooldown
        fallbacks, default = self._fallbacks()
        for name in fallbacks:
            if name not in models:
                self._values.warn("fallbacks", f"no entry has the name {name!r:.80}, so its fallbacks are not used")
        for name, model in models.items():
            if retries is not None:
                model.setdefault("retries", min(int(retries), 10))
            if breaker:
                model["circuit_breaker"] = breaker
            wanted = fallbacks.get(name, [one for one in default if one != name])
            known = [one for one in wanted if _is_known(one, models)]
            for one in wanted:
                if one not in known:
                    self._values.warn("fallbacks", f"there is no model {one!r:.80}, so {name!r:.80} does without")
            model["fallbacks"] = known

    def _fallbacks(self) -> tuple[dict[str, list[str]], list[str]]:
        """Return the fallbacks of each model, and those of all others."""
        found: dict[str, list[str]] = {}
        default: list[str] = []
        for section in ("litellm_settings", "router_settings"):
            given, place = self._sections[section], f"{section}.fallbacks"
            for index, entry in enumerate(self._values.items(given, "fallbacks", place)):
                if isinstance(entry, str):
                    default.append(entry)
                    continue
                for model, names in self._values.mapping(entry, f"{place}[{index}]").items():
                    found[str(model)] = self._values.texts(names, f"{place}[{index}].{model}")
            default += self._values.texts(given.get("default_fallbacks"), f"{section}.default_fallbacks")
        return found, [*found.pop("*", []), *default]

    def _aliases(self, models: Mapping[str, Any]) -> dict[str, str]:
        place = "router_settings.model_group_alias"
        aliases: dict[str, str] = {}
        for alias, target in self._values.mapping(
            self._sections["router_settings"].get("model_group_alias"), place
        ).items():
            name: Any = cast("Mapping[str, Any]", target).get("model") if isinstance(target, Mapping) else target
            name = self._values.text(name, f"{place}.{alias}")
            if alias in models:
                self._values.warn(f"{place}.{alias}", "a model has that name, which counts")
            elif not _is_known(name, models):
                self._values.warn(f"{place}.{alias}", f"there is no model {name!r:.80}")
            else:
                aliases[str(alias)] = name
        return aliases

    def _first(self, key: str, section: str) -> float | None:
        return self._values.number(self._sections[section].get(key), f"{section}.{key}")


def _is_known(name: str, models: Mapping[str, Any]) -> bool:
    return name in models or any("*" in one and matches(one, name) for one in models)
