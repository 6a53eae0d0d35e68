"""A streamed answer, chunk by chunk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.generations import GenerationChunk
from modelport.values.usage import Usage
from modelport.wire.chat_chunks import ChatChunks

LAST = GenerationChunk("", "stop", Usage(3, 2, 5))
FACTS = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m"}


def streamed(*pieces: tuple[int, GenerationChunk], include_usage: bool = False) -> bytes:
    chunks = ChatChunks(completion_id="chatcmpl-1", created=5, model="m", include_usage=include_usage)
    events = [event for index, piece in pieces for event in chunks.events(index, piece)]
    return b"".join([*events, *chunks.last_events()])


def parsed(raw: bytes) -> list[dict[str, Any]]:
    lines = raw.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert all(line.startswith("data: ") and "\n" not in line for line in lines[:-1])
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def choices(raw: bytes) -> list[dict[str, Any]]:
    return [chunk["choices"][0] for chunk in parsed(raw)]


def deltas(raw: bytes) -> list[dict[str, Any]]:
    return [choice["delta"] for choice in choices(raw)]


def joined_calls(raw: bytes) -> list[dict[str, Any]]:
    """Put the tool call deltas together as SDKs do."""
    calls: list[dict[str, Any]] = []
    for delta in deltas(raw):
        for call in delta.get("tool_calls", []):
            if call["index"] == len(calls):
                calls.append({"id": call["id"], "type": call["type"], **call["function"]})
            else:
                assert "id" not in call
                calls[call["index"]]["arguments"] += call["function"]["arguments"]
    return calls


def test_a_stream_is_role_text_end_and_done() -> None:
    raw = streamed((0, GenerationChunk("he")), (0, GenerationChunk("llo")), (0, LAST))
    assert [{**chunk, "choices": None} for chunk in parsed(raw)] == [{**FACTS, "choices": None}] * 4
    assert choices(raw) == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None},
        {"index": 0, "delta": {"content": "he"}, "logprobs": None, "finish_reason": None},
        {"index": 0, "delta": {"content": "llo"}, "logprobs": None, "finish_reason": None},
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"},
    ]


def test_a_stream_without_text_still_has_its_role_and_its_end() -> None:
    assert deltas(streamed((0, LAST))) == [{"role": "assistant", "content": ""}, {}]


def test_without_asking_no_chunk_speaks_of_usage() -> None:
    assert all("usage" not in chunk for chunk in parsed(streamed((0, GenerationChunk("x")), (0, LAST))))


def test_when_asked_for_usage_comes_in_a_chunk_of_its_own() -> None:
    *before, last = parsed(streamed((0, GenerationChunk("x")), (0, LAST), include_usage=True))
    assert [chunk["usage"] for chunk in before] == [None] * 3
    assert last == {
        **FACTS,
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def test_choices_are_interleaved_each_with_its_own_role_and_end() -> None:
    raw = streamed((1, GenerationChunk("b")), (0, GenerationChunk("a")), (1, LAST), (0, LAST), include_usage=True)
    *chunks, last = parsed(raw)
    for index, text in enumerate("ab"):
        mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert [one["delta"] for one in mine] == [{"role": "assistant", "content": ""}, {"content": text}, {}]
        assert [one["finish_reason"] for one in mine] == [None, None, "stop"]
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_a_piece_with_a_finish_reason_of_its_own_does_not_end_the_choice_twice() -> None:
    raw = streamed((0, GenerationChunk("x", "stop", Usage(1, 1, 2))), (0, LAST))
    assert [choice["finish_reason"] for choice in choices(raw)] == [None, None, "stop"]


def test_whole_tool_calls_get_their_own_index_and_end_with_tool_calls() -> None:
    calls = [{"name": "add", "args": {"a": 1}, "id": "c1"}, {"name": "now", "args": {}, "id": "c2"}]
    raw = streamed((0, GenerationChunk("", tool_calls=calls)), (0, LAST))
    assert joined_calls(raw) == [
        {"id": "c1", "type": "function", "name": "add", "arguments": '{"a":1}'},
        {"id": "c2", "type": "function", "name": "now", "arguments": "{}"},
    ]
    assert choices(raw)[-1]["finish_reason"] == "tool_calls"


def test_fragments_carry_id_and_name_once() -> None:
    pieces = [
        [{"name": "add", "args": "", "id": "c1", "index": 0}],
        [{"name": None, "args": '{"a"', "id": None, "index": 0}],
        [{"name": "now", "args": "", "id": "c2", "index": 1}],
        [{"name": None, "args": ":1}", "id": None, "index": 0}],
    ]
    raw = streamed(*((0, GenerationChunk("", tool_calls=piece)) for piece in pieces), (0, LAST))
    assert joined_calls(raw) == [
        {"id": "c1", "type": "function", "name": "add", "arguments": '{"a":1}'},
        {"id": "c2", "type": "function", "name": "now", "arguments": "{}"},
    ]


def test_fragments_without_an_index_continue_the_call_before() -> None:
    pieces = [[{"name": "add", "args": '{"a"', "id": "c1"}], [{"args": ":1}"}]]
    raw = streamed(*((0, GenerationChunk("", tool_calls=piece)) for piece in pieces), (0, LAST))
    assert [call["arguments"] for call in joined_calls(raw)] == ['{"a":1}']


def test_logprobs_travel_with_their_text() -> None:
    piece = GenerationChunk("x", logprobs={"content": []})
    _, chunk, _ = choices(streamed((0, piece), (0, LAST)))
    assert (chunk["delta"], chunk["logprobs"]) == ({"content": "x"}, {"content": [], "refusal": None})


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()), min_size=1)))
def test_every_text_arrives_as_it_was(texts: list[str]) -> None:
    raw = streamed(*((0, GenerationChunk(text)) for text in texts), (0, LAST))
    assert "".join(delta.get("content", "") for delta in deltas(raw)) == "".join(texts)
    assert len(raw.decode().splitlines()) == raw.count(b"\n")


@pytest.mark.parametrize("model", ['a "quoted" name', "a/b:c", "\ud800", "ü\u2028"])
def test_every_model_name_is_carried(model: str) -> None:
    chunks = ChatChunks(completion_id="1", created=5, model=model, include_usage=False)
    raw = b"".join([*chunks.events(0, GenerationChunk("x")), *chunks.events(0, LAST), *chunks.last_events()])
    assert {chunk["model"] for chunk in parsed(raw)} == {model}
