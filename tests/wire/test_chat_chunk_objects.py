"""A streamed answer as objects: the chunks that the gateway writes, for a client in the same process."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelport.values.generations import GenerationChunk
from modelport.values.messages import AIMessageChunk, ChatGenerationChunk
from modelport.values.usage import Usage
from modelport.wire.chat_chunks import ChatChunks
from modelport.wire.chunk_objects import ChatChunkObjects
from modelport.wire.completion_chunk import ChatCompletionChunk
from modelport.wire.objects import encode_object

LAST = GenerationChunk("", "stop", Usage(3, 2, 5))
FACTS: Any = {"completion_id": "chatcmpl-1", "created": 5, "model": "m"}
Pieces = list[tuple[int, GenerationChunk]]


def streamed(pieces: Pieces, *, include_usage: bool = False) -> list[ChatCompletionChunk]:
    chunks = ChatChunkObjects(**FACTS, include_usage=include_usage)
    return [*(one for index, piece in pieces for one in chunks.chunks(index, piece)), *chunks.last_chunks()]


def written(pieces: Pieces) -> list[Any]:
    chunks = ChatChunks(**FACTS, include_usage=False)
    events = [event for index, piece in pieces for event in chunks.events(index, piece)]
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


def beside(text: str, **kwargs: Any) -> GenerationChunk:
    return ChatGenerationChunk(text, message=AIMessageChunk(text, additional_kwargs=kwargs))


def calling(*calls: dict[str, Any]) -> GenerationChunk:
    return GenerationChunk("", tool_calls=list(calls))


texts = st.text(st.characters(codec=None, exclude_categories=()))
calls = st.sampled_from(
    [
        calling({"name": "f", "args": {"a": 1}, "id": "c1"}, {"name": "g", "args": {}, "id": "c2"}),
        calling({"name": "f", "args": "", "id": "c3", "index": 0}),
        calling({"name": "h", "args": "{}", "id": "c4", "index": 1}),
    ]
)
pieces_of_a_choice = (
    texts.map(GenerationChunk)
    | calls
    | st.builds(lambda text: beside(text, reasoning_content="hm", of_the_vendor=1), texts)
    | texts.map(lambda text: beside("", refusal=text))
    | st.just(GenerationChunk("x", logprobs={"content": []}))
    | texts.map(lambda text: ChatGenerationChunk(text, message=AIMessageChunk(text)))
)
streams = st.lists(st.tuples(st.integers(0, 3), pieces_of_a_choice), max_size=8).map(
    lambda pieces: [*pieces, *((index, LAST) for index in sorted({0, *(index for index, _ in pieces)}))]
)


@given(streams)
def test_the_objects_are_the_chunks_that_the_gateway_writes(conforms: Any, pieces: Pieces) -> None:
    chunks = [json.loads(encode_object(chunk)) for chunk in streamed(pieces)]
    assert chunks == written(pieces)
    for chunk in chunks:
        conforms(chunk, "CreateChatCompletionStreamResponse")


@given(streams)
def test_every_choice_has_its_role_once_and_first_and_its_finish_reason_once_and_last(pieces: Pieces) -> None:
    chunks = streamed(pieces)
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {("chatcmpl-1", 5, "m")}
    for index in {index for index, _ in pieces}:
        mine = [chunk.choices[0] for chunk in chunks if chunk.choices[0].index == index]
        assert [one.delta.role for one in mine] == ["assistant"] + [None] * (len(mine) - 1)
        assert [one.finish_reason is not None for one in mine] == [False] * (len(mine) - 1) + [True]


def test_usage_comes_in_a_chunk_of_its_own_only_when_asked_for(conforms: Any) -> None:
    pieces = [(0, GenerationChunk("x")), (0, LAST), (1, LAST)]
    assert all(chunk.usage is None and chunk.choices for chunk in streamed(pieces))
    last = streamed(pieces, include_usage=True)[-1]
    assert (last.choices, last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == ([], 3, 4)
    conforms(last, "CreateChatCompletionStreamResponse")


def test_a_chunk_reads_as_litellms() -> None:
    _, chunk, _ = streamed([(0, GenerationChunk("x")), (0, LAST)])
    assert chunk.choices[0].delta.content == chunk["choices"][0]["delta"]["content"] == "x"
    assert chunk.choices[0].delta.get("tool_calls") is None
    assert chunk.model_dump()["choices"] == [
        {"index": 0, "delta": {"content": "x"}, "logprobs": None, "finish_reason": None}
    ]


def test_what_a_model_thinks_travels_beside_its_text() -> None:
    _, first, second, _ = streamed([(0, beside("", reasoning_content="hm")), (0, GenerationChunk("x")), (0, LAST)])
    assert (first.choices[0].delta.reasoning_content, first.choices[0].delta.content) == ("hm", None)
    assert (second.choices[0].delta.reasoning_content, second.choices[0].delta.content) == (None, "x")
    assert written([(0, beside("", reasoning_content="hm"))])[1]["choices"][0]["delta"] == {"reasoning_content": "hm"}


def test_tool_calls_without_arguments_get_them_before_the_end() -> None:
    chunks = streamed([(0, calling({"name": "f", "args": "", "id": "c1", "index": 0})), (0, LAST)])
    assert [call["function"]["arguments"] for one in chunks for call in one.choices[0].delta.tool_calls or ()] == [
        "",
        "{}",
    ]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
