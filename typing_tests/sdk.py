"""What a type checker infers of the SDK's functions; checked, never executed."""

from __future__ import annotations

from typing import Any, assert_type

from modelport import (
    LLM,
    CustomLLM,
    ModelportError,
    acompletion,
    aembedding,
    aimage_edit,
    aimage_generation,
    arerank,
    atext_completion,
    completion,
    embedding,
    get_llm_provider,
    image_edit,
    image_generation,
    register,
    rerank,
    text_completion,
)
from modelport.sdk.stream import ChunkStream
from modelport.values.messages import AIMessage, HumanMessage
from modelport.wire.completion import ChatCompletion
from modelport.wire.completion_chunk import ChatCompletionChunk
from modelport.wire.embedding_response import EmbeddingResponse
from modelport.wire.image_response import ImageResponse
from modelport.wire.rerank import RerankResponse
from modelport.wire.text_completion import TextCompletion


class Handler(CustomLLM):
    """Is a handler that names some of its arguments."""

    def completion(self, model: str, messages: list[Any], **kwargs: Any) -> str:
        """Return one answer."""
        return f"{model} {len(messages)}"

    async def acompletion(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return one answer."""
        return {}


class Model(LLM):
    """Is a text model."""

    def _call(self, prompt: str) -> str:
        return prompt


messages = [{"role": "user", "content": "hi"}]


def sync(stream: bool) -> None:
    """An answer, or a stream of its chunks, as `stream` says."""
    register("h", Handler(), max_concurrency=2)
    register("m", Model)
    assert_type(completion("h/x", messages), ChatCompletion)
    assert_type(completion(model="h/x", messages=[HumanMessage("hi")], stop="x", n=2), ChatCompletion)
    assert_type(completion("h/x", messages, stream=False), ChatCompletion)
    assert_type(completion("h/x", messages, stream=None), ChatCompletion)
    assert_type(completion("h/x", messages, stream=True), ChunkStream[ChatCompletionChunk])
    assert_type(completion("h/x", messages, stream=stream), ChatCompletion | ChunkStream[ChatCompletionChunk])
    for chunk in completion("h/x", stream=True, timeout=1.5):
        assert_type(chunk, ChatCompletionChunk)
        assert_type(chunk.choices[0].delta.content, str | None)
    with completion("h/x", messages, stream=True) as chunks:
        assert_type(next(chunks), ChatCompletionChunk)
    assert_type(completion("h/x").choices[0].message.content, str | None)
    assert_type(text_completion("p", "h/x"), TextCompletion)
    assert_type(text_completion(["p", "q"], "h/x", stream=True), ChunkStream[TextCompletion])
    assert_type(text_completion("p", "h/x", stream=stream), TextCompletion | ChunkStream[TextCompletion])
    assert_type(embedding("h/x", "a", dimensions=3, encoding_format="base64"), EmbeddingResponse)
    assert_type(embedding(model="h/x", input=["a", "b"]), EmbeddingResponse)
    assert_type(image_generation("p", "h/x", n=2, response_format="url", size="1x1"), ImageResponse)
    assert_type(image_edit(b"", "p", "h/x", mask=b""), ImageResponse)
    assert_type(rerank("h/x", "q", ["a", {"text": "b"}], top_n=1), RerankResponse)
    assert_type(get_llm_provider("h/x"), tuple[str, str, str | None, str | None])


async def asynchronous(stream: bool) -> None:
    """The async half gives the same."""
    assert_type(await acompletion("h/x", messages), ChatCompletion)
    assert_type(await acompletion("h/x", messages, stream=True), ChunkStream[ChatCompletionChunk])
    assert_type(await acompletion("h/x", messages, stream=stream), ChatCompletion | ChunkStream[ChatCompletionChunk])
    async for chunk in await acompletion("h/x", messages, stream=True):
        assert_type(chunk, ChatCompletionChunk)
    async with await acompletion("h/x", messages, stream=True) as chunks:
        assert_type(await anext(chunks), ChatCompletionChunk)
    assert_type(await atext_completion("p", "h/x"), TextCompletion)
    assert_type(await atext_completion("p", "h/x", stream=True), ChunkStream[TextCompletion])
    assert_type(await aembedding("h/x", "a"), EmbeddingResponse)
    assert_type(await aimage_generation("p", "h/x"), ImageResponse)
    assert_type(await aimage_edit(b"", "p", "h/x"), ImageResponse)
    assert_type(await arerank("h/x", "q", ["a"]), RerankResponse)


def handlers() -> None:
    """A handler is a runnable as any model is."""
    handler = Handler()
    assert_type(handler.invoke("hi"), AIMessage)
    assert_type(handler.batch(["hi"]), list[AIMessage])


def errors(error: ModelportError) -> None:
    """An error says its status."""
    assert_type(error.status_code, int)
    assert_type(error.param, str | None)
