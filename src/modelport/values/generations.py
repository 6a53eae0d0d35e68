"""Answers and pieces of answers: what a hook may return or yield, and what `generate` gives back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from modelport.values.usage import Usage

ToolCall = dict[str, Any]
"""`{"name": str, "args": dict, "id": str | None, "type": "tool_call"}`, as LangChain has it."""


class Generation(msgspec.Struct, repr_omit_defaults=True):
    """Is one whole answer of a model."""

    text: str = ""
    """The answer's text."""
    finish_reason: str | None = None
    """Why it ended: "stop", "length", "tool_calls", "content_filter", or what the author gave."""
    usage: Usage | None = None
    """Tokens taken and given; always there in what the framework returns."""
    logprobs: Any = None
    """Log probabilities in OpenAI's shape, handed through untouched."""
    tool_calls: list[ToolCall] | None = None
    """Calls of tools that the model wants made."""
    generation_info: dict[str, Any] | None = None
    """LangChain's free dict; its `finish_reason`, `usage` (or `token_usage`) and `logprobs` are read."""


class GenerationChunk(msgspec.Struct, repr_omit_defaults=True):
    """Is one piece of an answer; pieces of one answer add up with `+`."""

    text: str = ""
    """This piece's text, not what came before."""
    finish_reason: str | None = None
    """Given on the last piece only."""
    usage: Usage | None = None
    """Given on one piece only: the tokens of the whole answer."""
    logprobs: Any = None
    """Log probabilities of this piece in OpenAI's shape."""
    tool_calls: list[ToolCall] | None = None
    """Whole tool calls, or LangChain's tool call chunks (`args` a str, `index` set)."""
    generation_info: dict[str, Any] | None = None
    """LangChain's free dict; see `Generation.generation_info`."""

    def __add__(self, other: GenerationChunk) -> GenerationChunk:
        """Join two pieces: texts concatenate, the later of the other facts wins, tool calls append."""
        if not isinstance(other, GenerationChunk):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        info = {**(self.generation_info or {}), **(other.generation_info or {})}
        return GenerationChunk(
            self.text + other.text,
            other.finish_reason or self.finish_reason,
            other.usage or self.usage,
            other.logprobs if self.logprobs is None else self.logprobs,
            [*(self.tool_calls or ()), *(other.tool_calls or ())] or None,
            info or None,
        )


class RunInfo(msgspec.Struct, frozen=True):
    """Names the run that produced one prompt's generations."""

    run_id: UUID
    """The run's id, as callbacks and events have it."""


class LLMResult(msgspec.Struct, repr_omit_defaults=True):
    """Is what `generate` returns and `on_llm_end` gets."""

    generations: list[list[Any]]
    """One list per prompt, in order, of its choices (`Generation`, for chats `ChatGeneration`)."""
    llm_output: dict[str, Any] | None = None
    """`{"token_usage": {…}, "model_name": …}` over all prompts; `"cancelled": True` when the call was cut short."""
    run: list[RunInfo] | None = None
    """One entry per prompt."""

    @property
    def usage(self) -> Usage:
        """Add up the usage of all generations."""
        total = Usage()
        for choices in self.generations:
            for choice in choices:
                total += choice.usage or Usage()
        return total
