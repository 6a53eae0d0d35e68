"""A drop-in for `import litellm`, as the code of custom handlers uses it.

    from modelport.integrations import litellm

    litellm.custom_provider_map = [{"provider": "my-llm", "custom_handler": MyHandler()}]
    litellm.completion(model="my-llm/x", messages=[{"role": "user", "content": "Hello"}])

Functions are the SDK's, types are `wire`'s; submodules have LiteLLM's import paths. Once this package is imported,
files that the loader executes may say `import litellm` where LiteLLM is not installed; where it is, they get the real
one. Names are loaded on first use.

`register_litellm(model)` is the way back: it makes a model of ours a provider of the installed LiteLLM.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from modelport.integrations.litellm.names import Namespace, names_of_root, offered
from modelport.integrations.litellm.provider_map import handler_of
from modelport.registry.aliases import add_import_alias
from modelport.registry.sources import add_source

if TYPE_CHECKING:
    from modelport.integrations.litellm.absent import BudgetManager as BudgetManager
    from modelport.integrations.litellm.absent import Cache as Cache
    from modelport.integrations.litellm.absent import Router as Router
    from modelport.integrations.litellm.exceptions import APIConnectionError as APIConnectionError
    from modelport.integrations.litellm.exceptions import APIError as APIError
    from modelport.integrations.litellm.exceptions import APIResponseValidationError as APIResponseValidationError
    from modelport.integrations.litellm.exceptions import AuthenticationError as AuthenticationError
    from modelport.integrations.litellm.exceptions import BadGatewayError as BadGatewayError
    from modelport.integrations.litellm.exceptions import BadRequestError as BadRequestError
    from modelport.integrations.litellm.exceptions import BudgetExceededError as BudgetExceededError
    from modelport.integrations.litellm.exceptions import ContentPolicyViolationError as ContentPolicyViolationError
    from modelport.integrations.litellm.exceptions import ContextWindowExceededError as ContextWindowExceededError
    from modelport.integrations.litellm.exceptions import InternalServerError as InternalServerError
    from modelport.integrations.litellm.exceptions import InvalidRequestError as InvalidRequestError
    from modelport.integrations.litellm.exceptions import JSONSchemaValidationError as JSONSchemaValidationError
    from modelport.integrations.litellm.exceptions import LiteLLMUnknownProvider as LiteLLMUnknownProvider
    from modelport.integrations.litellm.exceptions import NotFoundError as NotFoundError
    from modelport.integrations.litellm.exceptions import OpenAIError as OpenAIError
    from modelport.integrations.litellm.exceptions import PermissionDeniedError as PermissionDeniedError
    from modelport.integrations.litellm.exceptions import RateLimitError as RateLimitError
    from modelport.integrations.litellm.exceptions import RejectedRequestError as RejectedRequestError
    from modelport.integrations.litellm.exceptions import ServiceUnavailableError as ServiceUnavailableError
    from modelport.integrations.litellm.exceptions import Timeout as Timeout
    from modelport.integrations.litellm.exceptions import UnprocessableEntityError as UnprocessableEntityError
    from modelport.integrations.litellm.exceptions import UnsupportedParamsError as UnsupportedParamsError
    from modelport.integrations.litellm.llms.base import BaseLLM as BaseLLM
    from modelport.integrations.litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler as AsyncHTTPHandler
    from modelport.integrations.litellm.llms.custom_httpx.http_handler import HTTPHandler as HTTPHandler
    from modelport.integrations.litellm.llms.custom_llm import CustomLLM as CustomLLM
    from modelport.integrations.litellm.llms.custom_llm import CustomLLMError as CustomLLMError
    from modelport.integrations.litellm.registering import register_litellm as register_litellm
    from modelport.integrations.litellm.registering import to_litellm as to_litellm
    from modelport.integrations.litellm.types.llms.custom_llm import CustomLLMItem as CustomLLMItem
    from modelport.integrations.litellm.types.llms.openai import ChatCompletionDeltaChunk as ChatCompletionDeltaChunk
    from modelport.integrations.litellm.types.llms.openai import ChatCompletionUsageBlock as ChatCompletionUsageBlock
    from modelport.integrations.litellm.types.utils import (
        ChatCompletionMessageToolCall as ChatCompletionMessageToolCall,
    )
    from modelport.integrations.litellm.types.utils import Choices as Choices
    from modelport.integrations.litellm.types.utils import Delta as Delta
    from modelport.integrations.litellm.types.utils import Embedding as Embedding
    from modelport.integrations.litellm.types.utils import EmbeddingResponse as EmbeddingResponse
    from modelport.integrations.litellm.types.utils import Function as Function
    from modelport.integrations.litellm.types.utils import GenericStreamingChunk as GenericStreamingChunk
    from modelport.integrations.litellm.types.utils import ImageObject as ImageObject
    from modelport.integrations.litellm.types.utils import ImageResponse as ImageResponse
    from modelport.integrations.litellm.types.utils import LiteLLMParamsTypedDict as LiteLLMParamsTypedDict
    from modelport.integrations.litellm.types.utils import LlmProviders as LlmProviders
    from modelport.integrations.litellm.types.utils import Message as Message
    from modelport.integrations.litellm.types.utils import ModelResponse as ModelResponse
    from modelport.integrations.litellm.types.utils import ModelResponseStream as ModelResponseStream
    from modelport.integrations.litellm.types.utils import RerankResponse as RerankResponse
    from modelport.integrations.litellm.types.utils import StreamingChoices as StreamingChoices
    from modelport.integrations.litellm.types.utils import TextChoices as TextChoices
    from modelport.integrations.litellm.types.utils import TextCompletionResponse as TextCompletionResponse
    from modelport.integrations.litellm.types.utils import Usage as Usage
    from modelport.integrations.litellm.utils import CustomStreamWrapper as CustomStreamWrapper
    from modelport.integrations.litellm.utils import ModelResponseIterator as ModelResponseIterator
    from modelport.integrations.litellm.utils import custom_llm_setup as custom_llm_setup
    from modelport.integrations.litellm.utils import get_llm_provider as get_llm_provider
    from modelport.integrations.litellm.utils import get_supported_openai_params as get_supported_openai_params
    from modelport.integrations.litellm.utils import mock_completion as mock_completion
    from modelport.integrations.litellm.utils import stream_chunk_builder as stream_chunk_builder
    from modelport.integrations.litellm.utils import token_counter as token_counter
    from modelport.sdk import acompletion as acompletion
    from modelport.sdk import aembedding as aembedding
    from modelport.sdk import aimage_edit as aimage_edit
    from modelport.sdk import aimage_generation as aimage_generation
    from modelport.sdk import arerank as arerank
    from modelport.sdk import atext_completion as atext_completion
    from modelport.sdk import completion as completion
    from modelport.sdk import embedding as embedding
    from modelport.sdk import image_edit as image_edit
    from modelport.sdk import image_generation as image_generation
    from modelport.sdk import rerank as rerank
    from modelport.sdk import text_completion as text_completion

    drop_params: bool
    """Whether parameters that a model does not take are dropped, in every call of this process."""

custom_provider_map: list[Any] = []
"""Handlers: `{"provider": name, "custom_handler": handler}`, read at every call; of equal names the last counts."""
provider_list: list[str] = ["openai", "openai_compatible", "http", "mock"]
"""Names of providers; `custom_llm_setup()` adds those of the map."""
_custom_providers: list[str] = []
model_list_set: set[str] = set()
"""Names of models; nothing is looked up here."""
model_cost: dict[str, Any] = {}
"""Prices by model; kept for code that writes them, nothing is priced here."""
set_verbose = False
"""Kept for code that sets it; `logging` decides what is shown."""
suppress_debug_info = False
"""Kept for code that sets it; there is no such information here."""
telemetry = False
"""Kept for code that sets it; nothing is sent anywhere."""
callbacks: list[Any] = []
"""Kept for code that sets it, and not called: give `config={"callbacks": […]}` to a call."""
success_callback: list[Any] = []
"""Kept like `callbacks`."""
failure_callback: list[Any] = []
"""Kept like `callbacks`."""

__all__ = names_of_root()  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    value = offered(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *names_of_root(), "drop_params"})


# A setting is read where it is used, so assigning one has to reach that place.
sys.modules[__name__].__class__ = Namespace
add_import_alias("litellm", __name__)
add_source(handler_of)
