"""LiteLLM's `litellm.types.utils`: OpenAI's formats by LiteLLM's names."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypedDict

from modelport.integrations.litellm.names import also_offered
from modelport.integrations.litellm.types.llms.openai import ChatCompletionToolCallChunk, ChatCompletionUsageBlock
from modelport.wire.completion import ChatCompletion as ModelResponse
from modelport.wire.completion import Choice as Choices
from modelport.wire.completion import CompletionUsage as Usage
from modelport.wire.completion import Function
from modelport.wire.completion import ResponseMessage as Message
from modelport.wire.completion import ToolCall as ChatCompletionMessageToolCall
from modelport.wire.completion_chunk import ChatCompletionChunk as ModelResponseStream
from modelport.wire.completion_chunk import Delta
from modelport.wire.completion_chunk import StreamingChoice as StreamingChoices
from modelport.wire.completion_chunk import ToolCallDelta as ChatCompletionDeltaToolCall
from modelport.wire.embedding_response import EmbeddingObject as Embedding
from modelport.wire.embedding_response import EmbeddingResponse
from modelport.wire.image_response import ImageObject, ImageResponse
from modelport.wire.objects import WireObject
from modelport.wire.rerank import RerankResponse
from modelport.wire.text_completion import TextChoice as TextChoices
from modelport.wire.text_completion import TextCompletion as TextCompletionResponse

__all__ = [
    "ChatCompletionDeltaToolCall",
    "ChatCompletionMessageToolCall",
    "Choices",
    "CompletionTokensDetailsWrapper",
    "Delta",
    "Embedding",
    "EmbeddingResponse",
    "Function",
    "FunctionCall",
    "GenericStreamingChunk",
    "ImageObject",
    "ImageResponse",
    "LiteLLMParamsTypedDict",
    "LlmProviders",
    "Message",
    "ModelResponse",
    "ModelResponseStream",
    "PromptTokensDetailsWrapper",
    "RerankResponse",
    "StreamingChoices",
    "TextChoices",
    "TextCompletionResponse",
    "Usage",
]

FunctionCall = Function
"""The older form of a tool call has the same shape."""


class LlmProviders(StrEnum):
    """Names providers."""

    OPENAI = "openai"
    """Servers that speak OpenAI's format."""
    OPENAI_LIKE = "openai_like"
    """The same."""
    CUSTOM_OPENAI = "custom_openai"
    """The same."""
    CUSTOM = "custom"
    """A handler's."""


class _GenericStreamingChunk(TypedDict):
    text: str
    """The text that is added."""
    is_finished: bool
    """Whether the answer ends here."""
    finish_reason: str
    """Why it ends; empty before."""
    usage: ChatCompletionUsageBlock | None
    """The tokens of the whole answer, in its last piece."""


class GenericStreamingChunk(_GenericStreamingChunk, total=False):
    """Is a piece of a streamed answer, as handlers yield it."""

    tool_use: ChatCompletionToolCallChunk | None
    """A tool call, or a piece of one."""
    index: int
    """Which of several choices, from 0."""
    provider_specific_fields: dict[str, Any] | None
    """What else a handler wants to say; kept by nobody here."""


class PromptTokensDetailsWrapper(WireObject, kw_only=True):
    """Says what the prompt's tokens were: cached ones, those of images; any names."""


class CompletionTokensDetailsWrapper(WireObject, kw_only=True):
    """Says what the answer's tokens were: those of its reasoning; any names."""


class LiteLLMParamsTypedDict(TypedDict, total=False):
    """Is `litellm_params` of a model in a config."""

    model: str
    """`provider/name`."""
    custom_llm_provider: str | None
    """The provider, when the model's name has none."""
    api_key: str | None
    """The key for the upstream."""
    api_base: str | None
    """The address of the upstream."""
    timeout: float | str | None
    """Seconds that a call may take."""
    max_retries: int | None
    """How many times a failed call is made again."""


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
