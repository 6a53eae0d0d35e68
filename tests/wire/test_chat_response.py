"""The whole answer, as OpenAI's schema wants it."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from modelport.values.generations import Generation
from modelport.values.usage import Usage
from modelport.wire.chat_response import chat_completion, encode_chat_completion, new_completion_id
from modelport.wire.completion import ChatCompletion, Choice, CompletionUsage
from modelport.wire.json_text import encode_json


def encoded(*answers: Generation) -> dict[str, Any]:
    completion = chat_completion(answers, completion_id="chatcmpl-1", created=5, model="m")
    return json.loads(encode_json(completion))


def test_an_answer_has_every_key_that_openai_requires_and_no_null_that_it_forbids() -> None:
    assert encoded(Generation("hi", "stop", Usage(1, 2, 3))) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter", "eos", None])
@pytest.mark.parametrize("text", ["", 'quo"te \\ \u2028 \n', "a lone \ud800", "süß 🎈 %d %b", "x" * 5000])
def test_the_bytes_of_an_answer_are_those_of_its_object(text: str, reason: str | None) -> None:
    facts: dict[str, Any] = {"completion_id": "chatcmpl-1", "created": 5, "model": 'm/"%s'}
    answers = [Generation(text, reason, Usage(1, 2, 3))]
    assert encode_chat_completion(answers, **facts) == encode_json(chat_completion(answers, **facts))
    two = [*answers, Generation("b", "stop", Usage(1, 1, 2))]
    assert encode_chat_completion(two, **facts) == encode_json(chat_completion(two, **facts))


def test_an_empty_answer_has_an_empty_text() -> None:
    assert encoded(Generation("", "stop", Usage()))["choices"][0]["message"]["content"] == ""


def test_a_tool_call_has_its_arguments_as_text_and_no_content() -> None:
    calls = [{"name": "add", "args": {"a": 1}, "id": "c1"}, {"name": "now", "args": {}, "id": None}]
    choice = encoded(Generation("", "stop", Usage(), tool_calls=calls))["choices"][0]
    first, second = choice["message"]["tool_calls"]
    assert first == {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    assert second["function"] == {"name": "now", "arguments": "{}"}
    assert second["id"].startswith("call_")
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")


def test_a_text_beside_tool_calls_stays() -> None:
    calls = [{"id": "c1", "function": {"name": "add", "arguments": "{}"}}]
    message = encoded(Generation("let me see", None, Usage(), tool_calls=calls))["choices"][0]["message"]
    assert message["content"] == "let me see"
    assert message["tool_calls"][0]["function"] == {"name": "add", "arguments": "{}"}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("max_tokens", "length"),
        ("SAFETY", "content_filter"),
        ("end_turn", "stop"),
        ("eos", "stop"),
        (None, "stop"),
    ],
)
def test_a_finish_reason_is_one_of_openais(said: str | None, meant: str) -> None:
    assert encoded(Generation("x", said, Usage()))["choices"][0]["finish_reason"] == meant


def test_choices_are_numbered_and_their_usage_counts_the_prompt_once() -> None:
    body = encoded(Generation("a", "stop", Usage(7, 1, 8)), Generation("b", "length", Usage(7, 2, 9)))
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_an_authors_total_is_kept() -> None:
    assert encoded(Generation("a", "stop", Usage(7, 1, 20)))["usage"]["total_tokens"] == 20


def test_logprobs_have_both_keys_that_openai_requires() -> None:
    choice = encoded(Generation("a", "stop", Usage(), logprobs={"content": []}))["choices"][0]
    assert choice["logprobs"] == {"content": [], "refusal": None}


def test_ids_differ() -> None:
    # Random numbers are drawn for many ids at once.
    assert len({new_completion_id() for _ in range(1000)}) == 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_gives_other_ids_than_its_parent() -> None:
    new_completion_id()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, new_completion_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = pipe.read()
    ours = {new_completion_id() for _ in range(1000)}
    assert len(theirs) == len(min(ours))
    assert theirs not in ours


def test_what_is_written_into_one_answer_is_in_no_other_one() -> None:
    one, other = (
        chat_completion([Generation("hi", "stop", Usage(1, 2, 3))], completion_id="1", created=5, model="m")
        for _ in range(2)
    )
    one.choices[0].message["note"] = "mine"
    one.choices[0].message.content = None
    one.choices.append(Choice())
    one["usage"]["prompt_tokens"] = 9
    assert other.choices[0].message.content == "hi"
    assert len(other.choices) == 1
    assert "note" not in other.choices[0].message
    assert other.usage == CompletionUsage(prompt_tokens=1, completion_tokens=2, total_tokens=3)


def test_objects_read_and_write_by_item_too() -> None:
    completion = ChatCompletion(id="1", created=0, model="m", choices=[Choice()])
    completion["choices"][0]["message"]["content"] = "hi"
    completion["a_field_of_the_author"] = 1
    assert completion.choices[0].message.content == "hi"
    assert "usage" in completion
    assert "nothing" not in completion
    assert (completion.get("nothing", 5), completion["a_field_of_the_author"]) == (5, 1)
    with pytest.raises(KeyError):
        completion["nothing"]
