"""Chat messages, printed as LangChain's guide prints them: `SystemMessage(content='you are a bot')`."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import msgspec

from modelport.values.generations import Generation, GenerationChunk, ToolCall
from modelport.values.json_values import parse_json

Content = str | list[Any]
"""A text, or OpenAI's content parts."""


class Message(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Is the base of all messages."""

    type: ClassVar[str] = "message"
    """LangChain's word for the role: system, human, ai, tool."""
    role: ClassVar[str] = ""
    """OpenAI's word for the role: system, user, assistant, tool."""

    content: Content
    """A text, or a list of OpenAI content parts."""
    name: str | None = msgspec.field(default=None, name="name")
    """The speaker's name, when there is one."""
    id: str | None = None
    """The message's own id; for answers `run-…`."""
    additional_kwargs: dict[str, Any] = {}
    """Whatever else a provider attaches."""

    @property
    def text(self) -> str:
        """The text of the content: itself, or its text parts joined."""
        return text_of(self.content)


class SystemMessage(Message, frozen=True, repr_omit_defaults=True):
    """Tells the model how to behave."""

    type: ClassVar[str] = "system"
    role: ClassVar[str] = "system"


class HumanMessage(Message, frozen=True, repr_omit_defaults=True):
    """Is what the user says."""

    type: ClassVar[str] = "human"
    role: ClassVar[str] = "user"


class AIMessage(Message, frozen=True, repr_omit_defaults=True):
    """Is a model's answer."""

    type: ClassVar[str] = "ai"
    role: ClassVar[str] = "assistant"

    content: Content = ""
    tool_calls: list[ToolCall] = []
    """Calls of tools that the model wants made: `{"name", "args", "id", "type": "tool_call"}`."""
    invalid_tool_calls: list[ToolCall] = []
    """Calls of a whole answer whose arguments are no JSON object: `args` is their text, `error` says so."""
    usage_metadata: dict[str, int] | None = None
    """`{"input_tokens", "output_tokens", "total_tokens"}`; and `…_token_details`, as LangChain has them, if given."""
    response_metadata: dict[str, Any] = {}
    """`finish_reason`, `model_name`, `logprobs`; `usage_estimated: True` beside estimated usage."""


class AIMessageChunk(AIMessage, frozen=True, repr_omit_defaults=True):
    """Is a piece of a model's answer; pieces add up with `+`."""

    tool_call_chunks: list[ToolCall] = []
    """Pieces of tool calls: `args` is a str fragment, `index` says which call it belongs to."""
    chunk_position: str | None = None
    """"last" on the last piece of an answer."""

    def __add__(self, other: AIMessageChunk) -> AIMessageChunk:
        """Join two pieces of one answer; tool call fragments with the same `index` are merged."""
        if not isinstance(other, AIMessageChunk):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        fragments = merge_tool_call_chunks([*self.tool_call_chunks, *other.tool_call_chunks])
        whole = [*_given_whole(self), *_given_whole(other)]
        return AIMessageChunk(
            content=_join_content(self.content, other.content),
            name=self.name or other.name,
            id=self.id or other.id,
            additional_kwargs=join_kwargs(self.additional_kwargs, other.additional_kwargs),
            tool_calls=[*whole, *tool_calls_from_chunks(fragments)],
            usage_metadata=other.usage_metadata or self.usage_metadata,
            response_metadata={**self.response_metadata, **other.response_metadata},
            tool_call_chunks=fragments,
            chunk_position=other.chunk_position or self.chunk_position,
        )

    def to_message(self) -> AIMessage:
        """Return the whole message that these joined pieces are."""
        return AIMessage(
            content=self.content,
            name=self.name,
            id=self.id,
            additional_kwargs=self.additional_kwargs,
            tool_calls=self.tool_calls or tool_calls_from_chunks(self.tool_call_chunks),
            invalid_tool_calls=self.invalid_tool_calls or invalid_tool_calls_from_chunks(self.tool_call_chunks),
            usage_metadata=self.usage_metadata,
            response_metadata=self.response_metadata,
        )


class ToolMessage(Message, frozen=True, repr_omit_defaults=True):
    """Gives a tool's result back to the model."""

    type: ClassVar[str] = "tool"
    role: ClassVar[str] = "tool"

    tool_call_id: str = ""
    """The `id` of the tool call that this answers."""
    status: str = "success"
    """"success" or "error"."""


class ChatGeneration(Generation, repr_omit_defaults=True, kw_only=True):
    """Is one whole answer of a chat model."""

    message: AIMessage
    """The answer as a message; `text` is its text."""


class ChatGenerationChunk(GenerationChunk, repr_omit_defaults=True, kw_only=True):
    """Is one piece of a chat model's answer, as `on_llm_new_token` gets it."""

    message: AIMessageChunk
    """The piece as a message."""


def join_kwargs(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Return the free facts of two pieces of one message: texts (`reasoning_content`) are joined, others replaced."""
    joined = {**left, **right}
    for name, value in right.items():
        before = left.get(name)
        if isinstance(value, str) and isinstance(before, str):
            joined[name] = before + value
    return joined


def text_of(content: Content) -> str:
    """Return a content's text: itself, or its text parts joined; other parts (images …) have no text."""
    if isinstance(content, str):
        return content
    pieces: list[str] = []
    for part in content:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, dict):
            entry = cast("dict[str, Any]", part)
            if entry.get("type", "text") == "text":
                pieces.append(str(entry.get("text", "")))
    return "".join(pieces)


def _given_whole(chunk: AIMessageChunk) -> list[ToolCall]:
    """Return the tool calls of a chunk that were not put together of its fragments."""
    if not chunk.tool_call_chunks:
        return chunk.tool_calls
    made = tool_calls_from_chunks(chunk.tool_call_chunks)
    return [call for call in chunk.tool_calls if call not in made]


def _join_content(left: Content, right: Content) -> Content:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    as_list = [[part] if part else [] for part in (left, right) if isinstance(part, str)]
    if isinstance(left, str):
        return [*as_list[0], *right]
    if isinstance(right, str):
        return [*left, *as_list[0]]
    return [*left, *right]


def merge_tool_call_chunks(chunks: list[ToolCall]) -> list[ToolCall]:
    """Merge fragments of the same `index`: `args` concatenate, the first name and id stay."""
    merged: dict[Any, ToolCall] = {}
    order: list[Any] = []
    for position, chunk in enumerate(chunks):
        index = chunk.get("index")
        key: Any = ("free", position) if index is None else index
        if key not in merged:
            merged[key] = dict(chunk)
            order.append(key)
            continue
        known = merged[key]
        known["args"] = (known.get("args") or "") + (chunk.get("args") or "")
        known["name"] = known.get("name") or chunk.get("name")
        known["id"] = known.get("id") or chunk.get("id")
    return [merged[key] for key in order]


def tool_calls_from_chunks(chunks: list[ToolCall]) -> list[ToolCall]:
    """Return the tool calls whose fragments are complete JSON objects; the unfinished ones are left out."""
    calls: list[ToolCall] = []
    for chunk in merge_tool_call_chunks(chunks):
        args = _arguments(chunk)
        if args is not None and chunk.get("name"):
            calls.append({"name": chunk["name"], "args": args, "id": chunk.get("id"), "type": "tool_call"})
    return calls


def invalid_tool_calls_from_chunks(chunks: list[ToolCall]) -> list[ToolCall]:
    """Return the tool calls of an ended answer that `tool_calls_from_chunks` leaves out, with what there is of them."""
    return [
        {
            "name": chunk.get("name"),
            "args": chunk.get("args"),
            "id": chunk.get("id"),
            "error": "the arguments are no JSON object" if chunk.get("name") else "the call names no tool",
            "type": "invalid_tool_call",
        }
        for chunk in merge_tool_call_chunks(chunks)
        if _arguments(chunk) is None or not chunk.get("name")
    ]


def _arguments(chunk: ToolCall) -> dict[str, Any] | None:
    """Return a merged call's arguments, None when they are no JSON object."""
    args = chunk.get("args")
    if args is None or isinstance(args, str):
        try:
            args = parse_json(args or "{}")
        except ValueError:
            return None
    return cast("dict[str, Any]", args) if isinstance(args, dict) else None
