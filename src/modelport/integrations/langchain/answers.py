"""Answers as LangChain has them: generations, results, and the pieces of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from langchain_core import messages as lc
from langchain_core import outputs
from langchain_core.messages.ai import UsageMetadata

from modelport.engine.output import facts_of
from modelport.integrations.langchain.messages import answer_to_langchain, chunk_to_langchain, usage_to_langchain
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import (
    AIMessage,
    AIMessageChunk,
    ChatGeneration,
    ChatGenerationChunk,
    invalid_tool_calls_from_chunks,
    tool_calls_from_chunks,
)
from modelport.values.usage import Usage

_USAGE_NAMES = ("usage", "token_usage", "usage_metadata")


def text_result(answers: Sequence[Sequence[Generation]], model_name: str) -> outputs.LLMResult:
    """Return the choices of many prompts as a text model's result."""
    generations: list[list[Any]] = [[_text_generation(one) for one in choices] for choices in answers]
    usages = [one.usage for choices in answers for one in choices if one.usage is not None]
    total = usages[0] if len(usages) == 1 else sum(usages, Usage())
    output = {"token_usage": total.to_token_usage(), "model_name": model_name}
    return outputs.LLMResult(generations=generations, llm_output=output)


def chat_result(answers: Sequence[Generation], model_name: str) -> outputs.ChatResult:
    """Return the choices of one chat as a chat model's result."""
    return outputs.ChatResult(generations=[_chat_generation(one, model_name) for one in answers])


def _text_generation(answer: Generation) -> outputs.Generation:
    info: dict[str, Any] = {**(answer.generation_info or {}), "finish_reason": answer.finish_reason}
    if answer.logprobs is not None:
        info["logprobs"] = answer.logprobs
    if answer.tool_calls:
        info["tool_calls"] = answer.tool_calls
    return outputs.Generation(text=answer.text, generation_info=info)


def _chat_generation(answer: Generation, model_name: str) -> outputs.ChatGeneration:
    usage = answer.usage or Usage()
    if isinstance(answer, ChatGeneration):
        message = answer_to_langchain(answer.message)
        message.response_metadata["model_name"] = model_name  # a call may ask for another one than the model's
    elif answer.tool_calls:
        message = answer_to_langchain(_message_of(answer, usage, model_name))
    else:
        message = lc.AIMessage(content=answer.text)
        # What is known to be right is set: checking it again would take longer than all that is done here.
        message.usage_metadata = usage_to_langchain(usage)
        message.response_metadata = facts_of(answer.finish_reason or "stop", usage, model_name, answer.logprobs)
    return outputs.ChatGeneration(message=message, generation_info={"finish_reason": answer.finish_reason})


def _message_of(answer: Generation, usage: Usage, model_name: str) -> AIMessage:
    """Return the message of an answer that came as a text with tool calls."""
    calls = answer.tool_calls or []
    fragments = [call for call in calls if not isinstance(call.get("args"), dict)]
    whole = [call for call in calls if isinstance(call.get("args"), dict)]
    return AIMessage(
        answer.text,
        tool_calls=[*whole, *tool_calls_from_chunks(fragments)] if calls else [],
        invalid_tool_calls=invalid_tool_calls_from_chunks(fragments) if fragments else [],
        usage_metadata=usage.to_usage_metadata(),
        response_metadata=facts_of(answer.finish_reason or "stop", usage, model_name, answer.logprobs),
    )


class TextPieces:
    """Makes LangChain's chunks of a text stream, and of its end what they did not say yet.

    An estimated usage, and "stop", are what anybody could say: they make no chunk of their own, so that a stream has
    the chunks which the same model written for LangChain has.
    """

    __slots__ = ("_reason_told", "_usage_told", "started")

    def __init__(self) -> None:
        self.started = False
        """Whether a chunk was made."""
        self._reason_told = self._usage_told = False

    def chunk(self, piece: GenerationChunk) -> outputs.GenerationChunk | None:
        """Return the chunk of the next piece; None for an end that says nothing new."""
        text = piece.text
        if not (text or piece.tool_calls):
            return self._end(piece)
        info = dict(piece.generation_info or {})
        if piece.finish_reason is not None:
            self._reason_told = True
            info["finish_reason"] = piece.finish_reason
        if piece.usage is not None:
            self._usage_told = True
            if not any(name in info for name in _USAGE_NAMES):
                info["token_usage"] = piece.usage.to_token_usage()
        for name in ("logprobs", "tool_calls"):
            if (value := getattr(piece, name)) is not None:
                info[name] = value
        self.started = True
        return outputs.GenerationChunk(text=text, generation_info=info or None)

    def _end(self, piece: GenerationChunk) -> outputs.GenerationChunk | None:
        info: dict[str, Any] = {}
        if piece.finish_reason not in (None, "stop") and not self._reason_told:
            info["finish_reason"] = piece.finish_reason
        if piece.usage is not None and not piece.usage.estimated and not self._usage_told:
            info["token_usage"] = piece.usage.to_token_usage()
        if not info and self.started:
            return None
        return outputs.GenerationChunk(text="", generation_info=info or None)


def relayed_text(piece: GenerationChunk) -> outputs.GenerationChunk:
    """Return a piece as LangChain's chunk, for a run that is told of it."""
    return outputs.GenerationChunk(text=piece.text)


def chat_chunk(piece: GenerationChunk) -> outputs.ChatGenerationChunk:
    """Return a piece of a chat's answer as LangChain's chunk."""
    logprobs = piece.logprobs
    info = None if logprobs is None else {"logprobs": logprobs}
    if isinstance(piece, ChatGenerationChunk):
        message = chunk_to_langchain(piece.message)
    elif piece.tool_calls:
        message = chunk_to_langchain(_chunk_of(piece))
    else:
        message = lc.AIMessageChunk(content=piece.text)
    return outputs.ChatGenerationChunk(message=message, generation_info=info)


def last_chat_chunk(piece: GenerationChunk, model_name: str) -> outputs.ChatGenerationChunk:
    """Return the piece that ends a chat's answer: its usage and its finish reason."""
    usage = piece.usage or Usage()
    facts = facts_of(piece.finish_reason or "stop", usage, model_name, None)
    told = piece.message.usage_metadata if isinstance(piece, ChatGenerationChunk) else None
    return outputs.ChatGenerationChunk(
        message=lc.AIMessageChunk(
            content="",
            usage_metadata=cast("UsageMetadata", told) if told else usage_to_langchain(usage),
            response_metadata=facts,
            chunk_position="last",
        )
    )


def _chunk_of(piece: GenerationChunk) -> AIMessageChunk:
    calls = piece.tool_calls or []
    return AIMessageChunk(
        piece.text,
        tool_calls=[call for call in calls if isinstance(call.get("args"), dict)],
        tool_call_chunks=[call for call in calls if not isinstance(call.get("args"), dict)],
    )
