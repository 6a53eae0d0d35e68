"""The echo as a provider of any-llm: a class like those in its `providers` folder, which make OpenAI's objects."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from os import urandom
from typing import Any

from any_llm import AnyLLM
from any_llm.types.completion import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    Choice,
    ChoiceDelta,
    ChunkChoice,
    CompletionParams,
    CreateEmbeddingResponse,
    Embedding,
    Usage,
)
from any_llm.types.image import Image, ImageGenerationParams, ImagesResponse

from sdk_subjects import URL, VECTOR


def _unused(*args: Any, **kwargs: Any) -> Any:
    """Convert nothing: there is no upstream whose format differs."""
    raise NotImplementedError


class Echo(AnyLLM):
    """Answers with the last message."""

    PROVIDER_NAME = "echo"
    PROVIDER_DOCUMENTATION_URL = "https://example.com"
    ENV_API_KEY_NAME = "ECHO_API_KEY"
    SUPPORTS_COMPLETION = True
    SUPPORTS_COMPLETION_STREAMING = True
    SUPPORTS_COMPLETION_REASONING = False
    SUPPORTS_COMPLETION_IMAGE = False
    SUPPORTS_COMPLETION_PDF = False
    SUPPORTS_EMBEDDING = True
    SUPPORTS_IMAGE_GENERATION = True
    SUPPORTS_RESPONSES = False
    SUPPORTS_LIST_MODELS = False
    SUPPORTS_BATCH = False

    _convert_completion_params = staticmethod(_unused)
    _convert_completion_response = staticmethod(_unused)
    _convert_completion_chunk_response = staticmethod(_unused)
    _convert_embedding_params = staticmethod(_unused)
    _convert_embedding_response = staticmethod(_unused)
    _convert_list_models_response = staticmethod(_unused)

    def _verify_and_set_api_key(self, api_key: str | None = None) -> str | None:
        return api_key

    def _init_client(self, api_key: str | None = None, api_base: str | None = None, **kwargs: Any) -> None:
        pass

    async def _acompletion(self, params: CompletionParams, **kwargs: Any) -> Any:
        answer_id, created = f"chatcmpl-{urandom(16).hex()}", int(time.time())
        text = params.messages[-1]["content"]
        if params.stream:
            return _chunks(answer_id, created, params.model_id, text)
        message = ChatCompletionMessage(role="assistant", content=text)
        return ChatCompletion(
            id=answer_id,
            object="chat.completion",
            created=created,
            model=params.model_id,
            choices=[Choice(index=0, message=message, finish_reason="stop")],
        )

    async def _aembedding(self, model: str, inputs: str | list[str], **kwargs: Any) -> CreateEmbeddingResponse:
        data = [Embedding(embedding=VECTOR, index=index, object="embedding") for index in range(len(inputs))]
        return CreateEmbeddingResponse(
            data=data, model=model, object="list", usage=Usage(prompt_tokens=0, total_tokens=0)
        )

    async def _aimage_generation(self, params: ImageGenerationParams, **kwargs: Any) -> ImagesResponse:
        return ImagesResponse(created=int(time.time()), data=[Image(url=URL)])


async def _chunks(answer_id: str, created: int, model: str, text: str) -> AsyncIterator[ChatCompletionChunk]:
    def chunk(delta: ChoiceDelta, finish_reason: str | None = None) -> ChatCompletionChunk:
        return ChatCompletionChunk(
            id=answer_id,
            object="chat.completion.chunk",
            created=created,
            model=model,
            choices=[ChunkChoice(index=0, delta=delta, finish_reason=finish_reason)],
        )

    for token in text:
        yield chunk(ChoiceDelta(content=token))
    yield chunk(ChoiceDelta(), "stop")
