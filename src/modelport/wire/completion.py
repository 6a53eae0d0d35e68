"""OpenAI's chat completion as types; they read and write by attribute and by item."""

from __future__ import annotations

from typing import Any

import msgspec


def always(value: Any) -> Any:
    """Return a field's default that is written even when nobody set another: OpenAI requires the key."""
    return msgspec.field(default_factory=lambda: value)


class WireObject(msgspec.Struct, dict=True, omit_defaults=True, kw_only=True):
    """Is the base of what goes over the wire: optional fields that are None are left out of the JSON."""

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __contains__(self, name: str) -> bool:
        return hasattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field's value, `default` when there is no such field."""
        return getattr(self, name, default)


class Function(WireObject, kw_only=True):
    """Is what a tool call calls."""

    name: str
    """The function's name."""
    arguments: str = always("{}")
    """Its arguments as JSON text."""


class ToolCall(WireObject, kw_only=True):
    """Is one call that the model wants made."""

    id: str
    """What the tool's answer refers to."""
    type: str = always("function")
    function: Function


class ResponseMessage(WireObject, kw_only=True):
    """Is the message of one choice."""

    role: str = always("assistant")
    content: str | None = always(None)
    """The text; null only beside tool calls."""
    refusal: str | None = always(None)
    tool_calls: list[ToolCall] | None = None


class Choice(WireObject, kw_only=True):
    """Is one of the n answers."""

    index: int = always(0)
    message: ResponseMessage = msgspec.field(default_factory=ResponseMessage)
    logprobs: Any = always(None)
    finish_reason: str = always("stop")


class CompletionUsage(WireObject, kw_only=True):
    """Counts the tokens of all choices."""

    prompt_tokens: int = always(0)
    completion_tokens: int = always(0)
    total_tokens: int = always(0)


class ChatCompletion(WireObject, kw_only=True):
    """Is the answer to a chat request that does not stream."""

    id: str
    object: str = always("chat.completion")
    created: int
    """When the answer was made, in seconds since 1970."""
    model: str
    """The name that the client asked for."""
    choices: list[Choice] = msgspec.field(default_factory=list[Choice])
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
