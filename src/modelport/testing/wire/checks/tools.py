"""Tools: calls of a model that supports them, and requests that have them."""

from __future__ import annotations

import json
from typing import Any

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer, Streamed, choices_of, object_of, objects_of
from modelport.testing.wire.asking import Chat
from modelport.testing.wire.judging import SPEC, expect_taken_or_refused
from modelport.testing.wire.registry import wire_check
from modelport.testing.wire.server import Server

SOURCE = SPEC.format("ChatCompletionMessageToolCall")
DELTA = f"{SPEC.format('ChatCompletionMessageToolCallChunk')}; openai/codex#7517; agno-agi/agno PR 8880"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
QUESTION = {"role": "user", "content": "What is the weather in Paris? Use the tool."}
ASKED: dict[str, Any] = {
    "messages": [QUESTION],
    "tools": [TOOL],
    "tool_choice": "required",
    "max_tokens": 256,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Paris"}'}}


@wire_check("wire-tools:whole:calls", source=SOURCE)
async def whole_calls(server: Server) -> None:
    """A tool call has an id, the type `function`, a name, and arguments that are a string of a JSON object."""
    for call in _calls_of(await _whole(server)):
        function = object_of(call.get("function")) or {}
        right = (
            isinstance(call.get("id"), str)
            and call["id"]
            and call.get("type") == "function"
            and isinstance(function.get("name"), str)
            and isinstance(_arguments(function.get("arguments")), dict)
        )
        expect(right, f"a tool call is {call!r:.200}", "give id, type, function.name, and arguments as a JSON string")


@wire_check("wire-tools:whole:reason", source=SPEC.format("CreateChatCompletionResponse.finish_reason"))
async def whole_reason(server: Server) -> None:
    """An answer that calls tools has finish_reason `tool_calls`."""
    reason = choices_of((await _whole(server)).json)[0].get("finish_reason")
    expect(reason == "tool_calls", f"finish_reason is {reason!r}", "say `tool_calls`: agents stop at `stop`")


@wire_check("wire-tools:whole:ids-differ", source=SOURCE)
async def ids_differ(server: Server) -> None:
    """Tool calls of two answers have ids of their own."""
    first = [call.get("id") for call in _calls_of(await _whole(server))]
    second = [call.get("id") for call in _calls_of(await Chat(server).ask(**ASKED))]
    same = set(map(str, first)) & set(map(str, second))
    expect(not same, f"two answers have calls with the id {sorted(same)!r:.100}", "make an id per call")


@wire_check("wire-tools:stream:calls", source=DELTA)
async def stream_calls(server: Server) -> None:
    """Streamed tool calls have an index in every piece, and arguments that join to a JSON object."""
    joined: dict[Any, str] = {}
    for piece in await _pieces(server):
        index = piece.get("index")
        expect(isinstance(index, int), f"a piece without index: {piece!r:.160}", "number the calls of an answer from 0")
        part = (object_of(piece.get("function")) or {}).get("arguments")
        joined[index] = joined.get(index, "") + (part if isinstance(part, str) else "")
    for arguments in joined.values():
        is_object = isinstance(_arguments(arguments), dict)
        expect(
            is_object, f"the joined arguments are {arguments!r:.160}", "send pieces of one JSON object, `{}` if empty"
        )


@wire_check("wire-tools:stream:named-once", source=DELTA)
async def named_once(server: Server) -> None:
    """The first piece of a streamed tool call has id, type and name, and no other has a name or another id."""
    first: dict[Any, dict[str, Any]] = {}
    for piece in await _pieces(server):
        function = object_of(piece.get("function")) or {}
        begun = first.setdefault(piece.get("index"), piece)
        if begun is piece:
            right = piece.get("id") and piece.get("type") == "function" and function.get("name")
        else:
            right = piece.get("id") in (None, "", begun.get("id")) and not function.get("name")
        expect(right, f"a piece is {piece!r:.200}", "send id, type and name in a call's first piece only")


@wire_check("wire-tools:stream:reason", source="sst/opencode, openai/codex#7517: agents stop at `stop`")
async def stream_reason(server: Server) -> None:
    """A stream that calls tools ends with finish_reason `tool_calls`."""
    await _pieces(server)
    reasons = (await _streamed(server)).reasons()
    expect(reasons == ["tool_calls"], f"finish_reason is {reasons!r}", "say `tool_calls` in the last chunk, once")


@wire_check("wire-tools:request:choice-object", source="Lightning-AI/LitServe 0.2.19: an enum, so 422")
async def choice_object(server: Server) -> None:
    """`tool_choice` may name a function; a server without tools refuses it with an error object."""
    named = {"type": "function", "function": {"name": "weather"}}
    await Chat(server).whole()
    answer = await Chat(server).ask(**{**ASKED, "tool_choice": named})
    expect_taken_or_refused(answer, "tool_choice names a function", "take objects too, or refuse tools with 400")
    expect(answer.status != 422, answer.shown, "take objects too, or refuse tools with 400")


@wire_check("wire-tools:request:history", source=SPEC.format("ChatCompletionRequestToolMessage"))
async def history(server: Server) -> None:
    """A conversation may have a tool call without content and the tool's answer, or is refused with an error object."""
    messages: list[dict[str, Any]] = [
        QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    await Chat(server).whole()
    answer = await Chat(server).ask(messages=messages, tools=[TOOL])
    expect_taken_or_refused(answer, "a tool call in the conversation", "take content null beside tool_calls")
    expect(answer.status != 422, answer.shown, "take content null beside tool_calls")


async def _whole(server: Server) -> Answer:
    await Chat(server).whole()
    answer: Answer = await server.known("tools", lambda: Chat(server).ask(**ASKED))
    if answer.status != 200 or not _calls_of(answer):
        raise NotApplicable(f"the model calls no tools: {answer.shown}")
    return answer


async def _streamed(server: Server) -> Streamed:
    await _whole(server)
    await Chat(server).streamed()
    answer: Streamed = await server.known("streamed tools", lambda: Chat(server).stream(**ASKED))
    return answer


async def _pieces(server: Server) -> list[dict[str, Any]]:
    answer = await _streamed(server)
    deltas = [object_of(one.get("delta")) or {} for one in answer.entries()]
    pieces = [piece for delta in deltas for piece in objects_of(delta.get("tool_calls"))]
    if not pieces:
        raise NotApplicable(f"the stream calls no tools: {answer.shown}")
    return pieces


def _calls_of(answer: Answer) -> list[dict[str, Any]]:
    for choice in choices_of(answer.json):
        return objects_of((object_of(choice.get("message")) or {}).get("tool_calls"))
    return []


def _arguments(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
