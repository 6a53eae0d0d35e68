"""Which names of LiteLLM there are, where each comes from, and what is said of those that there are not."""

from __future__ import annotations

import difflib
import importlib
import logging
import sys
from types import ModuleType
from typing import Any

from modelport.sdk.settings import settings

logger = logging.getLogger("modelport.litellm")

ROOT = "modelport.integrations.litellm"
_NAMES_OF_MODULE: dict[str, str] = {
    "modelport.sdk": (
        "completion acompletion text_completion atext_completion embedding aembedding image_generation "
        "aimage_generation image_edit aimage_edit rerank arerank"
    ),
    f"{ROOT}.types.utils": (
        "ModelResponse ModelResponseStream Choices Message Usage StreamingChoices Delta ImageResponse ImageObject "
        "EmbeddingResponse Embedding TextCompletionResponse TextChoices ChatCompletionMessageToolCall Function "
        "GenericStreamingChunk LiteLLMParamsTypedDict LlmProviders RerankResponse"
    ),
    f"{ROOT}.types.llms.openai": "ChatCompletionDeltaChunk ChatCompletionUsageBlock",
    f"{ROOT}.types.llms.custom_llm": "CustomLLMItem",
    f"{ROOT}.llms.custom_llm": "CustomLLM CustomLLMError",
    f"{ROOT}.llms.base": "BaseLLM",
    f"{ROOT}.llms.custom_httpx.http_handler": "HTTPHandler AsyncHTTPHandler",
    f"{ROOT}.utils": (
        "CustomStreamWrapper ModelResponseIterator custom_llm_setup get_llm_provider get_supported_openai_params "
        "mock_completion stream_chunk_builder token_counter"
    ),
    f"{ROOT}.exceptions": (
        "APIConnectionError APIError APIResponseValidationError AuthenticationError BadGatewayError BadRequestError "
        "BudgetExceededError ContentPolicyViolationError ContextWindowExceededError InternalServerError "
        "InvalidRequestError JSONSchemaValidationError LiteLLMUnknownProvider NotFoundError OpenAIError "
        "PermissionDeniedError RateLimitError RejectedRequestError ServiceUnavailableError Timeout "
        "UnprocessableEntityError UnsupportedParamsError"
    ),
    f"{ROOT}._logging": "verbose_logger _turn_on_debug",
    f"{ROOT}.absent": "Router BudgetManager Cache",
    f"{ROOT}.registering": "register_litellm to_litellm",
}
SUBMODULES = frozenset(
    f"{ROOT}.{path}"
    for path in (
        "_logging",
        "caching",
        "caching.caching",
        "caching.dual_cache",
        "exceptions",
        "integrations",
        "integrations.custom_logger",
        "litellm_core_utils",
        "litellm_core_utils.litellm_logging",
        "llms",
        "llms.base",
        "llms.custom_httpx",
        "llms.custom_httpx.http_handler",
        "llms.custom_llm",
        "proxy",
        "proxy._types",
        "proxy.proxy_server",
        "types",
        "types.llms",
        "types.llms.custom_llm",
        "types.llms.openai",
        "types.utils",
        "utils",
    )
)
"""The submodules that have LiteLLM's import paths."""
_MODULE_OF_NAME = {name: module for module, names in _NAMES_OF_MODULE.items() for name in names.split()}
_WITHOUT_EFFECT = {
    "callbacks": "give config={'callbacks': […]} to a call",
    "success_callback": "give config={'callbacks': […]} to a call",
    "failure_callback": "give config={'callbacks': […]} to a call",
    "input_callback": "give config={'callbacks': […]} to a call",
    "num_retries": "give num_retries= to a call",
    "request_timeout": "give timeout= to a call",
    "api_key": "give api_key= to a call",
    "api_base": "give api_base= to a call",
    "cache": "give cache= to register()",
    "fallbacks": "give fallbacks= to a call",
}
"""Settings of LiteLLM that change nothing here, and what does."""


class Namespace(ModuleType):
    """Is the class of the drop-in module: `drop_params` is the SDK's setting, settings without effect are told."""

    @property
    def drop_params(self) -> bool:
        """Whether parameters that a model does not take are dropped, in every call of this process."""
        return settings.drop_params

    @drop_params.setter
    def drop_params(self, value: bool) -> None:
        settings.drop_params = value

    def __setattr__(self, name: str, value: Any) -> None:
        if value and (instead := _WITHOUT_EFFECT.get(name)) is not None:
            logger.warning("litellm.%s has no effect in modelport; %s", name, instead)
        super().__setattr__(name, value)


def names_of_root() -> list[str]:
    """Return the names that the package itself loads on first use."""
    return sorted(_MODULE_OF_NAME)


def offered(name: str) -> Any:
    """Return what the package has under a name.

    Raises:
        AttributeError: It has nothing, and nothing that says what to use instead.
    """
    module = _MODULE_OF_NAME.get(name)
    if module is not None:
        return getattr(importlib.import_module(module), name)
    if (inner := _submodule(ROOT, name)) is not None:
        return inner
    absent: Any = importlib.import_module(f"{ROOT}.absent")
    if name in absent.INSTEAD:
        return absent.function_in_place_of(name)
    raise _unknown(ROOT, name)


def also_offered(module: str, name: str) -> Any:
    """Return what the package has under a name that was looked for in one of its submodules.

    Raises:
        AttributeError: It has nothing.
    """
    if (inner := _submodule(module, name)) is not None:
        return inner
    if name in _MODULE_OF_NAME:
        return offered(name)
    raise _unknown(module, name)


def _submodule(module: str, name: str) -> ModuleType | None:
    """Return a package's submodule: after `import litellm` all of LiteLLM's are there without imports of their own."""
    place = f"{module}.{name}"
    if place not in SUBMODULES:
        return None
    return importlib.import_module(place)


def _unknown(module: str, name: str) -> AttributeError:
    path = f"litellm{module.removeprefix(ROOT)}"
    own = [known for known in dir(sys.modules.get(module)) if not known.startswith("_")]
    near = difflib.get_close_matches(name, {*own, *_MODULE_OF_NAME}, n=1)
    hint = (
        f"did you mean {near[0]!r}?" if near else "it has what custom handlers use; install LiteLLM for the rest of it"
    )
    return AttributeError(f"modelport's stand-in for {path} has no {name!r}; {hint}", name=name)
