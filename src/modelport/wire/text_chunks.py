"""A text answer piece by piece: as objects, and as the bytes of their server-sent events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.values.generations import GenerationChunk
from modelport.values.usage import Usage, usage_from
from modelport.wire.completion import CompletionUsage
from modelport.wire.finish import wire_usage
from modelport.wire.json_text import encode_line
from modelport.wire.objects import plain
from modelport.wire.received import BadResponseError, field_of, int_or, items_of, text_or_none, usage_in
from modelport.wire.received_chunks import IndexedChunk
from modelport.wire.sse import DONE, event
from modelport.wire.text_completion import TextChoice, TextCompletion
from modelport.wire.text_logprobs import chat_logprobs, text_logprobs
from modelport.wire.text_response import text_finish_reason

_new_completion = plain(TextCompletion)
_new_choice = plain(TextChoice)


class TextChunks:
    """Makes the chunks of one text request's stream; all carry the same id, time and model."""

    __slots__ = ("_echoes", "_facts", "_head", "_include_usage", "_lengths", "_n", "_tail", "_usages")

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
        include_usage: bool,
        n: int = 1,
        echoes: Sequence[str] | None = None,
    ) -> None:
        self._facts: dict[str, Any] = {"id": completion_id, "created": created, "model": model}
        self._include_usage = include_usage
        head = encode_line(_new_completion(**self._facts))
        self._head = b"data: " + head[: -len(b"]}")] + b'{"text":'
        """The event of a piece of text, up to the text."""
        # Next to a usage that comes at the end, OpenAI writes null in all other chunks.
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._n = n
        self._echoes = echoes
        """The prompts, when each choice begins with its own."""
        self._lengths: dict[int, int] = {}
        """How many characters of each choice have gone out."""
        self._usages: dict[int, list[Usage | None]] = {}

    def chunks(self, index: int, chunk: GenerationChunk) -> list[TextCompletion]:
        """Return the chunks of one engine chunk of the choice `index`, counted through all prompts."""
        chunks: list[TextCompletion] = []
        if index not in self._lengths:
            self._lengths[index] = 0
            if self._echoes is not None and (prompt := self._echoes[index // self._n]):
                chunks.append(self._chunk(index, prompt))
        if chunk.text or chunk.logprobs is not None:
            chunks.append(self._chunk(index, chunk.text, logprobs=chunk.logprobs))
        elif chunk.finish_reason is not None:
            self._usages.setdefault(index // self._n, []).append(chunk.usage)
            chunks.append(self._chunk(index, "", finish_reason=text_finish_reason(chunk.finish_reason)))
        return chunks

    def events(self, index: int, chunk: GenerationChunk) -> list[bytes]:
        """Return the events of one engine chunk of the choice `index`."""
        if chunk.text and chunk.logprobs is None and index in self._lengths:
            self._lengths[index] += len(chunk.text)
            rest = b',"index":%d,"logprobs":null,"finish_reason":null}]' % index
            return [self._head + encode_line(chunk.text) + rest + self._tail]
        return [b"data: " + encode_line(one)[:-1] + self._tail for one in self.chunks(index, chunk)]

    @property
    def usage(self) -> CompletionUsage:
        """The tokens of all choices that have ended; each prompt counts once."""
        total = Usage()
        for usages in self._usages.values():
            total += usage_from(wire_usage(usages)) or Usage()
        return wire_usage([total])

    def last_chunks(self) -> list[TextCompletion]:
        """Return what ends the stream: a chunk with the usage when it was asked for, else nothing."""
        return [_new_completion(**self._facts, choices=[], usage=self.usage)] if self._include_usage else []

    def last_events(self) -> list[bytes]:
        """Return the events that end the stream, `[DONE]` last."""
        return [*(event(one) for one in self.last_chunks()), DONE]

    def _chunk(
        self, index: int, text: str, *, logprobs: Any = None, finish_reason: str | None = None
    ) -> TextCompletion:
        choice = _new_choice(
            text=text,
            index=index,
            logprobs=text_logprobs(logprobs, self._lengths[index]),
            finish_reason=finish_reason,
        )
        self._lengths[index] += len(text)
        return _new_completion(**self._facts, choices=[choice])


def read_text_chunk(value: Any) -> list[IndexedChunk]:
    """Return the engine chunks of one chunk of a text stream, with the index of their choice.

    Args:
        value: A `TextCompletion`, or the dict of one; usage that comes without choices is choice 0's.

    Raises:
        BadResponseError: It has no list of choices and no usage.
    """
    usage = usage_in(value)
    choices = items_of(value, "choices")
    if not choices and usage is None and not isinstance(field_of(value, "choices"), list):
        raise BadResponseError("a chunk of a text completion has no 'choices'")
    found = [
        (
            int_or(field_of(choice, "index"), position),
            GenerationChunk(
                text_or_none(field_of(choice, "text")) or "",
                text_or_none(field_of(choice, "finish_reason")) or None,
                usage if position == 0 else None,
                chat_logprobs(field_of(choice, "logprobs")),
            ),
        )
        for position, choice in enumerate(choices)
    ]
    return found or ([(0, GenerationChunk(usage=usage))] if usage is not None else [])
