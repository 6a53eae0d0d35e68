"""Chunks of streams, OpenAI's and LiteLLM's, read back into engine chunks."""

from __future__ import annotations

import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.generations import GenerationChunk
from modelport.values.messages import AIMessageChunk, ChatGenerationChunk, tool_calls_from_chunks
from modelport.values.usage import Usage
from modelport.wire.chat_chunks import ChatChunks
from modelport.wire.completion import ChatCompletion
from modelport.wire.completion_chunk import ChatCompletionChunk, Delta, StreamingChoice
from modelport.wire.received import BadResponseError, decode_response
from modelport.wire.received_chunks import ReceivedChunks, generic_chunk
from modelport.wire.sse_parser import EventParser

LAST = GenerationChunk("", "stop", Usage(3, 2, 5))


def read(*values: Any) -> list[tuple[int, GenerationChunk]]:
    chunks = ReceivedChunks()
    return [piece for value in values for piece in chunks.read(value)]


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return delta(tool_calls=list(calls))


def calls_of(*values: Any) -> list[dict[str, Any]]:
    return [call for _, piece in read(*values) for call in piece.tool_calls or ()]


def whole_calls(*values: Any) -> list[tuple[str, Any, Any]]:
    return [(call["name"], call["args"], call["id"]) for call in tool_calls_from_chunks(calls_of(*values))]


texts = st.text(st.characters(codec=None, exclude_categories=()))


@given(st.lists(st.tuples(st.integers(0, 2), texts), max_size=8), st.booleans())
def test_what_the_gateway_writes_is_read_as_it_was(pieces: list[tuple[int, str]], include_usage: bool) -> None:
    chunks = ChatChunks(completion_id="1", created=5, model="m", include_usage=include_usage)
    indexes = {0, *(index for index, _ in pieces)}
    raw = [event for index, text in pieces for event in chunks.events(index, GenerationChunk(text))]
    raw += [event for index in indexes for event in chunks.events(index, LAST)]
    events = EventParser().feed(b"".join([*raw, *chunks.last_events()]))
    received = read(*(decode_response(event.data) for event in events if not event.is_done))
    for index in indexes:
        mine = [piece for number, piece in received if number == index]
        assert "".join(piece.text for piece in mine) == "".join(text for number, text in pieces if number == index)
        assert [piece.finish_reason for piece in mine if piece.finish_reason] == ["stop"]
    usages = [piece.usage for _, piece in received if piece.usage]
    assert usages == ([Usage(3, 2 * len(indexes), 3 + 2 * len(indexes))] if include_usage else [])


def test_objects_dicts_and_strangers_objects_read_alike() -> None:
    body = delta(role="assistant", content="x", tool_calls=[{"index": 0, "id": "c", "function": {"name": "f"}}])
    stranger = json.loads(json.dumps(body), object_hook=lambda fields: SimpleNamespace(**fields))
    call = {"name": "f", "args": "", "id": "c", "index": 0, "type": "tool_call_chunk"}
    assert read(body) == read(ChatCompletionChunk.model_validate(body)) == read(stranger)
    assert read(body) == [(0, GenerationChunk("x", tool_calls=[call]))]


def test_a_whole_completion_in_a_stream_is_one_chunk() -> None:
    body = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
    assert (
        read(ChatCompletion.model_validate(body)) == read(body) == [(0, GenerationChunk("x", "stop", Usage(0, 0, 3)))]
    )


def test_a_text_completions_chunk_has_its_text() -> None:
    [(index, chunk)] = ReceivedChunks().read({"choices": [{"index": 0, "text": "a", "finish_reason": "length"}]})
    assert (index, chunk.text, chunk.finish_reason) == (0, "a", "length")


def test_texts_and_engine_chunks_pass() -> None:
    piece = GenerationChunk("y", tool_calls=[{"name": "f", "args": {}}])
    assert read("x", piece) == [(0, GenerationChunk("x")), (0, piece)]


def test_every_choice_keeps_its_index() -> None:
    choices = [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]
    assert read({"choices": choices}) == [(1, GenerationChunk("b")), (0, GenerationChunk("a"))]
    assert read({"choices": [{"delta": {"content": "a"}}]}) == [(0, GenerationChunk("a"))]


def test_usage_beside_choices_and_alone_is_read_once() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    assert read({"choices": [], "usage": usage}) == [(0, GenerationChunk(usage=Usage(1, 2, 3)))]
    choices = [{"index": index, "delta": {}, "finish_reason": "stop"} for index in (0, 1)]
    assert [piece.usage for _, piece in read({"choices": choices, "usage": usage})] == [Usage(1, 2, 3), None]
    assert read({"choices": []}) == read({"choices": [], "usage": None}) == []


def test_an_empty_finish_reason_is_none_and_a_strange_delta_empty() -> None:
    assert read({"choices": [{"delta": None, "finish_reason": ""}]}) == [(0, GenerationChunk())]
    assert read({"choices": [{"delta": {}, "finish_reason": "eos"}]}) == [(0, GenerationChunk("", "eos"))]


def test_what_a_model_thinks_is_kept_beside_its_text() -> None:
    [(_, piece)] = read(delta(reasoning_content="hm", content=""))
    assert piece == ChatGenerationChunk("", message=AIMessageChunk("", additional_kwargs={"reasoning_content": "hm"}))
    [(_, object_piece)] = read(ChatCompletionChunk(choices=[StreamingChoice(delta=Delta(refusal="no"))]))
    assert isinstance(object_piece, ChatGenerationChunk)
    assert object_piece.message.additional_kwargs == {"refusal": "no"}


def test_fragments_of_parallel_calls_find_each_other() -> None:
    assert whole_calls(
        calling({"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}),
        calling({"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"b"'}}),
        calling({"index": 0, "function": {"arguments": '{"a":'}}, {"index": 1, "function": {"arguments": ":2}"}}),
        calling({"index": 0, "function": {"arguments": "1}"}}),
    ) == [("f", {"a": 1}, "c1"), ("g", {"b": 2}, "c2")]


@pytest.mark.parametrize("index", [{}, {"index": 0}, {"index": None}], ids=["absent", "all 0", "null"])
def test_whole_calls_of_servers_that_do_not_number_them_stay_apart(index: dict[str, Any]) -> None:
    calls = [{**index, "id": f"c{n}", "function": {"name": "f", "arguments": f'{{"n":{n}}}'}} for n in range(3)]
    expected = [("f", {"n": n}, f"c{n}") for n in range(3)]
    assert whole_calls(calling(*calls)) == whole_calls(*map(calling, calls)) == expected


def test_a_fragment_without_index_id_and_name_continues_the_call_before() -> None:
    assert whole_calls(
        calling({"id": "c", "function": {"name": "f", "arguments": '{"a"'}}),
        calling({"function": {"arguments": ":1}"}}),
    ) == [("f", {"a": 1}, "c")]


def test_an_id_that_is_repeated_in_every_fragment_begins_no_new_call() -> None:
    for index in ({}, {"index": 0}):
        fragments = [{**index, "id": "c", "function": {"name": "f", "arguments": part}} for part in ('{"a"', ":1}")]
        assert whole_calls(*map(calling, fragments)) == [("f", {"a": 1}, "c")]


def test_calls_of_different_choices_are_numbered_apart() -> None:
    choices = [
        {"index": index, "delta": {"tool_calls": [{"id": f"c{index}", "function": {"name": "f"}}]}} for index in (0, 1)
    ]
    assert [call["index"] for call in calls_of({"choices": choices})] == [0, 0]


def test_the_guides_generic_chunk_is_read() -> None:
    chunk = {
        "finish_reason": "stop",
        "index": 0,
        "is_finished": True,
        "text": "1721955063",
        "tool_use": None,
        "usage": {"completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0},
    }
    assert generic_chunk(chunk) == (0, GenerationChunk("1721955063", "stop"))
    assert read(chunk, SimpleNamespace(**chunk)) == [generic_chunk(chunk)] * 2


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        ({"text": "x"}, (0, GenerationChunk("x"))),
        ({"text": None, "is_finished": False, "finish_reason": ""}, (0, GenerationChunk())),
        ({"text": "", "is_finished": True}, (0, GenerationChunk("", "stop"))),
        ({"is_finished": True, "finish_reason": "length"}, (0, GenerationChunk("", "length"))),
        ({"text": "x", "index": 2}, (2, GenerationChunk("x"))),
        ({"text": "x", "usage": {"prompt_tokens": 1}}, (0, GenerationChunk("x", None, Usage(1, 0, 1)))),
        ({"usage": {"prompt_tokens": 1}}, (0, GenerationChunk("", None, Usage(1, 0, 1)))),
    ],
)
def test_a_generic_chunk_may_miss_any_key(chunk: dict[str, Any], expected: Any) -> None:
    assert generic_chunk(chunk) == expected
    assert read(chunk) == [expected]


def test_tool_use_of_generic_chunks_is_a_call_or_a_list_of_them() -> None:
    def use(number: int) -> dict[str, Any]:
        return {"id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}, "index": number}

    expected = [("f", {}, "c0"), ("f", {}, "c1")]
    assert whole_calls({"text": "", "tool_use": use(0)}, {"text": "", "tool_use": use(1)}) == expected
    assert whole_calls({"text": "", "tool_use": [use(0), use(1)], "is_finished": True}) == expected
    assert generic_chunk({"tool_use": [use(0)], "is_finished": True})[1].finish_reason == "tool_calls"


@pytest.mark.parametrize("value", [{}, {"x": 1}, None, 5, [], {"choices": 5}, {"text": 5}, delta(content=5), object()])
def test_what_is_no_chunk_is_said_to_be_none(value: Any) -> None:
    with pytest.raises(BadResponseError):
        read(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
odd_usages = st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"]), json_values)
odd_calls = st.fixed_dictionaries({}, optional=dict.fromkeys(("index", "id", "function"), json_values))
odd_deltas = st.fixed_dictionaries(
    {}, optional={"content": json_values, "tool_calls": st.lists(odd_calls | json_values) | json_values}
)
odd_chunks = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(st.fixed_dictionaries({"delta": odd_deltas | json_values}) | json_values) | json_values,
        "text": json_values,
        "usage": odd_usages | json_values,
        "index": json_values,
        "tool_use": odd_calls | st.lists(odd_calls) | json_values,
    },
)


@given(st.lists(odd_chunks | json_values))
def test_any_json_is_read_or_said_to_be_bad(values: list[Any]) -> None:
    chunks = ReceivedChunks()
    for value in values:
        with suppress(BadResponseError):
            for _, piece in chunks.read(value):
                assert isinstance(piece.text, str)
                assert all(isinstance(call["args"], str) for call in piece.tool_calls or ())
