"""One of the n answers while it streams: what its chunks add to the message, and how it ends."""

from __future__ import annotations

from typing import Any

from modelport.values.generations import GenerationChunk
from modelport.values.messages import ChatGenerationChunk
from modelport.values.usage import Usage
from modelport.wire.finish import wire_finish_reason
from modelport.wire.tool_calls import ToolCallDeltas

TEXT_BESIDE = ("refusal", "reasoning_content")
"""Texts that a message has beside its content; in our messages they are in `additional_kwargs`."""


def text_beside(kwargs: dict[str, Any]) -> dict[str, str]:
    """Return those of a message's `additional_kwargs` that OpenAI's clients read as texts."""
    if not kwargs:
        return {}
    return {name: text for name in TEXT_BESIDE if isinstance(text := kwargs.get(name), str) and text}


def has_text_beside(chunk: GenerationChunk) -> bool:
    """Tell whether a chunk may carry texts beside its content."""
    return isinstance(chunk, ChatGenerationChunk) and bool(chunk.message.additional_kwargs)


class StreamedChoice:
    """Keeps what the end of the answer needs of its beginning."""

    __slots__ = ("calls", "started", "usage")

    def __init__(self) -> None:
        self.started = False
        """Whether the role has gone out."""
        self.calls: ToolCallDeltas | None = None
        self.usage: Usage | None = None

    def delta(self, chunk: GenerationChunk) -> dict[str, Any]:
        """Return what a chunk adds to the message: its text, texts beside it, pieces of tool calls."""
        delta: dict[str, Any] = {}
        if chunk.text:
            delta["content"] = chunk.text
        if isinstance(chunk, ChatGenerationChunk):
            delta.update(text_beside(chunk.message.additional_kwargs))
        if chunk.tool_calls:
            self.calls = self.calls or ToolCallDeltas()
            delta["tool_calls"] = self.calls.deltas(chunk.tool_calls)
        return delta

    def end(self, chunk: GenerationChunk) -> tuple[list[dict[str, Any]], str]:
        """Take the last chunk; return the tool call pieces that are still missing, and the finish reason."""
        self.usage = chunk.usage
        missing = self.calls.last_deltas() if self.calls is not None else []
        return missing, wire_finish_reason(chunk.finish_reason, calls_tools=self.calls is not None)
