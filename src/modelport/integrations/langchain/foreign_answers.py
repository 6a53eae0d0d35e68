"""What LangChain's models answer, read as ours: texts, messages, usage, finish reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from langchain_core.messages import AIMessageChunk as LangChainChunk
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration as LangChainChatGeneration
from langchain_core.outputs import ChatGenerationChunk as LangChainChatChunk
from langchain_core.outputs import Generation as LangChainGeneration
from langchain_core.outputs import LLMResult as LangChainResult
from pydantic import BaseModel

from modelport.integrations.langchain.messages import finish_reason_of, message_from_langchain
from modelport.values.errors import HookError
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.json_values import json_text
from modelport.values.messages import AIMessage, AIMessageChunk
from modelport.values.usage import Usage, usage_from

_USAGE_NAMES = ("token_usage", "usage", "usage_metadata", "tokens")
"""How providers call it in `llm_output`, `generation_info` and `response_metadata`."""


def usage_in(facts: Mapping[str, Any] | None) -> Usage | None:
    """Return the usage that free facts of an answer tell."""
    if not facts:
        return None
    return next((usage for name in _USAGE_NAMES if (usage := usage_from(facts.get(name))) is not None), None)


def answers_of(result: LangChainResult, label: str, place: int = 0) -> Any:
    """Return the one answer to a prompt, or all choices of it as a list.

    Args:
        result: What `generate` gave.
        label: `Class._hook`, for the error.
        place: Which of its prompts is meant.

    Raises:
        HookError: There is none.
    """
    choices = result.generations[place] if len(result.generations) > place else []
    if not choices:
        raise HookError(f"{label} gave no generation; an empty answer is a generation with the text ''")
    # What it says of the call is about this answer only when there is no other.
    output = result.llm_output if len(choices) == 1 and len(result.generations) == 1 else None
    found = [_answer_of(cast("LangChainGeneration", one), output, label) for one in choices]
    return found[0] if len(found) == 1 else found


def first_choice(answer: Any) -> Any:
    """Return one answer, where several choices came and one is asked for."""
    return cast("list[Any]", answer)[0] if isinstance(answer, list) else answer


def _answer_of(one: LangChainGeneration, output: Mapping[str, Any] | None, label: str) -> Generation | AIMessage:
    if isinstance(one, LangChainChatGeneration):
        facts = {**(output or {}), **(one.generation_info or {}), **one.message.response_metadata}
        return _message_of(one.message, facts, label)
    if not isinstance(one.text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - model_construct checks nothing
        raise HookError(f"{label} gave a generation without text")
    info = one.generation_info or {}
    usage = usage_in(info) or usage_in(output)
    return Generation(one.text, finish_reason_of(info), usage, info.get("logprobs"))


def _message_of(message: BaseMessage, facts: Mapping[str, Any], label: str) -> AIMessage:
    """Return an answer's message as ours, with the usage and the finish reason that its facts tell."""
    own = message_from_langchain(message)
    if not isinstance(own, AIMessage):
        raise HookError(f"{label} answered with a {type(message).__name__}; a model answers with an AIMessage")
    changed: dict[str, Any] = {"response_metadata": _read(facts)}
    if own.usage_metadata is None and (usage := usage_in(facts)) is not None:
        changed["usage_metadata"] = usage.to_usage_metadata()
    return msgspec.structs.replace(own, **changed)


def _read(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts in which the finish reason has OpenAI's name."""
    reason = finish_reason_of(facts)
    return dict(facts) if reason is None else {**facts, "finish_reason": reason}


def message_answer(message: BaseMessage, label: str) -> AIMessage:
    """Return a message that a runnable answered with as ours.

    Raises:
        HookError: It is no answer of a model.
    """
    return _message_of(message, message.response_metadata, label)


class Pieces:
    """Reads the pieces of one stream: LangChain adds their usage up, of ours the last one counts."""

    __slots__ = ("_label", "_usage")

    def __init__(self, label: str) -> None:
        self._label = label
        self._usage = Usage()

    def read(self, piece: Any) -> Any:
        """Return a piece of a text or chat model's stream as ours; a str as it is.

        Raises:
            HookError: It is nothing that LangChain's models yield.
        """
        if isinstance(piece, str):
            return str(piece)  # a message's `text` is more than a str
        if isinstance(piece, LangChainChatChunk):
            return self._message(piece.message, {**(piece.generation_info or {}), **piece.message.response_metadata})
        if isinstance(piece, BaseMessage):
            return self._message(piece, piece.response_metadata)
        if isinstance(piece, LangChainGeneration):
            return self._text(piece)
        raise HookError(f"{self._label} yielded a {type(piece).__name__}; it must yield LangChain's chunks")

    def _text(self, piece: LangChainGeneration) -> GenerationChunk:
        info = piece.generation_info
        if not info:
            return GenerationChunk(piece.text)
        return GenerationChunk(piece.text, finish_reason_of(info), self._added(usage_in(info)), info.get("logprobs"))

    def _message(self, message: BaseMessage, facts: Mapping[str, Any]) -> AIMessage:
        if isinstance(message, LangChainChunk) and not facts and message.content.__class__ is str:
            plain = message.tool_call_chunks or message.usage_metadata or message.additional_kwargs or message.name
            if not plain and not message.tool_calls:
                return AIMessageChunk(cast("str", message.content), id=message.id)
        own = _message_of(message, facts, self._label)
        usage = self._added(usage_from(own.usage_metadata))
        return own if usage is None else msgspec.structs.replace(own, usage_metadata=usage.to_usage_metadata())

    def _added(self, usage: Usage | None) -> Usage | None:
        if usage is None:
            return None
        self._usage += usage
        return self._usage


def value_text(value: Any) -> str:
    """Return the text of what a chain gave that is neither text nor message: JSON, as parsers read it."""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return json_text(value)
