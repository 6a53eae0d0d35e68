"""Text completions, whole and streamed, written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.generations import Generation, GenerationChunk
from modelport.values.usage import Usage
from modelport.wire.objects import encode_object
from modelport.wire.received import BadResponseError, decode_response
from modelport.wire.sse_parser import EventParser
from modelport.wire.text_chunks import TextChunks, read_text_chunk
from modelport.wire.text_completion import TextCompletion
from modelport.wire.text_logprobs import chat_logprobs, text_logprobs
from modelport.wire.text_response import decode_text_completion, generations_of_texts, text_completion

LAST = GenerationChunk("", "stop", Usage(3, 2, 5))
FACTS: Any = {"completion_id": "cmpl-1", "created": 5, "model": "m"}
texts = st.text(st.characters(codec=None, exclude_categories=()))


def completion_of(*groups: list[Generation], echoes: list[str] | None = None) -> TextCompletion:
    return text_completion(groups, **FACTS, echoes=echoes)


def streamed(
    *pieces: tuple[int, GenerationChunk], include_usage: bool = False, n: int = 1, echoes: list[str] | None = None
) -> list[Any]:
    chunks = TextChunks(**FACTS, include_usage=include_usage, n=n, echoes=echoes)
    raw = b"".join([event for index, piece in pieces for event in chunks.events(index, piece)] + chunks.last_events())
    *events, done = EventParser().feed(raw)
    assert done.is_done
    return [decode_response(event.data) for event in events]


def held(conforms: Any, chunk: dict[str, Any]) -> None:
    """Hold a chunk against the schema, which wrongly demands that every chunk has a finish reason."""
    choices = [{**choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in chunk["choices"]]
    conforms({name: value for name, value in {**chunk, "choices": choices}.items() if value is not None}, SCHEMA)


SCHEMA = "CreateCompletionResponse"


@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(["stop", "length", "content_filter"]))
def test_answers_written_and_read_are_the_same(conforms: Any, said: list[str], reason: str) -> None:
    completion = completion_of([Generation(text, reason, Usage(7, 2, 9)) for text in said])
    conforms(completion, SCHEMA)
    assert decode_text_completion(encode_object(completion)) == completion
    read = generations_of_texts(completion)
    assert [(one.text, one.finish_reason) for one in read] == [(text, reason) for text in said]
    assert completion_of(read) == completion


def test_choices_are_numbered_through_all_prompts_and_each_prompt_counts_once() -> None:
    group = [Generation("a", "stop", Usage(5, 1, 6)), Generation("b", "length", Usage(5, 2, 7))]
    body = completion_of(group, group).model_dump()
    assert [(one["index"], one["text"], one["finish_reason"]) for one in body["choices"]] == [
        (0, "a", "stop"),
        (1, "b", "length"),
        (2, "a", "stop"),
        (3, "b", "length"),
    ]
    assert body["usage"] == {"prompt_tokens": 10, "completion_tokens": 6, "total_tokens": 16}


def test_an_echo_begins_each_choice_with_its_prompt() -> None:
    body = completion_of([Generation("a", "stop")], [Generation("b", "stop")], echoes=["x", "y"])
    assert [choice.text for choice in body.choices] == ["xa", "yb"]


@pytest.mark.parametrize(("said", "meant"), [("tool_calls", "stop"), (None, "stop"), ("max_tokens", "length")])
def test_a_finish_reason_is_one_that_texts_have(said: str | None, meant: str) -> None:
    assert completion_of([Generation("a", said)]).choices[0].finish_reason == meant


CHAT_LOGPROBS = {
    "content": [
        {"token": "hé", "logprob": -0.5, "bytes": [104, 195, 169], "top_logprobs": [{"token": "a", "logprob": -1.0}]},
        {"token": "llo", "logprob": -0.1, "bytes": None, "top_logprobs": []},
    ],
    "refusal": None,
}
TEXT_LOGPROBS = {
    "tokens": ["hé", "llo"],
    "token_logprobs": [-0.5, -0.1],
    "top_logprobs": [{"a": -1.0}, {}],
    "text_offset": [0, 2],
}


def test_log_probabilities_change_their_shape_both_ways(conforms: Any) -> None:
    assert text_logprobs(CHAT_LOGPROBS) == text_logprobs(TEXT_LOGPROBS) == TEXT_LOGPROBS
    assert text_logprobs(chat_logprobs(TEXT_LOGPROBS)) == TEXT_LOGPROBS
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "héllo", "refusal": None},
        "finish_reason": "stop",
    }
    facts = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
    conforms(
        {**facts, "choices": [{**choice, "logprobs": chat_logprobs(TEXT_LOGPROBS)}]}, "CreateChatCompletionResponse"
    )
    completion = completion_of([Generation("héllo", "stop", logprobs=CHAT_LOGPROBS)], echoes=["ab"])
    assert completion.choices[0].logprobs["text_offset"] == [2, 4]
    conforms(completion, SCHEMA)
    assert text_logprobs(None) is text_logprobs("x") is chat_logprobs(None) is chat_logprobs({}) is None


def test_a_stream_is_its_pieces_and_its_end(conforms: Any) -> None:
    first, second, end = streamed((0, GenerationChunk("he")), (0, GenerationChunk("llo")), (0, LAST))
    assert first == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 5,
        "model": "m",
        "choices": [{"text": "he", "index": 0, "logprobs": None, "finish_reason": None}],
    }
    assert second["choices"][0]["text"] == "llo"
    assert end["choices"] == [{"text": "", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    for chunk in (first, second, end):
        held(conforms, chunk)


def test_usage_in_a_stream_counts_each_prompt_once_and_is_null_before() -> None:
    pieces = [(index, GenerationChunk("x")) for index in range(4)] + [(index, LAST) for index in range(4)]
    *before, last = streamed(*pieces, include_usage=True, n=2)
    assert [chunk["usage"] for chunk in before] == [None] * 8
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 6, "completion_tokens": 8, "total_tokens": 14}
    assert all("usage" not in chunk for chunk in streamed(*pieces, n=2))


def test_an_echo_in_a_stream_comes_before_the_first_piece_of_each_choice() -> None:
    pieces = [(0, GenerationChunk("a")), (1, GenerationChunk("b")), (0, LAST), (1, LAST)]
    chunks = [chunk["choices"][0] for chunk in streamed(*pieces, echoes=["x", "y"])]
    for index, text in enumerate(["xa", "yb"]):
        assert "".join(one["text"] for one in chunks if one["index"] == index) == text


def test_log_probabilities_in_a_stream_know_their_place() -> None:
    pieces = [
        GenerationChunk("hello", logprobs=CHAT_LOGPROBS),
        GenerationChunk("!"),
        GenerationChunk("x", logprobs=CHAT_LOGPROBS),
    ]
    chunks = streamed(*((0, piece) for piece in pieces), (0, LAST))
    assert [chunk["choices"][0]["logprobs"] and chunk["choices"][0]["logprobs"]["text_offset"] for chunk in chunks] == [
        [0, 2],
        None,
        [6, 8],
        None,
    ]


@given(st.lists(st.tuples(st.integers(0, 2), texts), max_size=8), st.booleans())
def test_a_stream_written_and_read_is_the_same(pieces: list[tuple[int, str]], include_usage: bool) -> None:
    indexes = {0, *(index for index, _ in pieces)}
    sent = [(index, GenerationChunk(text)) for index, text in pieces]
    chunks = streamed(*sent, *((index, LAST) for index in indexes), include_usage=include_usage, n=3)
    read = [piece for chunk in chunks for piece in read_text_chunk(chunk)]
    for index in indexes:
        mine = [piece for number, piece in read if number == index]
        assert "".join(piece.text for piece in mine) == "".join(text for number, text in pieces if number == index)
        assert [piece.finish_reason for piece in mine if piece.finish_reason] == ["stop"]
    assert sum(piece.usage is not None for _, piece in read) == int(include_usage)


def test_objects_are_the_chunks_whose_bytes_are_sent() -> None:
    pieces = [(0, GenerationChunk("a")), (1, GenerationChunk("b", logprobs=CHAT_LOGPROBS)), (0, LAST), (1, LAST)]
    chunks = TextChunks(**FACTS, include_usage=False, echoes=["x", ""])
    objects = [one for index, piece in pieces for one in chunks.chunks(index, piece)]
    assert [json.loads(encode_object(one)) for one in objects] == streamed(*pieces, echoes=["x", ""])


def test_what_servers_really_send_is_read() -> None:
    assert read_text_chunk({"choices": [], "usage": {"prompt_tokens": 1}}) == [
        (0, GenerationChunk(usage=Usage(1, 0, 1)))
    ]
    assert read_text_chunk({"choices": [{"text": None, "finish_reason": ""}]}) == [(0, GenerationChunk())]
    assert read_text_chunk({"choices": []}) == []
    with pytest.raises(BadResponseError):
        read_text_chunk({})
    with pytest.raises(BadResponseError):
        decode_text_completion(b'{"choices": 5}')
