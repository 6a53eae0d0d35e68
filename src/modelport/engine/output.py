"""One answer while it comes: decoding, stop strings, max_tokens, and what its end says.

The sync and the async half of every way to call push the hook's pieces through the same `Output`.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, cast

import msgspec

from modelport.engine.reading import read_piece
from modelport.engine.stop import StopFilter
from modelport.engine.tokens import Count, TokenBudget, usage_of
from modelport.values.errors import HookError
from modelport.values.generations import Generation, GenerationChunk, ToolCall
from modelport.values.messages import (
    AIMessage,
    AIMessageChunk,
    ChatGeneration,
    ChatGenerationChunk,
    invalid_tool_calls_from_chunks,
    join_kwargs,
    tool_calls_from_chunks,
)
from modelport.values.usage import Usage

_INVALID = "invalid_tool_call"


class Output:
    """Takes a hook's pieces and releases what the caller may see."""

    __slots__ = (
        "_budget",
        "_chunks",
        "_decoder",
        "_details",
        "_finish_reason",
        "_is_plain",
        "_label",
        "_stop",
        "_texts",
        "_tool_calls",
        "_usage",
        "_wants_messages",
        "chat",
        "cut",
        "logprobs",
        "started",
    )

    def __init__(
        self,
        label: str,
        *,
        chat: bool,
        stop: StopFilter | None,
        budget: TokenBudget | None,
        wants_messages: bool = True,
    ) -> None:
        self.chat = chat
        """Whether pieces are released as `ChatGenerationChunk`."""
        self.cut = False
        """True once nothing more is released: the hook is closed at once."""
        self.logprobs: Any = None
        """The author's log probabilities, when a single piece carries them all."""
        self._label = label
        self._stop = stop
        self._budget = budget
        self._texts: list[str] = []
        self._chunks: list[AIMessageChunk] = []
        self._tool_calls: list[ToolCall] = []
        self._usage: Usage | None = None
        self._details: dict[str, Any] = {}
        self._finish_reason: str | None = None
        self._decoder: Any = None
        self.started = False
        """Whether the hook has given anything yet."""
        self._wants_messages = chat and wants_messages
        self._is_plain = not self._wants_messages and stop is None and budget is None
        """Whether a str goes out as it came in."""

    @property
    def text(self) -> str:
        """All text released so far."""
        return "".join(self._texts)

    def push(self, value: Any) -> GenerationChunk | None:
        """Take what the hook gave next; return what is released now, None when nothing is.

        Raises:
            HookError: The value is no piece of an answer.
        """
        self.started = True
        kind = value.__class__
        if kind is str:
            piece = GenerationChunk(value)
            if self._is_plain:
                self._texts.append(value)
                return piece if value else None
        elif kind is GenerationChunk and value.generation_info is None and value.text.__class__ is str:
            piece = value
            if self._is_plain and value.finish_reason is value.usage is value.logprobs is value.tool_calls is None:
                self._texts.append(value.text)
                return value if value.text else None
        elif isinstance(value, (bytes, bytearray)):
            piece = GenerationChunk(self._decode(value))
        else:
            piece = read_piece(value, self._label)
        if piece.usage is not None or piece.finish_reason is not None or piece.logprobs is not None:
            self._note(piece)
        text = piece.text
        released = self._filter(text) if text and (self._stop is not None or self._budget is not None) else text
        return self._release(piece, released)

    def finish(self) -> GenerationChunk | None:
        """Take the end of the hook; return what was still held back, None when nothing was.

        Raises:
            HookError: The hook gave nothing at all, which is no answer, not even an empty one.
        """
        if not self.started:
            raise nothing_yielded(self._label)
        rest = self._decoder.decode(b"", final=True) if self._decoder is not None and not self.cut else ""
        text = self._filter(rest) if rest else ""
        if self._stop is not None and not self.cut:
            held = self._stop.finish()
            text += self._spend(held)
            self.cut = self.cut or self._stop.matched
        return self._release(GenerationChunk(text), text) if text else None

    def _decode(self, value: bytes | bytearray) -> str:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return self._decoder.decode(bytes(value))

    def _filter(self, text: str) -> str:
        if self._stop is not None:
            text = self._stop.push(text)
            self.cut = self._stop.matched
        return self._spend(text)

    def _spend(self, text: str) -> str:
        if self._budget is not None and text:
            text = self._budget.push(text)
            self.cut = self.cut or self._budget.exceeded
        return text

    def _note(self, piece: GenerationChunk) -> None:
        self._usage = piece.usage or self._usage
        if isinstance(piece, ChatGenerationChunk) and (told := piece.message.usage_metadata):
            self._details.update({name: value for name, value in told.items() if name.endswith("_details")})
        self._finish_reason = piece.finish_reason or self._finish_reason
        if piece.logprobs is not None:
            self.logprobs = _join_logprobs(self.logprobs, piece.logprobs)

    def _release(self, piece: GenerationChunk, text: str) -> GenerationChunk | None:
        if text:
            self._texts.append(text)
        elif not piece.tool_calls and not isinstance(piece, ChatGenerationChunk):
            return None
        if piece.tool_calls:
            self._tool_calls.extend(piece.tool_calls)
        if not (self._wants_messages or isinstance(piece, ChatGenerationChunk)):
            return piece if text is piece.text or text == piece.text else msgspec.structs.replace(piece, text=text)
        return self._release_message(piece, text)

    def _release_message(self, piece: GenerationChunk, text: str) -> GenerationChunk | None:
        if isinstance(piece, ChatGenerationChunk):
            message = piece.message
            if message.text != text:
                message = msgspec.structs.replace(message, content=text)
            # The facts of the whole answer come once, with the last chunk.
            calls = [_named(call) for call in message.tool_calls] if message.tool_calls else []
            message = msgspec.structs.replace(
                message, tool_calls=calls, usage_metadata=None, response_metadata={}, chunk_position=None
            )
            self._chunks.append(message)
            if not (message.content or message.tool_calls or message.tool_call_chunks or message.additional_kwargs):
                return None
        elif not piece.tool_calls:
            return ChatGenerationChunk(text, None, None, piece.logprobs, message=AIMessageChunk(text))
        else:
            fragments = [call for call in piece.tool_calls or () if not isinstance(call.get("args"), dict)]
            whole = [_named(call) for call in piece.tool_calls or () if isinstance(call.get("args"), dict)]
            message = AIMessageChunk(content=text, tool_calls=whole, tool_call_chunks=fragments)
            self._chunks.append(message)
        return ChatGenerationChunk(text, tool_calls=piece.tool_calls, logprobs=piece.logprobs, message=message)

    def result(
        self,
        *,
        reported: Usage | None,
        finish: str | None,
        prompt: Callable[[], str],
        count: Count | None,
        name: Callable[[], str],
    ) -> Generation:
        """Return the whole answer with its usage and finish reason.

        Args:
            reported: What `run_manager.report_usage` was told; it wins over what the pieces carried.
            finish: What `run_manager.finish` was told.
            prompt: Gives the input's text, when its tokens have to be counted.
            count: The model's own `_count_tokens`.
            name: Gives the model's name, for a message's `response_metadata`.
        """
        text = self.text
        usage = usage_of(reported or self._usage, prompt, text, count)
        calls = self._whole_tool_calls()
        reason = self._reason(finish, calls)
        if not (self._wants_messages or self._chunks):
            return Generation(text, reason, usage, self.logprobs, calls or None)
        return ChatGeneration(
            text, reason, usage, self.logprobs, calls or None, message=self._message(text, reason, usage, calls, name())
        )

    def _reason(self, finish: str | None, calls: list[ToolCall]) -> str:
        if self._budget is not None and self._budget.exceeded:
            return "length"
        if self._stop is not None and self._stop.matched:
            return "stop"
        return finish or self._finish_reason or ("tool_calls" if calls else "stop")

    def _whole_tool_calls(self) -> list[ToolCall]:
        if not self._tool_calls:
            return []
        whole = [_named(call) for call in self._tool_calls if isinstance(call.get("args"), dict)]
        fragments = [call for call in self._tool_calls if not isinstance(call.get("args"), dict)]
        return [*whole, *tool_calls_from_chunks(fragments), *invalid_tool_calls_from_chunks(fragments)]

    def _message(self, text: str, reason: str, usage: Usage, calls: list[ToolCall], name: str) -> AIMessage:
        extra: dict[str, Any] = {}
        for chunk in self._chunks:
            extra = join_kwargs(extra, chunk.additional_kwargs) if chunk.additional_kwargs else extra
        parts = [part for chunk in self._chunks if isinstance(chunk.content, list) for part in chunk.content]
        ids = [chunk.id for chunk in self._chunks if chunk.id]
        return AIMessage(
            content=parts or text,
            id=ids[0] if ids else None,
            additional_kwargs=extra,
            tool_calls=[call for call in calls if call.get("type") != _INVALID],
            invalid_tool_calls=[call for call in calls if call.get("type") == _INVALID],
            usage_metadata={**usage.to_usage_metadata(), **self._details},
            response_metadata=facts_of(reason, usage, name, self.logprobs),
        )


def _named(call: ToolCall) -> ToolCall:
    """Return a whole tool call with all that one has: LangChain's tools look at the type to know one."""
    return call if call.get("type") in ("tool_call", _INVALID) else {"id": None, **call, "type": "tool_call"}


def nothing_yielded(label: str) -> HookError:
    """Return the error of a streaming hook that ended without a piece: truncation must not look like an answer."""
    return HookError(f"{label} yielded nothing; yield at least one piece, '' for an empty answer")


def facts_of(reason: str, usage: Usage, name: str, logprobs: Any) -> dict[str, Any]:
    """Return the `response_metadata` of an answer."""
    facts: dict[str, Any] = {"finish_reason": reason, "model_name": name}
    if usage.estimated:
        facts["usage_estimated"] = True
    if logprobs is not None:
        facts["logprobs"] = logprobs
    return facts


def last_chunk(answer: Generation) -> GenerationChunk:
    """Return the chunk that ends a stream: no text, the finish reason and the usage of the whole answer."""
    if not isinstance(answer, ChatGeneration):
        return GenerationChunk("", answer.finish_reason, answer.usage)
    message = AIMessageChunk(
        content="",
        usage_metadata=answer.message.usage_metadata,
        response_metadata=answer.message.response_metadata,
        chunk_position="last",
    )
    return ChatGenerationChunk("", answer.finish_reason, answer.usage, message=message)


def _join_logprobs(known: Any, new: Any) -> Any:
    """Join log probabilities in OpenAI's chat shape; of other shapes the newest counts."""
    if isinstance(known, dict) and isinstance(new, dict):
        old, later = cast("dict[str, Any]", known), cast("dict[str, Any]", new)
        if isinstance(old.get("content"), list):
            return {**old, "content": cast("list[Any]", [*old["content"], *(later.get("content") or [])])}
    return cast("Any", new)
