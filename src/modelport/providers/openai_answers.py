"""Reading what OpenAI-compatible servers answer: whole, and event by event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from modelport.providers.failures import broken_off, event_failure, malformed
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import AIMessage, ChatGeneration
from modelport.values.shares import shared_out
from modelport.values.usage import Usage, usage_from
from modelport.wire.received import BadResponseError, decode_response, field_of, items_of
from modelport.wire.received_chunks import ReceivedChunks
from modelport.wire.received_messages import generations_of
from modelport.wire.text_chunks import read_text_chunk
from modelport.wire.text_response import generations_of_texts

if TYPE_CHECKING:
    from modelport.providers.exchange import Exchange


class StreamReader(Protocol):
    """Reads the events of one streamed answer."""

    done: bool
    """Whether the server has said that the answer is complete."""

    def read(self, event: str) -> Iterable[Any]:
        """Return the pieces of one event."""
        ...

    def last(self) -> GenerationChunk:
        """Return what ends the answer: finish reason and usage."""
        ...


def read_completion(body: bytes, exchange: Exchange) -> list[Generation]:
    """Return the choices of a chat completion.

    Raises:
        APIStatusError: It is none, or an error with a status of success.
    """
    completion = decoded(body, exchange)
    try:
        answers = generations_of(completion)
    except BadResponseError as error:
        raise _no_completion(exchange, str(error), body) from None
    if not answers:
        raise _no_completion(exchange, "there are no choices", body)
    return with_usage(answers, usage_from(completion.get("usage")))


def read_text_completion(body: bytes, exchange: Exchange) -> list[Generation]:
    """Return the choices of a text completion; raises as `read_completion` does."""
    completion = decoded(body, exchange)
    choices = items_of(completion, "choices")
    if not choices or not all(isinstance(field_of(choice, "text"), str) for choice in choices):
        raise _no_completion(exchange, "its choices have no 'text'", body)
    return with_usage(generations_of_texts(completion), usage_from(completion.get("usage")))


def decoded(body: bytes, exchange: Exchange) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        APIStatusError: It is none; or all it holds is an error.
    """
    try:
        value = decode_response(body)
    except BadResponseError as error:
        raise malformed(exchange.place, exchange.scrub, f"answered with something else: {error}") from None
    if value.get("error") and not value.get("choices") and not value.get("data"):
        raise event_failure(value["error"], exchange.place, exchange.scrub)
    return value


def with_usage(answers: list[Generation], usage: Usage | None) -> list[Generation]:
    """Return the choices of one request with its usage: each has the prompt's tokens, and its share of the answers'."""
    if usage is None or len(answers) == 1:
        return [_with(answer, usage) for answer in answers]
    parts = shared_out(usage.completion_tokens, [len(answer.text.encode()) for answer in answers])
    return [
        _with(answer, Usage(usage.prompt_tokens, part, usage.prompt_tokens + part))
        for answer, part in zip(answers, parts, strict=True)
    ]


def _with(answer: Generation, usage: Usage | None) -> Generation:
    if not isinstance(answer, ChatGeneration):
        return msgspec.structs.replace(answer, usage=usage)
    metadata = usage.to_usage_metadata() if usage is not None else None
    message: AIMessage = msgspec.structs.replace(answer.message, usage_metadata=metadata)
    return msgspec.structs.replace(answer, usage=usage, message=message)


def _no_completion(exchange: Exchange, why: str, body: bytes) -> Exception:
    return malformed(exchange.place, exchange.scrub, f"answered with no completion ({why})", body)


class _Delta(msgspec.Struct):
    content: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    reasoning: Any = None
    reasoning_content: Any = None


class _Choice(msgspec.Struct):
    index: Any = 0
    delta: _Delta | None = None
    text: Any = None
    logprobs: Any = None
    finish_reason: Any = None


class _Event(msgspec.Struct):
    choices: Sequence[_Choice] | None = None
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class _Reader:
    """Is what readers of chat and of text streams share: the facts of the end, errors, odd events."""

    def __init__(self, exchange: Exchange) -> None:
        self.done = False
        self._has_begun = False
        self._exchange = exchange
        self._finish_reason: str | None = None
        self._usage: Usage | None = None

    def read(self, event: str) -> Iterable[Any]:
        """Return the pieces of one event.

        Raises:
            APIStatusError: The event says that the server failed, or is no chunk.
        """
        self._has_begun = True
        try:
            chunk = _decode(event)
        except (msgspec.DecodeError, RecursionError):
            return self._read_odd(event)
        if chunk.error:
            raise event_failure(chunk.error, self._exchange.place, self._exchange.scrub)
        if chunk.usage is not None:
            self._usage = usage_from(chunk.usage) or self._usage
        if not chunk.choices:
            return ()
        return self._noted(chunk.choices[0], event)

    def last(self) -> GenerationChunk:
        """Return what ends the answer.

        Raises:
            APIStatusError: The server never said that the answer is complete, or sent no stream.
        """
        if not self.done and self._finish_reason is None:
            if not self._has_begun:
                self._exchange.check_events()
            raise broken_off(self._exchange.place, self._exchange.scrub)
        return GenerationChunk("", self._finish_reason, self._usage)

    def _read_choice(self, choice: _Choice, event: str) -> Iterable[Any]:
        raise NotImplementedError

    def _read_odd(self, event: str) -> Iterable[Any]:
        """Read an event that the fast decoder does not: JSON all the same, or nonsense."""
        try:
            value = decode_response(event)
            if value.get("error"):
                raise event_failure(value["error"], self._exchange.place, self._exchange.scrub)
            choices = cast("list[Any]", value.get("choices") or [])
            known = [msgspec.convert(choice, _Choice) for choice in choices[:1]]
        except (BadResponseError, msgspec.ValidationError):
            what = "sent an event that is no chunk of a completion"
            raise malformed(self._exchange.place, self._exchange.scrub, what, event) from None
        self._usage = usage_from(value.get("usage")) or self._usage
        return self._noted(known[0], event) if known else ()

    def _noted(self, choice: _Choice, event: str) -> Iterable[Any]:
        """Return the pieces of a choice, noting whether it ends the answer."""
        if choice.index not in (0, None):
            return ()  # one of several answers that nobody asked for
        if choice.finish_reason:
            self._finish_reason = str(choice.finish_reason)
        return self._read_choice(choice, event)


class ChatReader(_Reader):
    """Reads the events of a chat stream."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._received = ReceivedChunks()

    def _read_choice(self, choice: _Choice, event: str) -> Iterable[Any]:
        delta = choice.delta
        if delta is not None and choice.logprobs is None and _is_text(delta):
            return (delta.content,) if delta.content else ()
        try:
            found = self._received.read(decode_response(event))
        except BadResponseError as error:
            raise malformed(self._exchange.place, self._exchange.scrub, f"sent an odd chunk: {error}") from None
        return [_without_end(chunk) for _, chunk in found[:1]]


class TextReader(_Reader):
    """Reads the events of a text completion's stream."""

    def _read_choice(self, choice: _Choice, event: str) -> Iterable[Any]:
        if choice.text is None:
            return ()
        if not isinstance(choice.text, str):
            what = "sent an event whose 'text' is no text"
            raise malformed(self._exchange.place, self._exchange.scrub, what, event)
        if choice.logprobs is None:
            return (choice.text,) if choice.text else ()
        return [_without_end(chunk) for _, chunk in read_text_chunk(decode_response(event))[:1]]


def _is_text(delta: _Delta) -> bool:
    """Tell whether a delta has a text and nothing else."""
    return (
        delta.content is None or isinstance(delta.content, str)
    ) and delta.tool_calls is delta.function_call is delta.refusal is delta.reasoning is delta.reasoning_content is None


def _without_end(chunk: GenerationChunk) -> GenerationChunk:
    """Return a chunk without what the last one says for all."""
    chunk.finish_reason = chunk.usage = None
    return chunk
