"""LangChain's chat models as ours: tools, usage, streams, and the conformance kit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import FakeListChatModel, SimpleChatModel
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.tools import tool
from pydantic import BaseModel

import modelport
from modelport.integrations.langchain import from_langchain, to_langchain
from modelport.testing import run_checks
from modelport.values.errors import KeywordError
from modelport.values.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from tests.integrations.langchain.conftest import Register
from tests.integrations.langchain.foreign_models import TOOL, StreamingChat, ToolChat

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

CALL = {"name": "look", "args": {"at": "you"}, "id": "c1", "type": "tool_call"}
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("cls", [ToolChat, StreamingChat, lambda: FakeListChatModel(responses=["Hello you!"])])
def test_they_pass_the_conformance_kit(cls: Any) -> None:
    results = run_checks(lambda: from_langchain(cls()))
    assert [(one.id, one.seen) for one in results if one.outcome == "fail"] == []
    assert sum(one.outcome == "pass" for one in results) > 300


async def test_messages_go_in_and_one_comes_out() -> None:
    messages = [SystemMessage("be kind"), HumanMessage("hi"), AIMessage("yes"), ToolMessage("4", tool_call_id="c")]
    model = from_langchain(ToolChat())
    answer = model.invoke(messages)
    assert (answer.content, answer.usage_metadata) == ("be kind hi yes 4", USAGE)
    assert answer.response_metadata["finish_reason"] == "length"
    assert await model.ainvoke(messages) == answer or (await model.ainvoke(messages)).content == answer.content


async def test_a_streams_usage_in_parts_is_added_up() -> None:
    model = from_langchain(StreamingChat())
    chunks = [chunk async for chunk in model.astream("hey")]
    assert "".join(chunk.text for chunk in chunks) == "hey"
    assert chunks[-1].usage_metadata == USAGE
    assert chunks[-1].response_metadata["finish_reason"] == "length"
    assert "".join(chunk.text for chunk in model.stream("sync")) == "sync"  # of its async stream


@pytest.mark.parametrize("cls", [ToolChat, StreamingChat])
async def test_tools_are_bound_as_the_class_does(cls: Any) -> None:
    model = from_langchain(cls()).bind_tools([TOOL])
    assert model.invoke("call it").tool_calls == [CALL]
    whole = None
    async for chunk in model.astream("call it"):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.to_message().tool_calls == [CALL]
    assert whole.response_metadata["finish_reason"] == "tool_calls"


def test_a_tool_choice_of_openais_is_given_in_langchains_words() -> None:
    other = {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}}
    choice = {"type": "function", "function": {"name": "other"}}
    seen: list[Any] = []

    class Noting(ToolChat):
        def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
            seen.append(tool_choice)
            return super().bind_tools(tools, tool_choice=tool_choice, **kwargs)

    model = from_langchain(Noting())
    assert model.invoke("call", tools=[TOOL, other], tool_choice=choice).tool_calls[0]["name"] == "other"
    model.invoke("no", tools=[TOOL], tool_choice="required")
    model.invoke("no", tools=[TOOL], tool_choice="auto")
    assert seen == ["other", "any", "auto"]


def test_tools_work_over_the_sdk(register: Register) -> None:
    register("tool", ToolChat())
    messages = [{"role": "user", "content": "call it"}]
    answer: Any = modelport.completion(model="tool/x", messages=messages, tools=[TOOL])
    call = answer.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("look", {"at": "you"})
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.usage.total_tokens == 7


def test_tools_of_langchains_are_tools() -> None:
    @tool
    def look(at: str) -> str:
        """Look at something."""
        return at

    tools: Any = [look]
    model = from_langchain(ToolChat()).bind_tools(tools)
    assert model.invoke("call it").tool_calls == [CALL]
    given: Any = model.kwargs["tools"][0]["function"]
    assert (given["name"], given["description"], list(given["parameters"]["properties"])) == (
        "look",
        "Look at something.",
        ["at"],
    )


async def test_structured_output_comes_by_a_tool() -> None:
    class Look(BaseModel):
        """Look at something."""

        at: str

    looking = from_langchain(ToolChat()).with_structured_output(Look)
    assert looking.invoke("call it") == Look(at="you")
    assert await from_langchain(StreamingChat()).with_structured_output(Look).ainvoke("call it") == Look(at="you")


def test_a_class_without_tools_says_so() -> None:
    with pytest.raises(KeywordError, match="FakeListChatModel takes no tools"):
        from_langchain(FakeListChatModel(responses=["a"])).bind_tools([TOOL])


def test_a_response_format_is_for_classes_that_have_structured_output(register: Register) -> None:
    class Structured(ToolChat):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            from langchain_core.messages import AIMessage as Answer

            text = json.dumps({"type": kwargs["response_format"]["type"]})
            return ChatResult(generations=[ChatGeneration(message=Answer(text))])

        def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
            raise AssertionError("ours is used")

    register("structured", Structured())
    given: Any = {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_object"}}
    answer: Any = modelport.completion(model="structured/x", **given)
    assert answer.choices[0].message.content == '{"type":"json_object"}'.replace(":", ": ")


async def test_a_class_that_is_told_not_to_stream_answers_in_one_piece() -> None:
    model = from_langchain(StreamingChat(disable_streaming=True))
    assert [chunk.text for chunk in model.stream("hey")] == ["hey"]
    calling = from_langchain(StreamingChat(disable_streaming="tool_calling"))
    assert [chunk.text async for chunk in calling.astream("hey")][:2] == ["h", "e"]
    assert [chunk.text async for chunk in calling.astream("hey", tools=[TOOL])] == ["hey", ""]


async def test_a_stream_that_is_left_closes_the_classs_generator_at_once() -> None:
    foreign = StreamingChat()
    stream = from_langchain(foreign).astream("hello")
    assert (await anext(stream)).text == "h"
    await stream.aclose()
    assert foreign._closed == [True]
    found = [chunk.text async for chunk in from_langchain(foreign).astream("hello", stop=["e"])]
    assert "".join(found) == "he"
    assert foreign._closed == [True, True]


def test_what_bind_tools_made_is_called_whatever_it_is() -> None:
    class Elsewhere(ToolChat):
        def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
            return super().bind_tools(tools, **kwargs).with_retry()

    model = from_langchain(Elsewhere())
    assert model.invoke("call it", tools=[TOOL]).tool_calls == [CALL]
    assert [chunk.tool_calls for chunk in model.stream("call it", tools=[TOOL])] == [[CALL]]


def test_simple_chat_models_work() -> None:
    class Simple(SimpleChatModel):
        def _call(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> str:
            return messages[-1].text

        @property
        def _llm_type(self) -> str:
            return "simple"

    assert from_langchain(Simple()).invoke("abcdef", stop=["c"]).content == "abc"


def test_a_rate_limiter_of_the_class_holds_for_streams_too() -> None:
    class Counting(InMemoryRateLimiter):
        calls = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            Counting.calls += 1
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            return self.acquire(blocking=blocking)

    model = from_langchain(StreamingChat(rate_limiter=Counting()))
    model.invoke("a")
    list(model.stream("a"))
    assert Counting.calls == 2


def test_a_binding_of_tools_is_a_model_with_tools() -> None:
    model = from_langchain(ToolChat().bind_tools([TOOL]))
    assert model.invoke("call it").tool_calls == [CALL]


def test_images_go_to_the_class_as_they_are() -> None:
    seen: list[Any] = []

    class Seeing(ToolChat):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
            seen.extend(messages[0].content)
            return super()._generate(messages, *args, **kwargs)

    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    from_langchain(Seeing()).invoke([HumanMessage([{"type": "text", "text": "what?"}, image])])
    assert seen == [{"type": "text", "text": "what?"}, image]


def test_what_was_langchains_is_langchains_again() -> None:
    foreign = ToolChat()
    assert to_langchain(from_langchain(foreign)) is foreign
