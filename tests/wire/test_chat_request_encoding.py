"""The chat request that a client sends: what the decoder reads of it is what was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modelport.values.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from modelport.values.prompt_values import message_to_dict, messages_from
from modelport.wire.chat_request import ChatRequest, decode_chat_request, encode_chat_request

HELLO = [{"role": "user", "content": "hello"}]
texts = st.text(st.characters(codec=None, exclude_categories=()))
requests = st.builds(
    ChatRequest,
    model=st.text(min_size=1),
    messages=st.lists(st.builds(lambda text: {"role": "user", "content": text}, texts), min_size=1, max_size=3),
    stream=st.booleans(),
    include_usage=st.booleans(),
    n=st.integers(1, 128),
    stop=st.none() | st.lists(st.text(min_size=1), min_size=1, max_size=4),
    max_tokens=st.none() | st.integers(1, 10**6),
    options=st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.floats(0, 2),
            "seed": st.integers(-(2**63), 2**63 - 1),
            "logprobs": st.booleans(),
            "top_k": st.integers(),
            "user": st.text(),
        },
    ),
)


@given(requests)
def test_a_request_sent_and_read_is_the_same(request: ChatRequest) -> None:
    read = decode_chat_request(encode_chat_request(request))
    assert replace(read, given={}) == request  # `given` is what was sent, whatever had its default left out


@given(requests)
def test_a_request_is_one_of_openais(conforms: Any, request: ChatRequest) -> None:
    conforms(encode_chat_request(request), "CreateChatCompletionRequest")


def test_what_nobody_asked_for_is_not_sent() -> None:
    assert json.loads(encode_chat_request(ChatRequest("m", HELLO))) == {"model": "m", "messages": HELLO}


def test_the_newer_name_of_max_tokens_can_be_chosen() -> None:
    raw = encode_chat_request(ChatRequest("m", HELLO, max_tokens=5), max_tokens_field="max_completion_tokens")
    assert json.loads(raw)["max_completion_tokens"] == 5
    assert decode_chat_request(raw).max_tokens == 5


@pytest.mark.parametrize("name", ["model", "messages", "stream", "n", "stop", "max_tokens"])
def test_an_option_cannot_override_what_is_asked(name: str) -> None:
    asked = ChatRequest("m", HELLO, True, True, 2, ["x"], 5)
    sent = encode_chat_request(ChatRequest("m", HELLO, True, True, 2, ["x"], 5, {name: "other"}))
    assert json.loads(sent) == json.loads(encode_chat_request(asked))


def test_messages_sent_and_read_are_the_same() -> None:
    messages = [
        SystemMessage("be brief"),
        HumanMessage([{"type": "text", "text": "hi"}], name="ann"),
        AIMessage("", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c", "type": "tool_call"}]),
        ToolMessage("42", tool_call_id="c"),
    ]
    raw = encode_chat_request(ChatRequest("m", [message_to_dict(message) for message in messages]))
    assert messages_from(decode_chat_request(raw).messages) == messages
