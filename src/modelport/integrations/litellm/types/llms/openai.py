"""LiteLLM's `litellm.types.llms.openai`: OpenAI's dicts that handlers yield and return."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from modelport.integrations.litellm.names import also_offered

__all__ = [
    "ChatCompletionDeltaChunk",
    "ChatCompletionDeltaToolCallChunk",
    "ChatCompletionToolCallChunk",
    "ChatCompletionToolCallFunctionChunk",
    "ChatCompletionUsageBlock",
]


class ChatCompletionToolCallFunctionChunk(TypedDict, total=False):
    """Is what a tool call calls, or a piece of it."""

    name: str | None
    """The function's name."""
    arguments: str
    """Its arguments as JSON text, or a fragment of it."""


class ChatCompletionToolCallChunk(TypedDict):
    """Is a tool call, or a piece of one."""

    id: str | None
    """What the tool's answer refers to."""
    type: Literal["function"]
    """OpenAI's kind of tool."""
    function: ChatCompletionToolCallFunctionChunk
    """What is called."""
    index: int
    """Which call of the message this belongs to, from 0."""


class ChatCompletionDeltaToolCallChunk(TypedDict, total=False):
    """Is a piece of a tool call in a delta."""

    id: str
    """What the tool's answer refers to; in the first piece of a call only."""
    type: Literal["function"]
    """OpenAI's kind of tool."""
    function: ChatCompletionToolCallFunctionChunk
    """What is called."""
    index: int
    """Which call of the message this belongs to, from 0."""


class ChatCompletionDeltaChunk(TypedDict, total=False):
    """Is what one piece of a stream adds to the message."""

    content: str | None
    """The text that is added."""
    tool_calls: list[ChatCompletionDeltaToolCallChunk]
    """Pieces of tool calls."""
    role: str
    """Who speaks."""


class _UsageBlock(TypedDict):
    prompt_tokens: int
    """Tokens of the input."""
    completion_tokens: int
    """Tokens of the answer."""
    total_tokens: int
    """Both together."""


class ChatCompletionUsageBlock(_UsageBlock, total=False):
    """Counts the tokens of an answer."""

    prompt_tokens_details: dict[str, Any] | None
    """What the input's tokens were."""
    completion_tokens_details: dict[str, Any] | None
    """What the answer's tokens were."""


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
