"""What a model takes: texts, prompt values, messages, pairs, OpenAI dicts and foreign messages."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core import messages as langchain

from modelport import (
    AIMessage,
    ChatPromptValue,
    HumanMessage,
    ModelportError,
    SystemMessage,
    ToolMessage,
)
from modelport.values.errors import InputError
from modelport.values.prompt_values import (
    StringPromptValue,
    message_from,
    message_to_dict,
    messages_from,
)

CALL = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
OPENAI_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a":1}'},
}


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ("hi", [HumanMessage("hi")]),
        (HumanMessage("hi"), [HumanMessage("hi")]),
        (["hi", "ho"], [HumanMessage("hi"), HumanMessage("ho")]),
        ([("system", "s"), ("human", "h")], [SystemMessage("s"), HumanMessage("h")]),
        (StringPromptValue("hi"), [HumanMessage("hi")]),
        (ChatPromptValue([AIMessage("a")]), [AIMessage("a")]),
        ([{"role": "developer", "content": "d"}], [SystemMessage("d")]),
        ([{"role": "user", "content": "u", "name": "eve"}], [HumanMessage("u", name="eve")]),
        ([{"type": "ai", "content": "a"}], [AIMessage("a")]),
        (
            [{"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]}],
            [AIMessage("", tool_calls=[CALL])],
        ),
        ([{"role": "assistant", "tool_calls": [CALL]}], [AIMessage("", tool_calls=[CALL])]),
        (
            [{"role": "tool", "content": "4", "tool_call_id": "c1"}],
            [ToolMessage("4", tool_call_id="c1")],
        ),
        ([{"role": "user", "content": "u", "tool_call_id": "c1"}], [HumanMessage("u")]),
        ([{"role": "user", "content": "u", "tool_calls": [CALL]}], [HumanMessage("u")]),
        ([], []),
    ],
)
def test_messages_are_read_of(value: Any, messages: list[Any]) -> None:
    assert messages_from(value) == messages


def test_langchains_own_messages_are_read() -> None:
    given = [
        langchain.SystemMessage("s"),
        langchain.HumanMessage("h", name="eve"),
        langchain.AIMessage("a", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}]),
        langchain.ToolMessage("4", tool_call_id="c1"),
    ]
    assert messages_from(given) == [
        SystemMessage("s"),
        HumanMessage("h", name="eve"),
        AIMessage("a", tool_calls=[CALL]),
        ToolMessage("4", tool_call_id="c1"),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (4, r"4 \(int\) is no prompt; give a str, a prompt value or a list of messages"),
        ([4], r"4 is no message; give a message, a \(role, text\) pair"),
        ([("poet", "x")], r"'poet' is no role of a message; use one of: ai, assistant, "),
        ([(None, "x")], r"None is no role of a message"),
        ([{"role": "user", "content": 4}], r"content must be a str or a list of parts, not int"),
    ],
)
def test_what_is_no_message_is_an_input_error(value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        messages_from(value)
    assert isinstance(raised.value, ModelportError)
    assert isinstance(raised.value, ValueError)
    assert raised.value.status_code == 400


def test_arguments_that_are_no_json_stay_as_the_model_wrote_them() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{"}}
    [message] = messages_from([{"role": "assistant", "content": "", "tool_calls": [call]}])
    assert message_to_dict(message)["tool_calls"] == [call]


def test_a_chat_prompt_flattens_as_in_the_guide() -> None:
    prompt = ChatPromptValue(
        [
            SystemMessage("s"),
            HumanMessage("h"),
            AIMessage("a"),
            ToolMessage("4", tool_call_id="c"),
        ]
    )
    assert prompt.to_string() == "System: s\nHuman: h\nAI: a\nTool: 4"
    assert prompt.to_messages() == prompt.messages
    assert repr(ChatPromptValue([HumanMessage("h")])) == ("ChatPromptValue(messages=[HumanMessage(content='h')])")


def test_a_text_prompt_is_a_text_and_one_human_message() -> None:
    prompt = StringPromptValue("hi")
    assert (prompt.to_string(), prompt.to_messages()) == ("hi", [HumanMessage("hi")])


def test_text_parts_are_flattened_and_other_parts_refused() -> None:
    parts = ["a", {"type": "text", "text": "b"}]
    assert ChatPromptValue([HumanMessage(parts)]).to_string() == "Human: ab"
    with pytest.raises(InputError, match="cannot read a content part of type 'image_url'"):
        ChatPromptValue([HumanMessage([{"type": "image_url"}])]).to_string()
    with pytest.raises(InputError, match="cannot read a content part of type None"):
        ChatPromptValue([HumanMessage([4])]).to_string()


@pytest.mark.parametrize(
    ("message", "entry"),
    [
        (HumanMessage("h", name="eve"), {"role": "user", "content": "h", "name": "eve"}),
        (
            AIMessage("", tool_calls=[CALL]),
            {"role": "assistant", "content": "", "tool_calls": [OPENAI_CALL]},
        ),
        (
            ToolMessage("4", tool_call_id="c1"),
            {"role": "tool", "content": "4", "tool_call_id": "c1"},
        ),
        (
            AIMessage("", tool_calls=[{"name": "f", "args": "{}", "id": None}]),
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": None, "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        ),
    ],
)
def test_a_message_is_written_in_openais_shape(message: Any, entry: dict[str, Any]) -> None:
    assert message_to_dict(message) == entry


def test_what_is_written_is_read_back() -> None:
    message = AIMessage("a", tool_calls=[CALL])
    assert message_from(message_to_dict(message)) == message


def test_a_tool_calls_half_characters_survive_both_ways() -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": '{"a": "\\ud800"}'}}
    message = message_from({"role": "assistant", "content": "", "tool_calls": [call]})
    assert isinstance(message, AIMessage)
    assert message.tool_calls[0]["args"] == {"a": "\ud800"}
    assert message_to_dict(message)["tool_calls"][0]["function"]["arguments"] == '{"a":"\\ud800"}'
