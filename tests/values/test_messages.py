"""Messages print as the guide prints them, and the pieces of an answer add up."""

from __future__ import annotations

import functools
import operator
from typing import Any

import pytest

from modelport import (
    AIMessage,
    AIMessageChunk,
    GenerationChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from modelport.values.messages import merge_tool_call_chunks, tool_calls_from_chunks


def added(*pieces: AIMessageChunk) -> AIMessageChunk:
    return functools.reduce(operator.add, pieces)


def fragment(args: str, *, index: int | None = 0, name: str | None = None, id: str | None = None) -> AIMessageChunk:
    return AIMessageChunk(tool_call_chunks=[{"name": name, "args": args, "id": id, "index": index}])


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        (SystemMessage("you are a bot"), "SystemMessage(content='you are a bot')"),
        (HumanMessage(content="hi", name="eve"), "HumanMessage(content='hi', name='eve')"),
        (AIMessage("yes"), "AIMessage(content='yes')"),
        (ToolMessage("4", tool_call_id="c1"), "ToolMessage(content='4', tool_call_id='c1')"),
    ],
)
def test_a_message_prints_what_was_given_and_no_defaults(message: object, printed: str) -> None:
    assert repr(message) == printed


@pytest.mark.parametrize(
    ("cls", "type_", "role"),
    [
        (SystemMessage, "system", "system"),
        (HumanMessage, "human", "user"),
        (AIMessage, "ai", "assistant"),
        (ToolMessage, "tool", "tool"),
    ],
)
def test_a_message_has_langchains_type_and_openais_role(cls: type, type_: str, role: str) -> None:
    message = cls("x")
    assert (message.type, message.role) == (type_, role)


def test_the_text_of_a_content_list_is_its_text_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    parts = [{"type": "text", "text": "a"}, image, "b", {"text": "c"}, 4]
    assert HumanMessage(parts).text == "abc"
    assert HumanMessage("plain").text == "plain"


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        HumanMessage("x").content = "y"  # pyright: ignore[reportAttributeAccessIssue]


def test_pieces_add_up_to_one_answer() -> None:
    whole = added(
        AIMessageChunk("a", id="run-1", name="bot", additional_kwargs={"k": 1}),
        AIMessageChunk("b", response_metadata={"x": 1}, additional_kwargs={"l": 2}),
        AIMessageChunk(
            "",
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            response_metadata={"finish_reason": "stop"},
            chunk_position="last",
        ),
    )
    assert whole.chunk_position == "last"
    assert whole.to_message() == AIMessage(
        "ab",
        name="bot",
        id="run-1",
        additional_kwargs={"k": 1, "l": 2},
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"x": 1, "finish_reason": "stop"},
    )


@pytest.mark.parametrize(
    ("left", "right", "content"),
    [
        ("a", [{"type": "text", "text": "b"}], ["a", {"type": "text", "text": "b"}]),
        ([{"type": "text", "text": "b"}], "a", [{"type": "text", "text": "b"}, "a"]),
        ("", ["b"], ["b"]),
        (["a"], ["b"], ["a", "b"]),
        (["a"], "", ["a"]),
    ],
)
def test_contents_of_parts_add_up(left: object, right: object, content: object) -> None:
    assert (AIMessageChunk(left) + AIMessageChunk(right)).content == content  # pyright: ignore[reportArgumentType]


class TestToolCallFragments:
    def test_fragments_of_one_index_are_one_call(self) -> None:
        whole = added(fragment("", name="add", id="c1"), fragment('{"a": '), fragment("1}"), AIMessageChunk(""))
        assert whole.tool_calls == [{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]
        assert whole.to_message().tool_calls == whole.tool_calls

    def test_text_before_the_fragments_changes_nothing(self) -> None:
        whole = added(AIMessageChunk("let me see"), fragment("", name="add", id="c1"), fragment('{"a": 1}'))
        assert [call["args"] for call in whole.tool_calls] == [{"a": 1}]

    def test_calls_of_several_indices_stay_apart(self) -> None:
        pieces = [fragment(f'{{"i": {i}}}', index=i, name=f"f{i}") for i in range(3)]
        whole = added(*pieces)
        assert [(call["name"], call["args"]) for call in whole.tool_calls] == [
            ("f0", {"i": 0}),
            ("f1", {"i": 1}),
            ("f2", {"i": 2}),
        ]

    def test_whole_calls_stay_beside_fragments(self) -> None:
        call = {"name": "whole", "args": {}, "id": "c0", "type": "tool_call"}
        whole = added(AIMessageChunk(tool_calls=[call]), fragment('{"a"', name="f"), fragment(": 1}"))
        assert [one["name"] for one in whole.tool_calls] == ["whole", "f"]

    def test_grouping_does_not_matter(self) -> None:
        one, two, three = fragment("", name="f", id="c"), fragment('{"a":'), fragment("2}")
        assert (one + two) + three == one + (two + three)

    def test_an_unfinished_call_is_left_out(self) -> None:
        assert added(fragment('{"a": ', name="f"), AIMessageChunk("")).tool_calls == []
        assert tool_calls_from_chunks([{"name": None, "args": "{}", "index": 0}]) == []

    def test_fragments_without_an_index_are_calls_of_their_own(self) -> None:
        chunks = [{"name": "f", "args": "{}"}, {"name": "g", "args": {"x": 1}}]
        assert merge_tool_call_chunks(chunks) == chunks
        assert [call["name"] for call in tool_calls_from_chunks(chunks)] == ["f", "g"]

    def test_the_first_name_and_id_stay(self) -> None:
        chunks = [
            {"name": None, "args": None, "id": None, "index": 0},
            {"name": "f", "args": "{}", "id": "c", "index": 0},
            {"name": "g", "args": None, "id": "d", "index": 0},
        ]
        assert merge_tool_call_chunks(chunks) == [{"name": "f", "args": "{}", "id": "c", "index": 0}]
        assert chunks[0]["name"] is None


@pytest.mark.parametrize("piece", [AIMessageChunk("a"), GenerationChunk("a")])
def test_a_piece_adds_up_with_its_like_alone(piece: Any) -> None:
    with pytest.raises(TypeError):
        _ = piece + "b"
