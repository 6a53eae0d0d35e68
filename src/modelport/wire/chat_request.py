"""What `POST /chat/completions` takes: OpenAI's request, checked and brought into one form; and the way back."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modelport.values.errors import InputError
from modelport.wire.checks import checked, shown
from modelport.wire.json_text import decode_object, encode_json
from modelport.wire.request_fields import (
    Choices,
    Penalty,
    Probability,
    Seed,
    Stop,
    StreamOptions,
    Temperature,
    Text,
    Tokens,
    given_fields,
    stop_list,
)

ROLES = ("system", "developer", "user", "assistant", "tool")
"""The roles that a message may have."""
BOOKKEEPING = frozenset(
    {
        "metadata",
        "moderation",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
"""Fields for whoever runs the model, which say nothing about the answer: only a hook that names one gets it."""


class _Function(msgspec.Struct):
    name: str
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[str | dict[str, Any]] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Tool(msgspec.Struct):
    type: str
    function: _Function | None = None


class _ResponseFormat(msgspec.Struct):
    type: str


class ChatBody(msgspec.Struct):
    """Says what type and bounds the known fields have; the schema is OpenAI's `CreateChatCompletionRequest`."""

    model: Text
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Choices = 1
    stop: Stop = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: Seed | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, int | float] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: str | None = None
    modalities: list[str] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None


_OURS = frozenset({"model", "messages", "stream", "stream_options", "n", "stop", "max_tokens", "max_completion_tokens"})


class ChatRequest(msgspec.Struct, frozen=True):
    """Is a checked chat request."""

    model: str
    """The name that the client asks for, and that the answer carries."""
    messages: list[dict[str, Any]]
    """The messages as they came, at least one."""
    stream: bool = False
    """Whether the answer comes piece by piece."""
    include_usage: bool = False
    """Whether a stream ends with a chunk that carries the usage."""
    n: int = 1
    """How many choices are wanted."""
    stop: list[str] | None = None
    """Where to stop; None: nowhere."""
    max_tokens: int | None = None
    """The longest answer, in tokens: `max_completion_tokens`, else the older `max_tokens`."""
    options: dict[str, Any] = {}
    """All other fields that are not null: for the hook."""
    given: dict[str, Any] = {}
    """All fields that are not null, as they came: for a handler."""


def decode_chat_request(raw: bytes) -> ChatRequest:
    """Return the request in a body; null counts as absent, unknown fields are kept in `options`.

    Raises:
        InputError: The body is no JSON object, or a field is missing, of the wrong type or out of bounds.
    """
    body = given_fields(decode_object(raw))
    known = checked(body, ChatBody)
    _check_messages(known.messages)
    options: dict[str, Any] = {}
    if not body.keys() <= _OURS:
        options = {name: value for name, value in body.items() if name not in _OURS and not _is_default(name, value)}
    return ChatRequest(
        model=known.model,
        messages=body["messages"],
        stream=known.stream,
        include_usage=known.stream_options is not None and known.stream_options.include_usage is True,
        n=known.n,
        stop=stop_list(known.stop),
        max_tokens=known.max_completion_tokens or known.max_tokens,
        options=options,
        given=body,
    )


def encode_chat_request(request: ChatRequest, *, max_tokens_field: str = "max_tokens") -> bytes:
    """Return the body that asks another server for the same; what has OpenAI's default is left out.

    Args:
        request: What is asked; `options` cannot override its other fields.
        max_tokens_field: "max_completion_tokens" for servers that refuse the older name.
    """
    body = {**request.options, "model": request.model, "messages": request.messages}
    if request.stream:
        body["stream"] = True
    if request.include_usage:
        body["stream_options"] = {"include_usage": True}
    if request.n != 1:
        body["n"] = request.n
    if request.stop:
        body["stop"] = request.stop
    if request.max_tokens is not None:
        body[max_tokens_field] = request.max_tokens
    return encode_json(body)


def _is_default(name: str, value: Any) -> bool:
    """Tell whether a field says what holds anyway: clients send `tools: []` and `{"type": "text"}`."""
    if name == "tools":
        return value == []
    return name == "response_format" and value.get("type") == "text"


def _check_messages(messages: list[_Message]) -> None:
    for position, message in enumerate(messages):
        place = f"messages[{position}]"
        if message.role not in ROLES:
            raise InputError(
                f"'{place}.role' must be one of {', '.join(ROLES)}, got {shown(message.role)}",
                param=f"{place}.role",
            )
        if message.content is None and message.role != "assistant":
            raise InputError(
                f"'{place}.content' is missing: a message of the role {message.role!r} needs a text",
                param=f"{place}.content",
            )
        if message.role == "tool" and not message.tool_call_id:
            raise InputError(
                f"'{place}.tool_call_id' is missing: it says which call the tool answers",
                param=f"{place}.tool_call_id",
            )
        _check_parts(place, message.content)


def _check_parts(place: str, content: str | list[str | dict[str, Any]] | None) -> None:
    if content is None or isinstance(content, str):
        return
    for position, part in enumerate(content):
        if isinstance(part, str):
            continue
        kind = part.get("type")
        wrong = "type" if not isinstance(kind, str) else "text"
        if wrong == "type" or (kind == "text" and not isinstance(part.get("text"), str)):
            param = f"{place}.content[{position}].{wrong}"
            raise InputError(f"{param!r} must be a string, got {shown(part.get(wrong))}", param=param)
