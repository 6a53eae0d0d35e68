"""OpenAI's chat completion: the whole answer to a chat request, which LiteLLM calls a `ModelResponse`."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from msgspec.structs import replace

from modelport.values.usage import Usage
from modelport.wire.objects import WireObject, always
from modelport.wire.random_ids import random_hex


def new_completion_id() -> str:
    """Return an id that no other answer has."""
    return f"chatcmpl-{random_hex()}"


def now_seconds() -> int:
    """Return the time, in seconds since 1970."""
    return int(time.time())


class Function(WireObject, kw_only=True):
    """Is what a tool call calls."""

    positional = ("arguments", "name")

    name: str | None = None
    """The function's name."""
    arguments: str = always("{}")
    """Its arguments as JSON text."""


class ToolCall(WireObject, kw_only=True):
    """Is one call that the model wants made."""

    id: str | None = None
    """What the tool's answer refers to."""
    type: str = always("function")
    """OpenAI's kind of tool."""
    function: Function | None = None
    """What is called, with which arguments."""


class ResponseMessage(WireObject, kw_only=True):
    """Is the message of one choice."""

    positional = ("content", "role")

    role: str = always("assistant")
    """Who speaks."""
    content: str | None = always(None)
    """The text; null only beside tool calls or a refusal."""
    refusal: str | None = always(None)
    """Why the model does not answer."""
    reasoning_content: str | None = None
    """What the model thought before it answered, where a server gives it apart."""
    tool_calls: list[ToolCall] | None = None
    """Calls of tools that the model wants made."""
    function_call: Function | None = None
    """The older form of a single tool call; never written by us."""


class Choice(WireObject, kw_only=True):
    """Is one of the n answers."""

    index: int = always(0)
    """Which of the n, from 0."""
    message: ResponseMessage = msgspec.field(default_factory=ResponseMessage)
    """What the model says."""
    logprobs: Any = always(None)
    """`{"content": [...], "refusal": ...}`, when they were asked for."""
    finish_reason: str = always("stop")
    """Why it ended: stop, length, tool_calls, content_filter."""


class CompletionUsage(WireObject, kw_only=True):
    """Counts the tokens of all choices; the total is not added up by itself."""

    positional = ("prompt_tokens", "completion_tokens", "total_tokens")

    prompt_tokens: int = always(0)
    """Tokens of the input."""
    completion_tokens: int = always(0)
    """Tokens of the answers."""
    total_tokens: int = always(0)
    """Both together."""


def _one_choice() -> list[Choice]:
    return [Choice()]


class ChatCompletion(WireObject, kw_only=True):
    """Is the answer to a chat request that does not stream; made of nothing it has one empty choice."""

    id: str = msgspec.field(default_factory=new_completion_id)
    """Names this answer."""
    object: str = always("chat.completion")
    """OpenAI's name of this type."""
    created: int = msgspec.field(default_factory=now_seconds)
    """When the answer was made, in seconds since 1970."""
    model: str | None = always(None)
    """The name that the client asked for."""
    choices: list[Choice] = msgspec.field(default_factory=_one_choice)
    """The n answers."""
    usage: CompletionUsage | None = None
    """The tokens that it took."""
    system_fingerprint: str | None = None
    """Names the state of the server that answered."""


# Blank objects, of which copies are made that differ: in C, and in a third of the time of a constructor.
_MESSAGE, _CHOICE, _USAGE = ResponseMessage(), Choice(), CompletionUsage()
_COMPLETION = ChatCompletion(id="", created=0, choices=[])


def completion_of_text(
    text: str | None, usage: Usage, *, completion_id: str, created: int, model: str | None, finish_reason: str
) -> ChatCompletion:
    """Return a chat completion with one choice and nothing but a text in it, the fast way.

    Args:
        text: The message's content.
        usage: The tokens that it took.
        completion_id: The answer's id.
        created: When it was made, in seconds since 1970.
        model: The name that the client asked for.
        finish_reason: Why it ended, in OpenAI's words.
    """
    choice = replace(_CHOICE, message=replace(_MESSAGE, content=text), finish_reason=finish_reason)
    return replace(
        _COMPLETION, id=completion_id, created=created, model=model, choices=[choice], usage=counts_of(usage)
    )


def counts_of(usage: Usage) -> CompletionUsage:
    """Return usage as plain counts, the fast way."""
    return replace(
        _USAGE,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )
