"""What a chat request may look like, and what is said of a wrong one."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.errors import InputError
from modelport.wire.chat_request import ChatRequest, decode_chat_request

HELLO = [{"role": "user", "content": "hello"}]
EVERY_OPTION = [
    "stream",
    "stream_options",
    "n",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "modalities",
    "user",
    "metadata",
    "store",
    "something_of_a_vendor",
]


def decoded(**fields: Any) -> ChatRequest:
    return decode_chat_request(json.dumps({"model": "m", "messages": HELLO, **fields}).encode())


def test_a_minimal_request_has_openais_defaults() -> None:
    assert decoded() == ChatRequest("m", HELLO, False, False, 1, None, None, {}, {"model": "m", "messages": HELLO})


def test_an_explicit_null_is_the_same_as_an_absent_field() -> None:
    assert decoded(**dict.fromkeys(EVERY_OPTION)) == decoded()


def test_unknown_fields_are_kept_for_the_hook() -> None:
    assert decoded(top_k=5, guided_json={"a": 1}).options == {"top_k": 5, "guided_json": {"a": 1}}


def test_the_newer_name_of_max_tokens_wins() -> None:
    assert decoded(max_tokens=7).max_tokens == 7
    assert decoded(max_completion_tokens=5).max_tokens == 5
    assert decoded(max_tokens=7, max_completion_tokens=5).max_tokens == 5


@pytest.mark.parametrize(("given", "meant"), [("x", ["x"]), (["x", "y"], ["x", "y"]), ([], None)])
def test_stop_is_a_string_or_a_list(given: Any, meant: Any) -> None:
    assert decoded(stop=given).stop == meant


def test_usage_in_a_stream_is_asked_for_by_stream_options() -> None:
    assert decoded(stream=True, stream_options={"include_usage": True}).include_usage
    assert not decoded(stream=True, stream_options={"include_usage": None}).include_usage
    assert not decoded(stream=True, stream_options={}).include_usage


def test_defaults_that_clients_spell_out_ask_for_nothing() -> None:
    assert decoded(tools=[], response_format={"type": "text"}).options == {}
    assert set(decoded(response_format={"type": "json_object"}).options) == {"response_format"}


def test_the_developer_role_content_parts_and_answers_without_text_are_accepted() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "be brief"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}, "text"], "name": None},
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    assert decode_chat_request(body).messages == messages


def test_a_lone_surrogate_is_read() -> None:
    raw = rb'{"model": "m", "messages": [{"role": "user", "content": "a \ud800 b"}]}'
    assert decode_chat_request(raw).messages[0]["content"] == "a \ud800 b"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [*HELLO, {"role": "user", "content": 5}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 1.0}, "n"),
        ({"n": True}, "n"),
        ({"n": 10**30}, "n"),
        ({"stop": 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stop": [""]}, "stop[0]"),
        ({"stop": ["1", "2", "3", "4", "5"]}, "stop"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"seed": 2**63}, "seed"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"5": "x"}}, "logit_bias"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(**fields)
    assert (caught.value.status_code, caught.value.param) == (400, param)
    assert param in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 500}, "'n' must be an integer <= 128, got 500"),
        ({"temperature": 9}, "'temperature' must be a number <= 2, got 9"),
        ({"temperature": "hot"}, "'temperature' must be a number or null, got 'hot'"),
        ({"stop": 5}, "'stop' must be a string, an array or null, got 5"),
        ({"logit_bias": {"a": "b"}}, "'logit_bias' must be a number, got {'a': 'b'}"),
        ({"stream": "yes"}, "'stream' must be a boolean, got 'yes'"),
    ],
)
def test_the_message_says_the_rule_in_jsons_words_and_the_value(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(**fields)
    assert str(caught.value) == message


def test_a_long_value_is_cut() -> None:
    with pytest.raises(InputError) as caught:
        decoded(stop=["x" * 10_000] * 5)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"5",
        b'{"model": NaN}',
        rb'{"model": NaN, "x": "\ud800"}',
        b'{"model": "\xff"}',
        b"[" * 200_000,
        b'{"n": ' + b"9" * 10_000 + rb', "x": "\ud800"}',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_body_that_is_no_json_object_is_the_clients_mistake(raw: bytes) -> None:
    with pytest.raises(InputError):
        decode_chat_request(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["model", "messages", *EVERY_OPTION]), json_values))
def test_any_json_is_read_or_refused_as_the_clients_mistake(body: dict[str, Any]) -> None:
    with suppress(InputError):
        decode_chat_request(json.dumps({"model": "m", "messages": HELLO, **body}).encode())
