"""Messages, chunks, tool calls and usage: what LangChain's are in ours, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core import messages as lc

from modelport import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage, Usage
from modelport.integrations.langchain.content import part_of
from modelport.integrations.langchain.messages import (
    chunk_from_langchain,
    chunk_to_langchain,
    finish_reason_of,
    message_from_langchain,
    message_to_langchain,
    messages_from_langchain,
    messages_to_langchain,
    usage_from_langchain,
    usage_to_langchain,
)
from modelport.values.errors import InputError

CALL = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
FRAGMENT = {"name": "f", "args": "{", "id": "1", "index": 0, "type": "tool_call_chunk"}
BAD = {"name": "add", "args": "{", "id": "c2", "error": "no JSON", "type": "invalid_tool_call"}
USAGE: Any = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "output_token_details": {"reasoning": 1}}


@pytest.mark.parametrize("message", [
    SystemMessage("be brief", name="boss"),
    HumanMessage("hi", id="m1"),
    HumanMessage([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "u"}}]),
    AIMessage("a", tool_calls=[CALL], invalid_tool_calls=[BAD], usage_metadata=USAGE, response_metadata={"x": 1}),
    AIMessage("a", additional_kwargs={"reasoning_content": "hm"}),
    ToolMessage("3", tool_call_id="c1", status="error", name="add"),
    AIMessageChunk("a", tool_call_chunks=[FRAGMENT]),
    AIMessageChunk("", usage_metadata=USAGE, chunk_position="last"),
])  # fmt: skip
def test_a_message_comes_back_as_it_was(message: Any) -> None:
    assert message_from_langchain(message_to_langchain(message)) == message


texts = st.text(max_size=8)
calls = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=4), "args": st.dictionaries(texts, texts, max_size=2)}
)


@given(texts, st.lists(calls, max_size=2))
def test_any_answer_comes_back_as_it_was(text: str, made: list[dict[str, Any]]) -> None:
    answer = AIMessage(text, tool_calls=[{**call, "id": str(i), "type": "tool_call"} for i, call in enumerate(made)])
    assert message_from_langchain(message_to_langchain(answer)) == answer


@pytest.mark.parametrize(("block", "part"), [
    ("plain", {"type": "text", "text": "plain"}),
    ({"type": "text", "text": "t", "cache_control": {}}, {"type": "text", "text": "t"}),
    ({"type": "image", "url": "u"}, {"type": "image_url", "image_url": {"url": "u"}}),
    ({"type": "image", "base64": "AA", "mime_type": "image/png"},
     {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}),
    ({"type": "image", "source_type": "base64", "data": "AA", "mime_type": "image/png"},
     {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "AA"}},
     {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AA"}}),
    ({"type": "audio", "base64": "AA", "mime_type": "audio/mpeg"},
     {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}}),
    ({"type": "file", "base64": "AA", "mime_type": "application/pdf", "filename": "a.pdf"},
     {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"}}),
    ({"type": "file", "file_id": "f1"}, {"type": "file", "file": {"file_id": "f1"}}),
    ({"type": "file", "file": {"file_data": "d"}}, {"type": "file", "file": {"file_data": "d"}}),
    ({"type": "text-plain", "text": "notes"}, {"type": "text", "text": "notes"}),
    ({"type": "non_standard", "value": {"type": "own", "x": 1}}, {"type": "own", "x": 1}),
    ({"type": "video", "url": "u"}, {"type": "video", "url": "u"}),
])  # fmt: skip
def test_content_blocks_become_openais_parts(block: Any, part: Any) -> None:
    assert part_of(block) == part


def test_an_answers_blocks_become_its_text_its_thoughts_and_its_calls() -> None:
    blocks: list[Any] = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "o"},
        "k",
        {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
    ]
    answer = message_from_langchain(lc.AIMessage(content=blocks, tool_calls=[CALL]))
    assert answer == AIMessage("ok", additional_kwargs={"reasoning_content": "hm"}, tool_calls=[CALL])


def test_results_in_a_human_message_are_messages_of_their_own() -> None:
    result: Any = {"type": "tool_result", "tool_use_id": "c1", "content": "3", "is_error": True}
    human = lc.HumanMessage(content=[result, {"type": "text", "text": "go on"}])
    assert messages_from_langchain([human]) == [
        ToolMessage("3", tool_call_id="c1", status="error"),
        HumanMessage([{"type": "text", "text": "go on"}]),
    ]
    assert messages_from_langchain([lc.HumanMessage(content=[result])])[0].type == "tool"


def test_older_kinds_of_messages_are_read() -> None:
    assert message_from_langchain(lc.ChatMessage(content="hi", role="user")) == HumanMessage("hi")
    assert message_from_langchain(lc.FunctionMessage(content="3", name="add")) == ToolMessage("3", name="add")
    assert message_from_langchain(lc.HumanMessageChunk(content="hi")) == HumanMessage("hi")
    with pytest.raises(InputError, match="RemoveMessage"):
        message_from_langchain(lc.RemoveMessage(id="x"))
    with pytest.raises(InputError, match="no role"):
        message_from_langchain(lc.ChatMessage(content="hi", role="narrator"))


def test_chunks_add_up_to_the_same_on_both_sides() -> None:
    pieces = [
        AIMessageChunk("o"),
        AIMessageChunk("k", tool_call_chunks=[{"name": "add", "args": '{"a"', "id": "c1", "index": 0}]),
        AIMessageChunk("", tool_call_chunks=[{"name": None, "args": ": 1}", "id": None, "index": 0}]),
        AIMessageChunk("", usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}),
    ]
    theirs, ours = chunk_to_langchain(pieces[0]), pieces[0]
    for piece in pieces[1:]:
        theirs += chunk_to_langchain(piece)
        ours += piece
    assert theirs.tool_calls == ours.tool_calls == [CALL]
    assert chunk_from_langchain(theirs).to_message() == ours.to_message()


def test_whole_calls_in_pieces_stay_apart() -> None:
    whole = chunk_to_langchain(AIMessageChunk(tool_calls=[CALL])) + chunk_to_langchain(
        AIMessageChunk(tool_calls=[{**CALL, "id": "c2"}])
    )
    assert [call["id"] for call in whole.tool_calls] == ["c1", "c2"]


def test_calls_whose_arguments_are_no_json_are_invalid_ones() -> None:
    [answer] = messages_to_langchain([AIMessage("", tool_calls=[{**CALL, "args": "{oops"}])])
    assert isinstance(answer, lc.AIMessage)
    assert (answer.tool_calls, answer.invalid_tool_calls[0]["args"]) == ([], "{oops")


def test_usage_is_read_in_both_names() -> None:
    assert usage_from_langchain(USAGE) == Usage(3, 2, 5)
    assert usage_from_langchain({"prompt_tokens": 3, "completion_tokens": 2}) == Usage(3, 2, 5)
    assert usage_from_langchain(None) is None
    assert usage_to_langchain(Usage(3, 2, 5)) == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def test_the_reason_of_an_end_has_a_providers_name() -> None:
    assert finish_reason_of({"stop_reason": "end_turn"}) == "end_turn"
    assert finish_reason_of({"other": 1}) is None
