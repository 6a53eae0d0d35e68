"""`model_list` of a LiteLLM config: entries of one name are the deployments of one model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, cast

from modelport.gateway.environment import Unset
from modelport.gateway.litellm_values import Values

_NOT_FOR_CALLS = frozenset({
    "model", "api_key", "api_base", "base_url", "custom_llm_provider", "rpm", "tpm", "weight", "order", "timeout",
    "stream_timeout", "num_retries", "max_retries", "max_parallel_requests", "drop_params",
    "additional_drop_params", "allowed_openai_params", "model_info", "tags", "input_cost_per_token",
    "output_cost_per_token", "input_cost_per_second", "output_cost_per_second", "input_cost_per_pixel",
    "cooldown_time", "allowed_fails", "use_in_pass_through", "use_litellm_proxy",
    "merge_reasoning_content_in_choices", "litellm_credential_name", "litellm_trace_id",
    "configurable_clientside_auth_params", "max_budget", "budget_duration", "default_api_key_rpm_limit",
    "default_api_key_tpm_limit", "region_name", "api_version", "ssl_verify", "cache", "no-log", "base_model",
    "max_file_size_mb", "mock_response", "mock_tool_calls", "mock_delay", "mock_timeout", "organization",
    "headers", "extra_headers", "extra_body",
})  # fmt: skip
"""What `litellm_params` has beside the parameters of each call."""
_OPENAI_LIKE = ("openai", "custom_openai", "openai_like", "hosted_vllm", "lm_studio", "llamafile", "litellm_proxy")
"""LiteLLM's providers that are OpenAI-compatible servers; all but the first need an address."""
_OPENAI_MODELS = re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|o\d|text-embedding-|dall-e-|davinci-|babbage-)")
"""Models that LiteLLM takes for OpenAI's without a provider's name."""
_OLLAMA = ("ollama", "ollama_chat")
_OPENAI_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
_WITH_FIELDS = ("http", "mock")
"""Our own providers, whose params are fields."""


class Entries:
    """Reads the entries of one config."""

    def __init__(self, values: Values, handlers: Mapping[str, str]) -> None:
        self._values = values
        self._handlers = handlers

    def models(self, entries: Any) -> dict[str, Any]:
        """Return the models by their names.

        Raises:
            InputError: An entry is not as LiteLLM has it; the message names its place.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        for index, entry in enumerate(self._values.items({"model_list": entries}, "model_list")):
            place = f"model_list[{index}]"
            given = self._values.mapping(entry, place)
            name = self._values.text(given.get("model_name"), f"{place}.model_name")
            for key in given:
                if key not in ("model_name", "litellm_params", "model_info"):
                    self._values.ignored(f"{place}.{key}")
            params = self._values.mapping(given.get("litellm_params"), f"{place}.litellm_params")
            for own_name, deployment in self._deployments(name, params, f"{place}.litellm_params"):
                found.setdefault(own_name, []).append(deployment)
        return {name: _model(parts) for name, parts in found.items()}

    def _deployments(self, name: str, params: dict[str, Any], place: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the deployments that an entry says, with their names: `*` to `*` means each provider's `*`."""
        model = self._values.text(params.get("model"), f"{place}.model")
        own = params.get("custom_llm_provider")
        if isinstance(own, str) and own:
            model = f"{own}/{model.removeprefix(f'{own}/')}"
        if model == name == "*":
            every = [(f"{one}/*", f"{one}/*") for one in dict.fromkeys([*self._handlers, "openai"])]
            return [(own_name, self._deployment(use, params, place)) for own_name, use in [*every, ("*", "openai/*")]]
        if name.count("*") > 1 or model.count("*") > 1 or ("*" in model and "*" not in name):
            self._values.warn(f"{place}.model", "wildcards like this are not known here; the entry is left out")
            return []
        return [(name, self._deployment(model, params, place))]

    def _deployment(self, model: str, params: dict[str, Any], place: str) -> dict[str, Any]:
        provider, slash, rest = model.partition("/")
        if not slash:
            known = provider in self._handlers or provider in _WITH_FIELDS
            is_openais = _OPENAI_MODELS.match(model) or any(params.get(one) for one in ("api_base", "base_url"))
            provider, rest = ("openai", model) if is_openais and not known else (provider, model)
        made: dict[str, Any] = {"use": f"{provider}/{rest}", "params": self._params(provider, rest, params, place)}
        if provider in self._handlers:
            pass  # whatever else LiteLLM means by that name
        elif provider in _OPENAI_LIKE and (provider == "openai" or "base_url" in made["params"]):
            made["use"] = f"openai/{rest}"
        elif provider in _OLLAMA:
            made["use"] = "http/ollama"
        slots = self._values.number(params.get("max_parallel_requests"), f"{place}.max_parallel_requests")
        if slots:
            made["max_concurrency"] = slots
        for key in ("rpm", "tpm"):
            if params.get(key) is not None:
                self._values.warn(f"model_list: {key}", "is not used by modelport: the least busy deployment answers")
        # What holds for the whole model is taken out again when the deployments are put together.
        made["timeout_seconds"] = self._values.number(params.get("timeout"), f"{place}.timeout") or None
        retries = self._values.number(params.get("num_retries"), f"{place}.num_retries")
        made["retries"] = retries if retries is None else min(int(retries), 10)
        return made

    def _params(self, provider: str, model: str, params: dict[str, Any], place: str) -> dict[str, Any]:
        """Return our `params` for LiteLLM's."""
        mocks = {key: value for key, value in params.items() if key.startswith("mock_") and value is not None}
        if "mock_response" in mocks:
            return mocks
        api_base = next((params[one] for one in ("api_base", "base_url") if params.get(one)), None)
        if isinstance(api_base, Unset):
            # It stays, so that nothing is sent to another address: calls answer what is missing.
            self._values.set_only(api_base, f"{place}.api_base")
        calls = {
            key: self._values.set_only(value, f"{place}.{key}")
            for key, value in params.items()
            if key not in _NOT_FOR_CALLS and value is not None
        }
        found: dict[str, Any] = {
            "api_key": self._values.set_only(params.get("api_key"), f"{place}.api_key"),
            "base_url": api_base,
        }
        if provider in _OLLAMA and provider not in self._handlers:
            found |= {"model": model, "defaults": calls}
        elif provider in self._handlers or provider not in (*_OPENAI_LIKE, *_WITH_FIELDS):
            found["defaults"] = calls
        elif provider in _WITH_FIELDS:
            found |= calls
        else:
            has_any = any(found.values()) or any(os.environ.get(one) for one in _OPENAI_VARIABLES)
            if provider == "openai" and not has_any:
                self._values.warn(place, "there is no key for OpenAI: set OPENAI_API_KEY; calls are answered with 401")
            body, headers, more_headers = [
                self._values.mapping(self._values.set_only(params.get(key), f"{place}.{key}"), f"{place}.{key}")
                for key in ("extra_body", "headers", "extra_headers")
            ]
            found["defaults"] = {**calls, **body}
            found["organization"] = self._values.set_only(params.get("organization"), f"{place}.organization")
            found["headers"] = {**headers, **more_headers}
        return {key: value for key, value in found.items() if value not in (None, {})}


def _model(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one model of its deployments; its time is that of the most patient one."""
    whole: dict[str, Any] = {}
    for key in ("timeout_seconds", "retries"):
        given: list[Any] = [part.pop(key) for part in parts]
        if all(one is not None for one in given):
            whole[key] = max(cast("list[float]", given))
    return {**parts[0], **whole} if len(parts) == 1 else {"deployments": parts, **whole}
