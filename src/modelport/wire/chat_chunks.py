"""A chat answer piece by piece: each engine chunk becomes the bytes of its server-sent events.

Everything that all chunks of a stream have in common is encoded once; a piece of text costs one JSON string.
"""

from __future__ import annotations

from typing import Any

from modelport.values.generations import GenerationChunk
from modelport.wire.completion import CompletionUsage
from modelport.wire.finish import wire_logprobs, wire_usage
from modelport.wire.json_text import encode_line
from modelport.wire.sse import DONE, event
from modelport.wire.streamed_choice import StreamedChoice, has_text_beside


class _EncodedChoice(StreamedChoice):
    """Is one of the n answers, with what its events have in common."""

    __slots__ = ("after_text", "before_text")

    def __init__(self, before_text: bytes, after_text: bytes) -> None:
        super().__init__()
        self.before_text = before_text
        """The event of a piece of text, up to the text."""
        self.after_text = after_text
        """The rest of that event."""


class ChatChunks:
    """Encodes the stream of one request; all its chunks carry the same id, time and model."""

    __slots__ = ("_choices", "_facts", "_head", "_include_usage", "_tail")

    def __init__(self, *, completion_id: str, created: int, model: str, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._facts = {"id": completion_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + encode_line(self._facts)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._choices: dict[int, _EncodedChoice] = {}

    def events(self, index: int, chunk: GenerationChunk) -> list[bytes]:
        """Return the events of one chunk of the choice `index`; its last chunk carries the finish reason."""
        choice = self._choices.get(index)
        if (
            chunk.__class__ is GenerationChunk
            and choice is not None
            and chunk.text
            and not chunk.tool_calls
            and chunk.logprobs is None
        ):
            # Nearly every chunk: a further piece of text and nothing else.
            return [choice.before_text + encode_line(chunk.text) + choice.after_text]
        if choice is None:
            choice = self._open(index)
            events = [self._delta(index, {"role": "assistant", "content": ""})]
        else:
            events = []
        if (
            chunk.tool_calls
            or chunk.logprobs is not None
            or (chunk.__class__ is not GenerationChunk and has_text_beside(chunk))
        ):
            if (delta := choice.delta(chunk)) or chunk.logprobs is not None:
                events.append(self._delta(index, delta, logprobs=wire_logprobs(chunk.logprobs)))
        elif chunk.text:
            events.append(choice.before_text + encode_line(chunk.text) + choice.after_text)
        elif chunk.finish_reason is not None:
            missing, reason = choice.end(chunk)
            if missing:
                events.append(self._delta(index, {"tool_calls": missing}))
            events.append(self._delta(index, {}, finish_reason=reason))
        return events

    @property
    def usage(self) -> CompletionUsage:
        """The tokens of all choices that have ended."""
        return wire_usage([choice.usage for choice in self._choices.values()])

    def last_events(self) -> list[bytes]:
        """Return what ends the stream: the usage when the client asked for it, and `[DONE]`."""
        if not self._include_usage:
            return [DONE]
        return [event({**self._facts, "choices": [], "usage": self.usage}), DONE]

    def _open(self, index: int) -> _EncodedChoice:
        before = b'%s{"index":%d,"delta":{"content":' % (self._head, index)
        after = b'},"logprobs":null,"finish_reason":null}' + self._tail
        choice = self._choices[index] = _EncodedChoice(before, after)
        return choice

    def _delta(
        self, index: int, delta: dict[str, Any], *, logprobs: Any = None, finish_reason: str | None = None
    ) -> bytes:
        entry = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return self._head + encode_line(entry) + self._tail
