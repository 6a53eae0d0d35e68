"""LiteLLM's `litellm.utils`: its functions about models and chunks; its types are found here too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.integrations.litellm.chunk_joining import ModelResponseIterator, stream_chunk_builder
from modelport.integrations.litellm.names import also_offered
from modelport.integrations.litellm.supported_params import custom_llm_setup, get_supported_openai_params
from modelport.integrations.litellm.token_counting import token_counter
from modelport.integrations.litellm.types.utils import (
    Choices,
    Delta,
    EmbeddingResponse,
    ImageResponse,
    Message,
    ModelResponse,
    ModelResponseStream,
    StreamingChoices,
    TextCompletionResponse,
    Usage,
)
from modelport.registry.providers import get_llm_provider
from modelport.sdk.stream import ChunkStream as CustomStreamWrapper

__all__ = [
    "Choices",
    "CustomStreamWrapper",
    "Delta",
    "EmbeddingResponse",
    "ImageResponse",
    "Message",
    "ModelResponse",
    "ModelResponseIterator",
    "ModelResponseStream",
    "StreamingChoices",
    "TextCompletionResponse",
    "Usage",
    "custom_llm_setup",
    "get_llm_provider",
    "get_supported_openai_params",
    "mock_completion",
    "stream_chunk_builder",
    "token_counter",
]


def mock_completion(
    model: str,
    messages: Sequence[Any] | None = None,
    stream: bool | None = False,
    n: int | None = None,
    mock_response: Any = "This is a mock request",
    **given: Any,
) -> Any:
    """Return what `completion` returns with a `mock_response`: no model is asked."""
    from modelport.sdk import completion

    return completion(model, messages, stream=stream, n=n, mock_response=mock_response, **given)


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
