"""Messages both ways: what langchain_core's are in ours, and ours in langchain_core's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from langchain_core import messages as lc
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall as LangChainToolCall
from langchain_core.messages.tool import ToolCallChunk

from modelport.integrations.langchain.content import answer_of, parts_of
from modelport.values.errors import InputError
from modelport.values.generations import ToolCall
from modelport.values.json_values import json_text
from modelport.values.messages import AIMessage, AIMessageChunk, HumanMessage, Message, SystemMessage, ToolMessage
from modelport.values.prompt_values import message_from
from modelport.values.usage import Usage, usage_from

_REASON_NAMES = ("finish_reason", "stop_reason", "done_reason")
"""How providers call it in a message's `response_metadata`."""


def messages_from_langchain(messages: Iterable[lc.BaseMessage]) -> list[Message]:
    """Return langchain_core's messages as ours.

    Results of tools that a human message carries (Anthropic's `tool_result` blocks) become messages of their own.

    Raises:
        InputError: A message has a role that no model knows.
    """
    found: list[Message] = []
    for message in messages:
        if message.content.__class__ is list and isinstance(message, lc.HumanMessage):
            found += _human_and_results(message)
        else:
            found.append(message_from_langchain(message))
    return found


def message_from_langchain(message: lc.BaseMessage) -> Message:
    """Return one of langchain_core's messages, or chunks of one, as ours.

    Raises:
        InputError: The message has a role that no model knows.
    """
    if isinstance(message, lc.AIMessageChunk):
        return chunk_from_langchain(message)
    if isinstance(message, lc.AIMessage):
        return AIMessage(
            tool_calls=[_tool_call(call) for call in message.tool_calls],
            invalid_tool_calls=[dict(call) for call in message.invalid_tool_calls],
            **_answer_fields(message),
        )
    fields: dict[str, Any] = {
        "content": parts_of(message.content),
        "name": message.name,
        "id": message.id,
        "additional_kwargs": message.additional_kwargs,
    }
    if isinstance(message, lc.HumanMessage):
        return HumanMessage(**fields)
    if isinstance(message, lc.SystemMessage):
        return SystemMessage(**fields)
    if isinstance(message, lc.ToolMessage):
        return ToolMessage(tool_call_id=message.tool_call_id, status=message.status, **fields)
    if isinstance(message, lc.FunctionMessage):
        return ToolMessage(**fields)
    if isinstance(message, lc.ChatMessage):
        return message_from((message.role, fields["content"]))
    raise InputError(f"a message of type {type(message).__name__} is nothing that a model reads", param="messages")


def chunk_from_langchain(chunk: lc.AIMessageChunk) -> AIMessageChunk:
    """Return a piece of an answer as ours; LangChain's half-parsed tool calls are left to its fragments."""
    return AIMessageChunk(
        tool_call_chunks=[_fragment(one) for one in chunk.tool_call_chunks],
        chunk_position=chunk.chunk_position,
        **_answer_fields(chunk),
    )


def message_to_langchain(message: Message) -> lc.BaseMessage:
    """Return a message as langchain_core's.

    Raises:
        InputError: It is a message of a class that is not ours.
    """
    if isinstance(message, AIMessageChunk):
        return chunk_to_langchain(message)
    if isinstance(message, AIMessage):
        return answer_to_langchain(message)
    fields: dict[str, Any] = {"content": message.content, "name": message.name, "id": message.id}
    if message.additional_kwargs:
        fields["additional_kwargs"] = dict(message.additional_kwargs)
    if isinstance(message, ToolMessage):
        return lc.ToolMessage(tool_call_id=message.tool_call_id, status=message.status, **fields)
    known = {"human": lc.HumanMessage, "system": lc.SystemMessage}.get(message.type)
    if known is None:
        raise InputError(f"a message of type {message.type!r} has no counterpart in LangChain", param="messages")
    return known(**fields)


def messages_to_langchain(messages: Sequence[Message]) -> list[lc.BaseMessage]:
    """Return messages as langchain_core's."""
    return [message_to_langchain(message) for message in messages]


def answer_to_langchain(message: AIMessage) -> lc.AIMessage:
    """Return a whole answer as langchain_core's message."""
    return lc.AIMessage(
        tool_calls=[_whole_call(call) for call in message.tool_calls if isinstance(call.get("args"), dict)],
        invalid_tool_calls=[
            _invalid_call(call)
            for call in (*message.invalid_tool_calls, *message.tool_calls)
            if not isinstance(call.get("args"), dict)
        ],
        **_fields_to_langchain(message),
    )


def chunk_to_langchain(chunk: AIMessageChunk) -> lc.AIMessageChunk:
    """Return a piece of an answer as a fresh chunk of langchain_core's: its callers write into what they get."""
    if not (chunk.tool_calls or chunk.tool_call_chunks):
        return lc.AIMessageChunk(**_fields_to_langchain(chunk))
    # Whole calls come as fragments without an index: LangChain keeps each apart from the others then.
    known = [call.get("id") for call in chunk.tool_call_chunks]
    whole = [call for call in chunk.tool_calls if not chunk.tool_call_chunks or call.get("id") not in known]
    fragments = [_call_chunk(call) for call in (*whole, *chunk.tool_call_chunks)]
    return lc.AIMessageChunk(tool_call_chunks=fragments, **_fields_to_langchain(chunk))


def usage_from_langchain(usage: Mapping[str, Any] | None) -> Usage | None:
    """Return the usage of `usage_metadata`, `token_usage` or `usage` in either's names; None when it says nothing."""
    return usage_from(usage)


def usage_to_langchain(usage: Usage) -> UsageMetadata:
    """Return a usage as `usage_metadata`."""
    return UsageMetadata(
        input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, total_tokens=usage.total_tokens
    )


def finish_reason_of(facts: Mapping[str, Any]) -> str | None:
    """Return why an answer ended, as its `response_metadata` or `generation_info` says."""
    return next((facts[name] for name in _REASON_NAMES if isinstance(facts.get(name), str)), None)


def _answer_fields(message: lc.AIMessage) -> dict[str, Any]:
    content, thoughts = answer_of(message.content)
    extra = message.additional_kwargs
    if thoughts and "reasoning_content" not in extra:
        extra = {**extra, "reasoning_content": thoughts}
    facts = message.response_metadata
    reason = finish_reason_of(facts)
    if reason is not None and "finish_reason" not in facts:
        facts = {**facts, "finish_reason": reason}
    return {
        "content": content,
        "name": message.name,
        "id": message.id,
        "additional_kwargs": extra,
        "usage_metadata": cast("dict[str, int] | None", message.usage_metadata),
        "response_metadata": facts,
    }


def _fields_to_langchain(message: AIMessage) -> dict[str, Any]:
    """Return the fields that are not empty: LangChain checks every one it is given."""
    fields: dict[str, Any] = {"content": message.content}
    for name in ("name", "id", "usage_metadata"):
        if (value := getattr(message, name)) is not None:
            fields[name] = value
    for name in ("additional_kwargs", "response_metadata"):
        if value := getattr(message, name):
            fields[name] = dict(value)
    if isinstance(message, AIMessageChunk) and message.chunk_position is not None:
        fields["chunk_position"] = message.chunk_position
    return fields


def _human_and_results(message: lc.HumanMessage) -> list[Message]:
    results: list[Message] = []
    rest: list[Any] = []
    for block in cast("list[Any]", message.content):
        if isinstance(block, dict) and cast("dict[str, Any]", block).get("type") == "tool_result":
            results.append(_result_message(cast("dict[str, Any]", block)))
        else:
            rest.append(block)
    human = HumanMessage(parts_of(rest), message.name, message.id, message.additional_kwargs)
    return [*results, human] if rest or not results else results


def _result_message(block: dict[str, Any]) -> ToolMessage:
    content: Any = block.get("content")
    return ToolMessage(
        parts_of(cast("str | list[Any]", content) if isinstance(content, (str, list)) else ""),
        tool_call_id=str(block.get("tool_use_id", "")),
        status="error" if block.get("is_error") else "success",
    )


def _tool_call(call: LangChainToolCall) -> ToolCall:
    return {"name": call["name"], "args": call["args"], "id": call["id"], "type": "tool_call"}


def _fragment(call: ToolCallChunk) -> ToolCall:
    fragment = {"name": call["name"], "args": call["args"], "id": call["id"], "index": call["index"]}
    return {**fragment, "type": "tool_call_chunk"}


def _whole_call(call: ToolCall) -> LangChainToolCall:
    return LangChainToolCall(name=call.get("name") or "", args=call["args"], id=call.get("id"), type="tool_call")


def _invalid_call(call: ToolCall) -> lc.InvalidToolCall:
    error = call.get("error") or "the arguments are no JSON object"
    args = call.get("args")
    return lc.InvalidToolCall(
        type="invalid_tool_call", id=call.get("id"), name=call.get("name"), args=_text_of(args), error=error
    )


def _call_chunk(call: ToolCall) -> ToolCallChunk:
    return ToolCallChunk(
        name=call.get("name"),
        args=_text_of(call.get("args")),
        id=call.get("id"),
        index=call.get("index"),
        type="tool_call_chunk",
    )


def _text_of(args: Any) -> str | None:
    return args if args is None or isinstance(args, str) else json_text(args)
