"""OpenAI's chat completion chunk: a piece of a streamed answer, which LiteLLM calls a `ModelResponseStream`."""

from __future__ import annotations

from typing import Any

import msgspec

from modelport.wire.completion import CompletionUsage, new_completion_id, now_seconds
from modelport.wire.objects import WireObject, always


class FunctionDelta(WireObject, kw_only=True):
    """Is a piece of what a tool call calls."""

    name: str | None = None
    """The function's name; in the first piece of a call only."""
    arguments: str | None = None
    """A fragment of the arguments' JSON text."""


class ToolCallDelta(WireObject, kw_only=True):
    """Is a piece of a tool call."""

    index: int = always(0)
    """Which call of the message this belongs to, from 0."""
    id: str | None = None
    """What the tool's answer refers to; in the first piece of a call only."""
    type: str | None = None
    """OpenAI's kind of tool; in the first piece of a call only."""
    function: FunctionDelta | None = None
    """What is called."""


class Delta(WireObject, kw_only=True):
    """Is what one chunk adds to the message; what it does not add is absent from the JSON."""

    positional = ("content", "role")

    role: str | None = None
    """Who speaks; in the first chunk of a choice only."""
    content: str | None = None
    """The text that is added."""
    refusal: str | None = None
    """The text that is added to the refusal."""
    reasoning_content: str | None = None
    """The text that is added to what the model thinks, where a server gives it apart."""
    tool_calls: list[ToolCallDelta] | None = None
    """Pieces of tool calls."""
    function_call: FunctionDelta | None = None
    """The older form of a single tool call; never written by us."""


class StreamingChoice(WireObject, kw_only=True):
    """Is a piece of one of the n answers."""

    index: int = always(0)
    """Which of the n, from 0."""
    delta: Delta = msgspec.field(default_factory=Delta)
    """What is added."""
    logprobs: Any = always(None)
    """The log probabilities of this piece."""
    finish_reason: str | None = always(None)
    """Why the answer ended; null but in the last chunk of the choice."""


class ChatCompletionChunk(WireObject, kw_only=True):
    """Is one piece of a streamed answer; all pieces of a stream have the same id."""

    id: str = msgspec.field(default_factory=new_completion_id)
    """Names the answer."""
    object: str = always("chat.completion.chunk")
    """OpenAI's name of this type."""
    created: int = msgspec.field(default_factory=now_seconds)
    """When the answer was begun, in seconds since 1970."""
    model: str | None = always(None)
    """The name that the client asked for."""
    choices: list[StreamingChoice] = msgspec.field(default_factory=list[StreamingChoice])
    """What is added to which choice; empty in the chunk that carries the usage."""
    usage: CompletionUsage | None = None
    """The tokens of all choices; in the last chunk only, and only when asked for."""
    system_fingerprint: str | None = None
    """Names the state of the server that answers."""
