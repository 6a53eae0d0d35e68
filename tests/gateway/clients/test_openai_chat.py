"""The official client of OpenAI for Python, sync and async: models, chats, streams, tools, continuations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]
CALLS = [("call-0", "weather", '{"place":"Ulm"}'), ("call-1", "time", '{"place":"Ulm"}')]
ODD_TEXTS = ["héllo 😀", "\u2028\x85\n\ndata: [DONE]\n\n", "e\u0301 👩\u200d👩\u200d👧", '\x00\x1f"\\']


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_every_listed_model_can_be_called_as_it_is_listed(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:3] == ["echo", "team/echo:1", "failing"]
    for name in names[:2]:
        assert client.models.retrieve(name).id == name
        answer = client.chat.completions.create(model=name, messages=says("hello"))
        assert (answer.model, answer.choices[0].message.content) == (name, "hello")


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("model", ["echo", "team/echo:1"])
def test_a_whole_answer(client: OpenAI, model: str, text: str) -> None:
    answer = client.chat.completions.create(model=model, messages=says(text), max_tokens=100, temperature=0.3)
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", text, "stop")
    assert (answer.object, answer.id[:9]) == ("chat.completion", "chatcmpl-")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer._request_id is not None


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("model", ["echo", "team/echo:1"])
def test_a_streamed_answer_with_usage(client: OpenAI, model: str, text: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=says(text), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert [chunk.choices[0].delta.content for chunk in chunks[:-2]] == ["", *text]
    assert [chunk.choices[0].delta.role for chunk in chunks[:-1]] == ["assistant", *[None] * (len(text) + 1)]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(text) + 2)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0


def test_the_clients_own_accumulator_understands_a_stream(client: OpenAI) -> None:
    with client.chat.completions.stream(model="tools", messages=says("x"), tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == CALLS


def test_tool_calls_and_their_results_are_passed_through(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="tools", messages=says("x"), tools=TOOLS, tool_choice="auto")
    [choice] = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    calls: Any = choice.message.tool_calls
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == CALLS
    results = [{"role": "tool", "tool_call_id": call.id, "content": call.function.name} for call in calls]
    messages: Any = [*says("x"), choice.message.to_dict(), *results]
    answer = client.chat.completions.create(model="tools", messages=messages, tools=TOOLS)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("weather, time", "stop")


def test_tool_calls_come_in_pieces(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="tools-in-pieces", messages=says("x"), tools=TOOLS, stream=True))
    pieces: Any = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [piece.index for piece in pieces] == [0] * 4 + [1] * 4
    assert [piece.id for piece in pieces] == ["call-0", None, None, None, "call-1", None, None, None]
    assert [piece.function.name for piece in pieces] == ["weather", None, None, None, "time", None, None, None]
    assert [piece.function.arguments for piece in pieces] == ["", '{"pla', 'ce": "U', 'lm"}'] * 2
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("model", ["echo", "team/echo:1"])
def test_two_choices(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=says("hi"), n=2)
    assert [(one.index, one.message.content) for one in answer.choices] == [(0, "hi"), (1, "hi")]
    texts = {0: "", 1: ""}
    for chunk in client.chat.completions.create(model=model, messages=says("hi"), n=2, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == {0: "hi", 1: "hi"}


def test_the_stop_string_ends_the_answer(client: OpenAI) -> None:
    asked: Any = {"model": "echo", "messages": says("one two three"), "stop": [" three", " two"]}
    answer = client.chat.completions.create(**asked)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one", "stop")
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one"


async def test_the_async_client_gets_the_same(async_client: AsyncOpenAI) -> None:
    answer = await async_client.chat.completions.create(model="team/echo:1", messages=says("hello"))
    assert answer.choices[0].message.content == "hello"
    stream = await async_client.chat.completions.create(
        model="echo", messages=says("hello"), n=2, stream=True, stream_options={"include_usage": True}
    )
    texts = {0: "", 1: ""}
    usages: list[Any] = []
    async for chunk in stream:
        usages += [chunk.usage] if chunk.usage else []
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {0: "hello", 1: "hello"}
    assert len(usages) == 1
    assert "echo" in [model.id async for model in async_client.models.list()]
    answer = await async_client.chat.completions.create(model="tools", messages=says("x"), tools=TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_the_async_clients_connection_is_free_at_once_after_a_stream(async_client: AsyncOpenAI) -> None:
    # client_traps.md: the async client reads the body to its end after [DONE], which must not come late.
    for _ in range(3):
        stream = await async_client.chat.completions.create(model="echo", messages=says("hello"), stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "hello"
        assert (await async_client.models.retrieve("team/echo:1")).id == "team/echo:1"


class TestCompletions:
    def test_a_prompt_is_continued(self, client: OpenAI) -> None:
        answer = client.completions.create(model="echo", prompt="one two three", stop=" three")
        [choice] = answer.choices
        assert (choice.text, choice.finish_reason, answer.object) == ("one two", "stop", "text_completion")
        assert answer.usage is not None
        assert answer.usage.total_tokens > 0

    def test_two_prompts_with_two_choices_each(self, client: OpenAI) -> None:
        answer = client.completions.create(model="echo", prompt=["one", "ü😀"], n=2)
        assert [(one.index, one.text) for one in answer.choices] == [(0, "one"), (1, "one"), (2, "ü😀"), (3, "ü😀")]

    @pytest.mark.parametrize("text", ODD_TEXTS)
    async def test_a_stream_with_usage(self, async_client: AsyncOpenAI, text: str) -> None:
        stream = await async_client.completions.create(
            model="echo", prompt=text, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == text
        assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
