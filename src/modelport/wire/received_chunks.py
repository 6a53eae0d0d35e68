"""From the chunks of a stream back to engine chunks: OpenAI's, LiteLLM's, as dicts or objects, tool calls by index."""

from __future__ import annotations

from typing import Any, cast

from modelport.values.generations import GenerationChunk, ToolCall
from modelport.values.messages import AIMessageChunk, ChatGenerationChunk
from modelport.values.usage import Usage
from modelport.wire.checks import shown
from modelport.wire.json_text import encode_json
from modelport.wire.received import BadResponseError, field_of, int_or, items_of, text_or_none, usage_in
from modelport.wire.received_messages import call_as_dict, message_in, text_in, texts_beside

IndexedChunk = tuple[int, GenerationChunk]
"""A chunk, and which of the n choices it belongs to."""

_PLAIN = frozenset({"role", "content"})
"""What most deltas have, and nothing else."""


class ReceivedChunks:
    """Reads the chunks of one stream; it remembers which tool calls have begun."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[int, _ReceivedCalls] = {}

    def read(self, value: Any) -> list[IndexedChunk]:
        """Return the engine chunks of one chunk, with the index of their choice.

        Args:
            value: OpenAI's chunk or a whole chat completion, as an object or a dict; LiteLLM's generic dict; a str;
                or an engine chunk, which is kept as it is. Usage that comes without choices is choice 0's.

        Raises:
            BadResponseError: It is none of these.
        """
        if isinstance(value, str):
            return [(0, GenerationChunk(value))]
        if isinstance(value, GenerationChunk):
            return [(0, value)]
        choices = field_of(value, "choices")
        if choices is None:
            return [self._generic(value)]
        if not isinstance(choices, (list, tuple)):
            raise BadResponseError(f"a chunk's 'choices' must be a list, got {shown(choices)}")
        usage = usage_in(value)
        found = [self._choice(choice, position, usage) for position, choice in enumerate(cast("list[Any]", choices))]
        return found or ([(0, GenerationChunk(usage=usage))] if usage is not None else [])

    def _choice(self, choice: Any, position: int, usage: Usage | None) -> IndexedChunk:
        index = int_or(field_of(choice, "index"), position)
        delta = message_in(choice, ("delta", "message"))
        # Some servers write "" until the end.
        finish_reason = text_or_none(field_of(choice, "finish_reason")) or None
        chunk = GenerationChunk(
            text_in(delta), finish_reason, usage if position == 0 else None, field_of(choice, "logprobs")
        )
        if isinstance(delta, dict) and cast("dict[str, Any]", delta).keys() <= _PLAIN:
            return index, chunk
        chunk.tool_calls = self._tool_calls(index, items_of(delta, "tool_calls"))
        beside = texts_beside(delta)
        return index, _with_texts(chunk, beside) if beside else chunk

    def _generic(self, value: Any) -> IndexedChunk:
        """Read LiteLLM's generic chunk; its tool call may be a piece, as OpenAI's are."""
        index, chunk = generic_chunk(value)
        chunk.tool_calls = self._tool_calls(index, _calls_in_generic(value))
        return index, chunk

    def _tool_calls(self, index: int, calls: list[Any]) -> list[ToolCall] | None:
        if not calls:
            return None
        known = self._calls.setdefault(index, _ReceivedCalls())
        return [known.piece(call) for call in calls]


def generic_chunk(value: Any) -> IndexedChunk:
    """Return the engine chunk of LiteLLM's `GenericStreamingChunk`, and its choice; any key may be missing.

    Args:
        value: `text`, `is_finished`, `finish_reason`, `usage`, `index`, `tool_use`, as a dict or an object.

    Raises:
        BadResponseError: It has neither a text, a tool call, usage nor an end.
    """
    text = field_of(value, "text", "")
    calls = _calls_in_generic(value)
    usage = usage_in(value)
    finish_reason = text_or_none(field_of(value, "finish_reason")) or None
    if finish_reason is None and field_of(value, "is_finished") is True:
        finish_reason = "tool_calls" if calls else "stop"
    if not isinstance(text, str) or not (_is_generic(value) or text or calls or usage or finish_reason):
        raise BadResponseError(
            f"{shown(value)} is no chunk of a stream; give a str, {{'text': …}}, or one with 'choices'"
        )
    known = _ReceivedCalls()
    pieces = [known.piece(call) for call in calls] or None
    return int_or(field_of(value, "index"), 0), GenerationChunk(text, finish_reason, usage, None, pieces)


def _is_generic(value: Any) -> bool:
    return isinstance(value, dict) and ("text" in value or "is_finished" in value)


def _calls_in_generic(value: Any) -> list[Any]:
    calls = field_of(value, "tool_use")
    if calls is None:
        return []
    return cast("list[Any]", calls) if isinstance(calls, list) else [calls]


def _with_texts(chunk: GenerationChunk, beside: dict[str, Any]) -> ChatGenerationChunk:
    message = AIMessageChunk(chunk.text, additional_kwargs=beside, tool_call_chunks=chunk.tool_calls or [])
    return ChatGenerationChunk(
        chunk.text, chunk.finish_reason, chunk.usage, chunk.logprobs, chunk.tool_calls, message=message
    )


class _ReceivedCalls:
    """Numbers the tool calls of one choice, also those of servers that give no index, or one index to all."""

    __slots__ = ("_by_index", "_ids")

    def __init__(self) -> None:
        self._by_index: dict[int, int] = {}
        self._ids: list[str | None] = []

    def piece(self, call: Any) -> ToolCall:
        """Return a piece of a tool call as LangChain has it: `args` a str, `index` ours."""
        known = call_as_dict(call)
        call_id: str | None = known["id"]
        name: str | None = known["function"]["name"]
        arguments = known["function"]["arguments"]
        if arguments is not None and not isinstance(arguments, str):
            arguments = encode_json(arguments).decode()
        number = self._number(field_of(call, "index"), call_id, name)
        return {"name": name, "args": arguments or "", "id": call_id, "index": number, "type": "tool_call_chunk"}

    def _number(self, index: Any, call_id: str | None, name: str | None) -> int:
        given = index if isinstance(index, int) else None
        number = self._by_index.get(given) if given is not None else self._continued(call_id, name)
        if number is not None and (not call_id or self._ids[number] in (None, call_id)):
            self._ids[number] = self._ids[number] or call_id
            return number
        number = len(self._ids)
        self._ids.append(call_id)
        if given is not None:
            self._by_index[given] = number
        return number

    def _continued(self, call_id: str | None, name: str | None) -> int | None:
        """Return which call a piece without an index continues; None: it begins a new one."""
        if not self._ids or ((call_id or name) and (not call_id or call_id != self._ids[-1])):
            return None
        return len(self._ids) - 1
