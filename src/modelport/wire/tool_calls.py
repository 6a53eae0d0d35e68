"""Tool calls of an answer, whole or in pieces, as OpenAI writes them."""

from __future__ import annotations

from typing import Any, cast
from uuid import uuid4

from modelport.values.generations import ToolCall as AuthorsToolCall
from modelport.wire.completion import Function, ToolCall
from modelport.wire.json_text import encode_json
from modelport.wire.objects import plain

_new_function = plain(Function)
_new_call = plain(ToolCall)


def new_call_id() -> str:
    """Return an id for a tool call whose author gave none."""
    return f"call_{uuid4().hex[:24]}"


def parts_of(call: AuthorsToolCall) -> tuple[str | None, str | None, str]:
    """Return the id, the name and the arguments' text of a call in LangChain's flat or in OpenAI's nested form."""
    function = call.get("function")
    nested = cast("dict[str, Any]", function) if isinstance(function, dict) else None
    name = call.get("name") if nested is None else nested.get("name")
    arguments = call.get("args") if nested is None else nested.get("arguments")
    if arguments is None:
        arguments = ""
    elif not isinstance(arguments, str):
        arguments = encode_json(arguments).decode()
    return call.get("id"), name, arguments


def whole_tool_calls(calls: list[AuthorsToolCall]) -> list[ToolCall]:
    """Return the tool calls of a whole answer; a call without arguments has `"{}"`."""
    found: list[ToolCall] = []
    for call in calls:
        call_id, name, arguments = parts_of(call)
        function = _new_function(name=name or "", arguments=arguments or "{}")
        found.append(_new_call(id=call_id or new_call_id(), function=function))
    return found


class ToolCallDeltas:
    """Numbers the tool calls of one streamed choice: id and name go out once, arguments in fragments."""

    __slots__ = ("_by_source", "_has_arguments")

    def __init__(self) -> None:
        self._by_source: dict[Any, int] = {}
        self._has_arguments: list[bool] = []

    def deltas(self, calls: list[AuthorsToolCall]) -> list[dict[str, Any]]:
        """Return the deltas of whole calls or fragments, in order."""
        return [self._delta(call) for call in calls]

    def last_deltas(self) -> list[dict[str, Any]]:
        """Return what is missing at the end: the arguments `"{}"` of calls that had none."""
        missing = [index for index, has in enumerate(self._has_arguments) if not has]
        return [{"index": index, "function": {"arguments": "{}"}} for index in missing]

    def _delta(self, call: AuthorsToolCall) -> dict[str, Any]:
        call_id, name, arguments = parts_of(call)
        index = self._index_of(call, call_id, name)
        if index is not None:
            self._has_arguments[index] = self._has_arguments[index] or bool(arguments)
            return {"index": index, "function": {"arguments": arguments}}
        index = len(self._has_arguments)
        self._has_arguments.append(bool(arguments))
        if (source := call.get("index")) is not None:
            self._by_source[source] = index
        function = {"name": name or "", "arguments": arguments}
        return {"index": index, "id": call_id or new_call_id(), "type": "function", "function": function}

    def _index_of(self, call: AuthorsToolCall, call_id: str | None, name: str | None) -> int | None:
        """Return which earlier call a fragment continues; None: it begins a new one."""
        source = call.get("index")
        if source is not None:
            return self._by_source.get(source)
        if call_id or name or not self._has_arguments:
            return None
        return len(self._has_arguments) - 1
