"""Handlers written with the real LiteLLM's types, on our SDK and on our gateway."""

# Its packages are not installed where the tests run.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import litellm
from litellm import CustomLLM, ModelResponse
from litellm.llms.custom_llm import CustomLLMError
from litellm.types.utils import (
    ChatCompletionMessageToolCall,
    Choices,
    Delta,
    Embedding,
    EmbeddingResponse,
    Function,
    GenericStreamingChunk,
    ImageObject,
    ImageResponse,
    Message,
    ModelResponseStream,
    StreamingChoices,
    Usage,
)
from scenarios import errors, failure, run, scenario

import modelport
import modelport.integrations.litellm as _  # noqa: F401 - LiteLLM's map is looked at from now on
from modelport import to_async_openai_client, to_openai_client

litellm.telemetry = False
litellm.suppress_debug_info = True
HELLO: Any = [{"role": "user", "content": "hello"}]
PNG = b"\x89PNG\r\n\x1a\n"


class QuickStart(CustomLLM):
    """Is the guide's first handler: it has one method, which asks LiteLLM for a mock."""

    def completion(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return litellm.completion(  # pyright: ignore[reportReturnType]
            model="gpt-3.5-turbo", messages=[{"role": "user", "content": "Hello world"}], mock_response="Hi!"
        )


class Filling(CustomLLM):
    """Fills the response that it is given, and calls a tool."""

    async def acompletion(self, model: str, messages: list[Any], model_response: Any, **kwargs: Any) -> Any:
        call = ChatCompletionMessageToolCall(
            id="call-1", type="function", function=Function(name="weather", arguments='{"place":"Ulm"}')
        )
        message = Message(content=f"I am {model}", tool_calls=[call])
        model_response.choices = [Choices(message=message, finish_reason="tool_calls")]
        model_response.usage = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
        return model_response


class Generic(CustomLLM):
    """Streams the guide's chunks."""

    async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:
        for text in ("Hi", " there"):
            yield GenericStreamingChunk(
                text=text, is_finished=False, finish_reason="", index=0, tool_use=None, usage=None
            )
        yield GenericStreamingChunk(
            text="",
            is_finished=True,
            finish_reason="length",
            index=0,
            tool_use=None,
            usage={"completion_tokens": 5, "prompt_tokens": 4, "total_tokens": 9},
        )


class Objects(CustomLLM):
    """Streams LiteLLM's own chunks."""

    def streaming(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponseStream]:
        for text in ("Hi", " there"):
            yield ModelResponseStream(choices=[StreamingChoices(index=0, delta=Delta(content=text))])
        yield ModelResponseStream(
            choices=[StreamingChoices(index=0, delta=Delta(), finish_reason="length")],
            usage=Usage(prompt_tokens=4, completion_tokens=5, total_tokens=9),
        )


class Others(CustomLLM):
    """Makes vectors and images."""

    def embedding(self, model: str, input: list[str], **kwargs: Any) -> EmbeddingResponse:
        data = [
            Embedding(embedding=[float(len(text)), 0.5], index=place, object="embedding")
            for place, text in enumerate(input)
        ]
        return EmbeddingResponse(model=model, data=data, usage=Usage(prompt_tokens=6, total_tokens=6))

    async def aimage_generation(self, prompt: str, model_response: Any, **kwargs: Any) -> ImageResponse:
        return ImageResponse(created=5, data=[ImageObject(b64_json=base64.b64encode(PNG).decode())])


class Failing(CustomLLM):
    """Raises LiteLLM's own errors."""

    def completion(self, messages: list[Any], **kwargs: Any) -> Any:
        text = messages[-1]["content"]
        if text == "limited":
            raise litellm.RateLimitError("slow down", llm_provider="failing", model="x")
        raise CustomLLMError(status_code=int(text), message="no")


HANDLERS: dict[str, Any] = {
    "quick": QuickStart(),
    "filling": Filling(),
    "generic": Generic(),
    "objects": Objects(),
    "others": Others(),
    "failing": Failing(),
}
litellm.custom_provider_map = [{"provider": name, "custom_handler": handler} for name, handler in HANDLERS.items()]


def told(chunks: list[Any]) -> list[Any]:
    choices = [choice for chunk in chunks for choice in chunk.choices]
    return [
        "".join(choice.delta.content or "" for choice in choices),
        [choice.finish_reason for choice in choices if choice.finish_reason],
        [chunk.usage.total_tokens for chunk in chunks if getattr(chunk, "usage", None) is not None],
    ]


STREAMED: Any = {"messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}


@scenario
async def on_the_sdk() -> Any:
    whole = modelport.completion("quick/x", HELLO)
    awaited = await modelport.acompletion("quick/x", HELLO)
    pieces = told(list(modelport.completion("quick/x", **STREAMED)))
    return [type(whole).__module__, whole.choices[0].message.content, awaited.choices[0].message.content, pieces[:2]]


@scenario
def filled() -> Any:
    found = modelport.completion("filling/deep/x", HELLO)
    choice = found.choices[0]
    made: Any = choice.message.tool_calls
    calls = [[call.id, call.function.name, call.function.arguments] for call in made]
    return [choice.message.content, choice.finish_reason, calls, found.usage.total_tokens if found.usage else None]


@scenario
async def streams_on_the_sdk() -> Any:
    generic = [chunk async for chunk in await modelport.acompletion("generic/x", **STREAMED)]
    return [
        told(generic),
        told(list(modelport.completion("generic/x", **STREAMED))),
        told(list(modelport.completion("objects/x", **STREAMED))),
        modelport.completion("generic/x", HELLO).choices[0].message.content,
    ]


@scenario
def vectors_and_images_on_the_sdk() -> Any:
    vectors = modelport.embedding("others/x", ["a", "bbb"])
    images = modelport.image_generation("an otter", "others/x")
    return [
        [one.embedding for one in vectors.data],
        vectors.usage.total_tokens,
        base64.b64decode(images.data[0].b64_json or "") == PNG,
    ]


@scenario
def errors_on_the_sdk() -> Any:
    def ask(text: str) -> Any:
        return modelport.completion("failing/x", [{"role": "user", "content": text}])

    return [errors(lambda status: ask(str(status))), failure(lambda: ask("limited"))]


@scenario
async def on_the_gateway() -> Any:
    """OpenAI's client of another generation than that of the tests asks the handlers."""
    with to_openai_client(HANDLERS) as client:
        whole = client.chat.completions.create(model="quick", messages=HELLO)
        vectors = client.embeddings.create(model="others", input=["a", "bbb"])
        images = client.images.generate(model="others", prompt="an otter").data or []
        limited = failure(
            lambda: client.chat.completions.create(model="failing", messages=[{"role": "user", "content": "limited"}])
        )
        pieces = told(list(client.chat.completions.create(model="objects", **STREAMED)))
    async with to_async_openai_client(HANDLERS) as async_client:
        stream = await async_client.chat.completions.create(model="generic", **STREAMED)
        apieces = told([chunk async for chunk in stream])
    return [
        whole.choices[0].message.content,
        [one.embedding for one in vectors.data],
        base64.b64decode(images[0].b64_json or "") == PNG,
        limited,
        pieces,
        apieces,
    ]


if __name__ == "__main__":
    run()
