"""LiteLLM's functions about models: which of OpenAI's parameters they take, and which providers are in the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.engine.hooks import Hook
from modelport.integrations import litellm
from modelport.integrations.litellm.provider_map import providers_in
from modelport.registry.providers import Target, resolve
from modelport.values.errors import NotFoundError

CHAT_PARAMS = (
    "audio",
    "extra_headers",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
)
"""OpenAI's parameters of a chat request."""
_ENFORCED = frozenset({"extra_headers", "max_completion_tokens", "max_tokens", "n", "stop", "stream", "stream_options"})
"""Those that hold for every model."""
_EMBEDDING_PARAMS = ("dimensions", "encoding_format", "user")


def get_supported_openai_params(
    model: str, custom_llm_provider: str | None = None, request_type: str = "chat_completion"
) -> list[str] | None:
    """Return the parameters that a model takes; None when no provider has the name.

    A handler gets all of them in `optional_params`; one with a method of this name is asked. What a model's hook does
    not take is not in the list, unless it is enforced for every model.

    Args:
        model: `provider/name`.
        custom_llm_provider: The provider, when the name has none.
        request_type: "chat_completion" or "embeddings".
    """
    try:
        target = resolve(model, custom_llm_provider=custom_llm_provider)
    except NotFoundError:
        return None
    if request_type == "embeddings":
        return list(_EMBEDDING_PARAMS)
    if target.source.is_handler:
        return _of_handler(target)
    asked: Any = target.model_for("chat")
    hooks: list[Hook] = list(asked.__modelport_hooks__.present.values())
    return [name for name in CHAT_PARAMS if name in _ENFORCED or all(hook.takes(name) for hook in hooks)]


def _of_handler(target: Target) -> list[str]:
    handler: Any = getattr(target.source, "handler", None)
    ask: Any = getattr(handler, "get_supported_openai_params", None)
    answer: Sequence[str] | None = ask(model=target.model) if ask is not None else None
    return list(CHAT_PARAMS if answer is None else answer)


def custom_llm_setup() -> None:
    """Write the map's providers into `provider_list` and `_custom_providers`, as LiteLLM's function does.

    Nothing depends on it: the map is read at every call.
    """
    for name in providers_in(litellm.custom_provider_map):
        for known in (litellm.provider_list, litellm._custom_providers):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - litellm's name
            if name not in known:
                known.append(name)
