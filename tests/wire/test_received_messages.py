"""Chat completions of other servers and of handlers, read back into generations."""

from __future__ import annotations

import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.generations import Generation
from modelport.values.messages import AIMessage, ChatGeneration
from modelport.values.usage import Usage
from modelport.wire.chat_response import chat_completion
from modelport.wire.completion import ChatCompletion
from modelport.wire.json_text import encode_json
from modelport.wire.objects import encode_object
from modelport.wire.received import BadResponseError
from modelport.wire.received_messages import decode_chat_completion, generations_of

texts = st.text(st.characters(codec=None, exclude_categories=()))
counts = st.integers(1, 10_000)
reasons = st.sampled_from(["stop", "length", "content_filter"])
call_lists = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text(min_size=1, max_size=5),
            "args": st.dictionaries(texts, st.integers(-5, 5) | texts, max_size=2),
            "id": st.text(min_size=1, max_size=5),
            "type": st.just("tool_call"),
        }
    ),
    max_size=3,
)


def completion_of(*answers: Generation) -> ChatCompletion:
    return chat_completion(answers, completion_id="chatcmpl-1", created=5, model="m")


def choice(**message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


@given(st.lists(texts, min_size=1, max_size=5), counts, reasons)
def test_answers_written_and_read_are_the_same(conforms: Any, said: list[str], tokens: int, reason: str) -> None:
    usages = [Usage(7, tokens, 7 + tokens) for _ in said]
    answers = [Generation(text, reason, usage) for text, usage in zip(said, usages, strict=True)]
    completion = completion_of(*answers)
    conforms(completion, "CreateChatCompletionResponse")
    read = generations_of(decode_chat_completion(encode_object(completion)))
    assert [(one.text, one.finish_reason) for one in read] == [(text, reason) for text in said]
    assert completion_of(*read) == completion


@given(call_lists, texts)
def test_tool_calls_written_and_read_are_the_same(conforms: Any, calls: list[dict[str, Any]], text: str) -> None:
    completion = completion_of(Generation(text, None, Usage(1, 1, 2), tool_calls=calls))
    conforms(completion, "CreateChatCompletionResponse")
    [read] = generations_of(completion)
    assert (read.text, read.tool_calls or []) == (text, calls)


@given(texts, st.text(min_size=1), st.text(min_size=1))
def test_texts_beside_the_content_are_kept(conforms: Any, text: str, refusal: str, thought: str) -> None:
    beside = {"refusal": refusal, "reasoning_content": thought}
    answer = ChatGeneration(text, "stop", Usage(1, 1, 2), message=AIMessage(text, additional_kwargs=beside))
    completion = completion_of(answer)
    plain = conforms(completion, "CreateChatCompletionResponse")
    assert plain["choices"][0]["message"]["reasoning_content"] == thought
    [read] = generations_of(completion)
    assert isinstance(read, ChatGeneration)
    assert (read.text, read.message.additional_kwargs) == (text, beside)
    assert (read.message.response_metadata["finish_reason"], read.usage) == ("stop", Usage(1, 1, 2))


def test_objects_dicts_and_strangers_objects_read_alike() -> None:
    body = choice(content="x", tool_calls=[{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}])
    stranger = json.loads(json.dumps(body), object_hook=lambda fields: SimpleNamespace(**fields))
    expected = [Generation("x", "stop", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c", "type": "tool_call"}])]
    assert generations_of(body) == generations_of(ChatCompletion.model_validate(body)) == expected
    assert generations_of(stranger) == expected


def test_a_text_or_a_delta_in_the_place_of_a_message_is_read() -> None:
    texts_of_choices = [{"index": 1, "text": "b"}, {"index": 0, "delta": {"content": "a"}, "text": None}, {"index": 2}]
    assert [one.text for one in generations_of({"choices": texts_of_choices})] == ["a", "b", ""]


def test_choices_are_read_in_order_of_their_index() -> None:
    choices = [{"index": index, "message": {"content": str(index)}} for index in (2, 0, 1)]
    assert [one.text for one in generations_of({"choices": choices})] == ["0", "1", "2"]


def test_the_usage_of_many_choices_adds_up_to_what_was_sent() -> None:
    body = {"choices": [{"message": {"content": "x"}}] * 3, "usage": {"prompt_tokens": 5, "completion_tokens": 9}}
    usages = [one.usage for one in generations_of(body)]
    assert usages == [Usage(5, 3, 8)] * 3
    usage = completion_of(*generations_of(body)).usage
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (5, 9, 14)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}])
def test_usage_that_is_not_given_is_none(usage: Any) -> None:
    assert generations_of({**choice(content="x"), "usage": usage})[0].usage is None


def test_what_servers_really_send_is_read() -> None:
    assert (
        generations_of(choice(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))[0].text == "ab"
    )
    assert generations_of(choice(content=None))[0].text == ""
    assert generations_of(choice())[0].text == ""
    [thinking] = generations_of(choice(content="x", reasoning="hm"))
    assert isinstance(thinking, ChatGeneration)
    assert thinking.message.additional_kwargs == {"reasoning_content": "hm"}
    [older] = generations_of(choice(content=None, function_call={"name": "f", "arguments": "{}"}))
    assert older.tool_calls == [{"name": "f", "args": {}, "id": None, "type": "tool_call"}]
    [parsed] = generations_of(choice(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]))
    assert parsed.tool_calls
    assert parsed.tool_calls[0]["args"] == {"a": 1}
    [broken] = generations_of(choice(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": "{no"}}]))
    assert broken.tool_calls
    assert broken.tool_calls[0]["args"] == "{no"


def test_logprobs_are_handed_through() -> None:
    logprobs = {"content": [{"token": "x", "logprob": -0.5, "bytes": None, "top_logprobs": []}], "refusal": None}
    body = choice(content="x")
    body["choices"][0]["logprobs"] = logprobs
    assert generations_of(body)[0].logprobs == logprobs


def test_keys_that_openai_does_not_have_survive_decoding() -> None:
    body = {**choice(content="x", refusal=None), "id": "1", "kv": {"a": None}, "created": 5, "model": "m"}
    assert json.loads(encode_object(decode_chat_completion(encode_json(body))))["kv"] == {"a": None}


@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>", b"[]", b"null", b"{}", b'{"choices": null}', b'{"choices": {}}', b'{"x": "\xff"}', b"[" * 99_999],
)
def test_an_answer_that_is_no_chat_completion_is_said_to_be_bad(raw: bytes) -> None:
    with pytest.raises(BadResponseError) as caught:
        decode_chat_completion(raw)
    assert caught.value.status_code == 502
    assert len(str(caught.value)) < 200


def test_a_lone_surrogate_is_read() -> None:
    raw = rb'{"choices": [{"message": {"content": "a \ud800"}}]}'
    assert generations_of(decode_chat_completion(raw))[0].text == "a \ud800"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
odd_messages = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("content", "tool_calls", "function_call", "refusal", "reasoning"), json_values)
)
odd_usages = st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"]), json_values)
odd_choices = st.fixed_dictionaries(
    {}, optional={"index": json_values, "message": odd_messages | json_values, "finish_reason": json_values}
)


@given(
    st.fixed_dictionaries(
        {}, optional={"choices": st.lists(odd_choices | json_values) | json_values, "usage": odd_usages}
    )
)
def test_any_json_is_read_or_said_to_be_bad(body: dict[str, Any]) -> None:
    with suppress(BadResponseError):
        for answer in generations_of(body):
            assert isinstance(answer.text, str)
        for answer in generations_of(ChatCompletion.model_validate(body)):
            assert isinstance(answer.text, str)
