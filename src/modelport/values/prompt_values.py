"""What prompts produce and models take: a text or a list of messages; coercion both ways."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from modelport.values.errors import InputError
from modelport.values.json_values import json_text, parse_json
from modelport.values.messages import (
    AIMessage,
    Content,
    HumanMessage,
    Message,
    SystemMessage,
    ToolMessage,
)

_MESSAGE_BY_ROLE: dict[str, type[Message]] = {
    "system": SystemMessage,
    "developer": SystemMessage,
    "human": HumanMessage,
    "user": HumanMessage,
    "ai": AIMessage,
    "assistant": AIMessage,
    "tool": ToolMessage,
}
_PREFIX_BY_TYPE = {"system": "System", "human": "Human", "ai": "AI", "tool": "Tool"}


class StringPromptValue(msgspec.Struct, frozen=True):
    """Is a prompt that is one text."""

    text: str
    """The prompt."""

    def to_string(self) -> str:
        """Return the text."""
        return self.text

    def to_messages(self) -> list[Message]:
        """Return the text as one human message."""
        return [HumanMessage(self.text)]


class ChatPromptValue(msgspec.Struct, frozen=True):
    """Is a prompt that is a list of messages."""

    messages: list[Any]
    """The messages, oldest first."""

    def to_string(self) -> str:
        r"""Return the messages as `System: …\nHuman: …`, the guide's default for text models."""
        return flatten_messages(self.messages)

    def to_messages(self) -> list[Message]:
        """Return the messages."""
        return list(self.messages)


PromptInput = str | StringPromptValue | ChatPromptValue | Sequence[Any]
"""What every model takes: a text, a prompt value, or a list of messages, `(role, text)` pairs and OpenAI dicts."""


def flatten_messages(messages: Sequence[Message]) -> str:
    r"""Join messages to `System: …\nHuman: …`, with no trailing `AI:`.

    Raises:
        InputError: A message has a content part that is no text, which a text model could not see.
    """
    lines: list[str] = []
    for message in messages:
        content = message.content
        if isinstance(content, str):
            lines.append(f"{_PREFIX_BY_TYPE.get(message.type) or message.type.title()}: {content}")
        else:
            _refuse_parts_without_text(content)
            lines.append(line_of(message))
    return "\n".join(lines)


def line_of(message: Message) -> str:
    """Return `Human: …`: who says it, and the text of it; parts that are no text are left out."""
    return f"{_PREFIX_BY_TYPE.get(message.type) or message.type.title()}: {message.text}"


def _refuse_parts_without_text(content: list[Any]) -> None:
    for part in content:
        kind: Any = None
        if isinstance(part, (str, dict)):
            kind = "text" if isinstance(part, str) else cast("dict[str, Any]", part).get("type", "text")
        if kind != "text":
            raise InputError(
                f"a text model cannot read a content part of type {kind!r}; send text parts, or use a ChatModel",
                param="messages",
            )


def message_from(value: Any) -> Message:
    """Make a message of a message, a `(role, content)` pair, an OpenAI dict, or a str (a human's).

    Foreign message objects with `type` and `content` (LangChain's) are read too.

    Raises:
        InputError: The value is none of these, or its role is unknown.
    """
    if isinstance(value, Message):
        return value
    if isinstance(value, str):
        return HumanMessage(value)
    if isinstance(value, dict):
        return _message_from_dict(cast("dict[str, Any]", value))
    if isinstance(value, tuple) and len(pair := cast("tuple[Any, ...]", value)) == 2:
        return _message_of_role(pair[0], pair[1], {})
    return _message_from_foreign(value)


def _message_from_foreign(value: Any) -> Message:
    if hasattr(value, "type") and hasattr(value, "content"):
        fields = ("name", "id", "tool_calls", "tool_call_id", "additional_kwargs")
        extra = {field: getattr(value, field) for field in fields if getattr(value, field, None)}
        return _message_of_role(value.type, value.content, extra)
    raise InputError(
        f"{value!r} is no message; give a message, a (role, text) pair, a dict with 'role' and 'content', or a str",
        param="messages",
    )


def _message_from_dict(value: dict[str, Any]) -> Message:
    role: Any = value.get("role") or value.get("type")
    if len(value) == 2 and role.__class__ is str:
        content: Any = value.get("content")
        plain = _MESSAGE_BY_ROLE.get(role)
        if plain is not None and content.__class__ is str:
            return plain(content)
    extra: dict[str, Any] = {k: value[k] for k in ("name", "id", "tool_call_id") if value.get(k)}
    if value.get("tool_calls"):
        extra["tool_calls"] = [tool_call_from(call) for call in value["tool_calls"]]
    return _message_of_role(role, value.get("content"), extra)


def tool_call_from(call: dict[str, Any]) -> dict[str, Any]:
    """Return LangChain's flat tool call of OpenAI's `{"id", "function": {"name", "arguments"}}`, or as it is.

    Arguments that are no JSON stay a text in `args`: models write such, and histories carry it back to them.
    """
    if not isinstance(call.get("function"), dict):
        return call
    function: dict[str, Any] = call["function"]
    arguments: Any = function.get("arguments") or "{}"
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError):
            arguments = parse_json(arguments)
    return {"name": function.get("name", ""), "args": arguments, "id": call.get("id"), "type": "tool_call"}


def _message_of_role(role: Any, content: Any, extra: dict[str, Any]) -> Message:
    cls = _MESSAGE_BY_ROLE.get(role) if isinstance(role, str) else None
    if cls is None:
        known = ", ".join(sorted(_MESSAGE_BY_ROLE))
        raise InputError(f"{role!r} is no role of a message; use one of: {known}", param="messages")
    if content is None:
        content = ""
    if not isinstance(content, (str, list)):
        raise InputError(
            f"a message's content must be a str or a list of parts, not {type(content).__name__}", param="messages"
        )
    if cls is not AIMessage:
        extra.pop("tool_calls", None)
    if cls is not ToolMessage:
        extra.pop("tool_call_id", None)
    return cls(content=cast("Content", content), **extra)


def messages_from(value: Any) -> list[Message]:
    """Make messages of what a model takes (`PromptInput`); a single message is accepted too.

    Raises:
        InputError: The value is something else.
    """
    if value.__class__ is list:  # most are: asked first, and fast
        return [_message_from_dict(one) if one.__class__ is dict else message_from(one) for one in value]
    if isinstance(value, str):
        return [HumanMessage(value)]
    if isinstance(value, Message):
        return [value]
    if hasattr(value, "to_messages"):
        return [message_from(message) for message in value.to_messages()]
    if isinstance(value, Sequence):
        return [message_from(message) for message in cast("Sequence[Any]", value)]
    raise InputError(
        f"{value!r} ({type(value).__name__}) is no prompt; give a str, a prompt value or a list of messages"
    )


def message_to_dict(message: Message) -> dict[str, Any]:
    """Return a message in OpenAI's shape; tool call arguments become JSON text."""
    entry: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name:
        entry["name"] = message.name
    if isinstance(message, ToolMessage):
        entry["tool_call_id"] = message.tool_call_id
    if isinstance(message, AIMessage) and (calls := [*message.tool_calls, *message.invalid_tool_calls]):
        entry["tool_calls"] = [tool_call_to_dict(call) for call in calls]
    return entry


def tool_call_to_dict(call: dict[str, Any]) -> dict[str, Any]:
    """Return OpenAI's `{"id", "type", "function": {"name", "arguments"}}` of a flat tool call."""
    arguments: Any = call.get("args") or {}
    if not isinstance(arguments, str):
        arguments = json_text(arguments)
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {"name": call.get("name"), "arguments": arguments},
    }
