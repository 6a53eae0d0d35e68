"""A chat answer piece by piece, as the objects that a client in the same process iterates over."""

from __future__ import annotations

from typing import Any

from modelport.values.generations import GenerationChunk
from modelport.wire.completion import CompletionUsage
from modelport.wire.completion_chunk import ChatCompletionChunk, Delta, StreamingChoice
from modelport.wire.finish import wire_logprobs, wire_usage
from modelport.wire.objects import plain
from modelport.wire.streamed_choice import StreamedChoice, has_text_beside

_new_chunk = plain(ChatCompletionChunk)
_new_choice = plain(StreamingChoice)
_new_delta = plain(Delta)


class ChatChunkObjects:
    """Makes the chunks of one request's stream: the same ones whose bytes `ChatChunks` makes."""

    __slots__ = ("_choices", "_completion_id", "_created", "_include_usage", "_model")

    def __init__(self, *, completion_id: str, created: int, model: str, include_usage: bool = False) -> None:
        self._completion_id = completion_id
        self._created = created
        self._model = model
        self._include_usage = include_usage
        self._choices: dict[int, StreamedChoice] = {}

    def chunks(self, index: int, chunk: GenerationChunk) -> list[ChatCompletionChunk]:
        """Return the chunks of one engine chunk of the choice `index`; its last one carries the finish reason."""
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = StreamedChoice()
        chunks: list[ChatCompletionChunk] = []
        if not choice.started:
            choice.started = True
            chunks.append(self._chunk(index, _new_delta(role="assistant", content="")))
        if (
            chunk.tool_calls
            or chunk.logprobs is not None
            or (chunk.__class__ is not GenerationChunk and has_text_beside(chunk))
        ):
            if (delta := choice.delta(chunk)) or chunk.logprobs is not None:
                chunks.append(self._chunk(index, Delta.model_validate(delta), logprobs=wire_logprobs(chunk.logprobs)))
        elif chunk.text:
            chunks.append(self._chunk(index, _new_delta(content=chunk.text)))
        elif chunk.finish_reason is not None:
            missing, reason = choice.end(chunk)
            if missing:
                chunks.append(self._chunk(index, Delta.model_validate({"tool_calls": missing})))
            chunks.append(self._chunk(index, _new_delta(), finish_reason=reason))
        return chunks

    @property
    def usage(self) -> CompletionUsage:
        """The tokens of all choices that have ended."""
        return wire_usage([choice.usage for choice in self._choices.values()])

    def last_chunks(self) -> list[ChatCompletionChunk]:
        """Return what ends the stream: a chunk with the usage when it was asked for, else nothing."""
        if not self._include_usage:
            return []
        return [
            _new_chunk(id=self._completion_id, created=self._created, model=self._model, choices=[], usage=self.usage)
        ]

    def _chunk(
        self, index: int, delta: Delta, *, logprobs: Any = None, finish_reason: str | None = None
    ) -> ChatCompletionChunk:
        choice = _new_choice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish_reason)
        return _new_chunk(id=self._completion_id, created=self._created, model=self._model, choices=[choice])
