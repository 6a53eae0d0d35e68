"""What the methods of a handler may return: answers and streams of every shape."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

import modelport
from modelport import AIMessage, AIMessageChunk, CustomLLM
from modelport.values.errors import HookError
from modelport.values.generations import Generation, GenerationChunk
from modelport.wire.completion import ChatCompletion, Choice, CompletionUsage, ResponseMessage
from modelport.wire.completion_chunk import ChatCompletionChunk, Delta, StreamingChoice

HI = [{"role": "user", "content": "hi"}]
pytestmark = pytest.mark.usefixtures("own_names")


def usage(prompt: int, completion: int) -> CompletionUsage:
    return CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _completion(text: str) -> ChatCompletion:
    return ChatCompletion(choices=[Choice(message=ResponseMessage(content=text))], usage=usage(3, 4))


@pytest.mark.parametrize(
    "value",
    [
        "text",
        b"text",
        _completion("text"),
        _completion("text").model_dump(),
        SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content="text"))], usage=None),
        {"object": "text_completion", "choices": [{"text": "text", "index": 0}]},
        {"choices": [{"delta": {"content": "text"}}]},
        Generation("text"),
        AIMessage("text"),
        {"text": "text", "is_finished": True, "finish_reason": "stop", "usage": None},
    ],
    ids=["str", "bytes", "object", "dict", "foreign", "text-choice", "delta", "generation", "message", "chunk"],
)
@pytest.mark.parametrize("method", ["completion", "acompletion"])
def test_whole_answers_of_every_shape_are_read(value: Any, method: str) -> None:
    def answer(self: Any, **kwargs: Any) -> Any:
        return value

    async def aanswer(self: Any, **kwargs: Any) -> Any:
        return value

    chosen = answer if method == "completion" else aanswer
    modelport.register("h", type("Handler", (CustomLLM,), {method: chosen})())
    assert modelport.completion("h/x", HI).choices[0].message.content == "text"


def _chunk(text: str, reason: str | None = None) -> ChatCompletionChunk:
    return ChatCompletionChunk(choices=[StreamingChoice(delta=Delta(content=text), finish_reason=reason)])


def _generic(text: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"text": text, "is_finished": bool(reason), "finish_reason": reason, "usage": None, **more}


CHUNKS = {
    "generic": [_generic("te"), _generic("xt", "stop")],
    "without keys": [{"text": "te"}, {"text": "xt"}],
    "objects": [_chunk("te"), _chunk("xt", "stop")],
    "dicts": [_chunk("te").model_dump(), _chunk("xt", "stop").model_dump()],
    "texts": ["te", "xt"],
    "bytes": [b"te", b"xt"],
    "ours": [GenerationChunk("te"), GenerationChunk("xt", "stop")],
    "messages": [AIMessageChunk("te"), AIMessageChunk("xt")],
    "mixed": ["te", _generic(""), _chunk("xt")],
}


async def _agenerator(chunks: list[Any]) -> Any:
    for chunk in chunks:
        yield chunk


class AsyncIterating:
    """Is an async iterator that is no generator."""

    def __init__(self, chunks: list[Any]) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncIterating:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None


def _sync_shapes(chunks: list[Any]) -> dict[str, Any]:
    async def coroutine() -> Any:
        return iter(chunks)

    async def of_async() -> Any:
        return _agenerator(chunks)

    return {
        "iterator": lambda: iter(chunks),
        "list": lambda: chunks,
        "generator": lambda: (chunk for chunk in chunks),
        "async generator": lambda: _agenerator(chunks),
        "async iterator": lambda: AsyncIterating(chunks),
        "coroutine of an iterator": coroutine,
        "coroutine of an async generator": of_async,
    }


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("shape", _sync_shapes([]))
@pytest.mark.parametrize("method", ["streaming", "astreaming"])
async def test_streams_of_every_shape_are_read(method: str, shape: str, chunks: list[Any]) -> None:
    handler = type("Handler", (CustomLLM,), {method: lambda self, **_: _sync_shapes(chunks)[shape]()})()
    modelport.register("h", handler)
    for stream in (
        modelport.completion("h/x", HI, stream=True),
        await asyncio.to_thread(lambda: modelport.completion("h/x", HI, stream=True)),
    ):
        got = await asyncio.to_thread(list, stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in got) == "text"
        assert [chunk.choices[0].finish_reason for chunk in got if chunk.choices[0].finish_reason] == ["stop"]
    texts = [
        chunk.choices[0].delta.content or "" async for chunk in await modelport.acompletion("h/x", HI, stream=True)
    ]
    assert "".join(texts) == "text"


@pytest.mark.parametrize(
    "one",
    [_generic("text", "stop"), _chunk("text"), "text", _completion("text")],
    ids=["dict", "object", "str", "whole"],
)
@pytest.mark.parametrize("method", ["streaming", "astreaming"])
def test_a_single_chunk_in_place_of_an_iterator_is_the_whole_stream(method: str, one: Any) -> None:
    handler = type("Handler", (CustomLLM,), {method: lambda self, **_: one})()
    modelport.register("h", handler)
    chunks = list(modelport.completion("h/x", HI, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "text"
    assert modelport.completion("h/x", HI).choices[0].message.content == "text"


def test_a_method_with_the_sync_name_may_be_async() -> None:
    class Misnamed(CustomLLM):
        async def completion(self, **kwargs):
            await asyncio.sleep(0)
            return "whole"

        async def streaming(self, **kwargs):
            yield "pie"
            yield "ces"

        async def embedding(self, input):
            return [[1.0, 2.0]] * len(input)

        async def image_generation(self, prompt):
            return "https://example.com/x.png"

    modelport.register("h", Misnamed())
    assert modelport.completion("h/x", HI).choices[0].message.content == "whole"
    assert asyncio.run(modelport.acompletion("h/x", HI)).choices[0].message.content == "whole"
    texts = [chunk.choices[0].delta.content for chunk in modelport.completion("h/x", HI, stream=True)]
    assert "".join(text or "" for text in texts) == "pieces"
    assert modelport.embedding("h/x", "a").data[0].embedding == [1.0, 2.0]
    assert modelport.image_generation("a", "h/x").data[0].url == "https://example.com/x.png"


def test_a_sync_method_may_return_a_coroutine() -> None:
    async def later(value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    class Handler(CustomLLM):
        def completion(self, **kwargs):
            return later("whole")

        def embedding(self, input):
            return later([[1.0]])

    modelport.register("h", Handler())
    assert modelport.completion("h/x", HI).choices[0].message.content == "whole"
    assert asyncio.run(modelport.acompletion("h/x", HI)).choices[0].message.content == "whole"
    assert modelport.embedding("h/x", "a").data[0].embedding == [1.0]


@pytest.mark.parametrize(
    "value",
    [None, 3, {"no": "choices"}, {"choices": []}, object()],
    ids=lambda one: "object" if type(one) is object else repr(one),
)
def test_what_is_no_answer_is_an_error_that_names_the_method(value: Any) -> None:
    class Handler(CustomLLM):
        def completion(self, **kwargs):
            return value

    modelport.register("h", Handler())
    with pytest.raises(HookError, match=r"Handler\.completion"):
        modelport.completion("h/x", HI)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ({"role": "assistant", "content": "x"}, "or a text$"),
        (None, "is a `return` missing"),
        ((one for one in "x"), "a method that yields is `streaming`"),
    ],
    ids=["message", "none", "generator"],
)
def test_the_error_says_what_a_handler_returns(value: Any, hint: str) -> None:
    class Handler(CustomLLM):
        def completion(self, **kwargs):
            return value

    modelport.register("h", Handler())
    with pytest.raises(HookError, match=rf"must return a ModelResponse, .* a dict with 'choices' .*{hint}"):
        modelport.completion("h/x", HI)


@pytest.mark.parametrize("value", [3, {"no": "text"}, {"text": 3}, None], ids=repr)
def test_what_is_no_chunk_is_an_error_that_names_the_method(value: Any) -> None:
    class Handler(CustomLLM):
        def streaming(self, **kwargs):
            yield value

    modelport.register("h", Handler())
    with pytest.raises(HookError, match=r"Handler\.streaming"):
        list(modelport.completion("h/x", HI, stream=True))


def test_tool_calls_of_a_handler_are_passed_through() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}

    class Handler(CustomLLM):
        def completion(self, optional_params):
            assert optional_params["tools"]
            return {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}

        def streaming(self, **kwargs):
            yield {"text": "", "tool_use": {**call, "index": 0}, "is_finished": True, "finish_reason": "tool_calls"}

    modelport.register("h", Handler())
    tools = [{"type": "function", "function": {"name": "f"}}]
    choice: Any = modelport.completion("h/x", HI, tools=tools).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.arguments == '{"a":1}'
    deltas: list[Any] = [chunk.choices[0].delta for chunk in modelport.completion("h/x", HI, tools=tools, stream=True)]
    assert [one.tool_calls[0].function.name for one in deltas if one.tool_calls] == ["f"]
