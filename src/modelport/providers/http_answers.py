"""Reading the answers of a JSON API by the paths of its model: whole, and message by message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from modelport.providers.failures import broken_off, event_failure, malformed
from modelport.providers.http_paths import PathError, described, find, find_count, find_text, json_of
from modelport.providers.http_settings import PATHS, HTTPEndpoint
from modelport.values.errors import InputError
from modelport.values.generations import Generation, GenerationChunk, ToolCall
from modelport.values.prompt_values import tool_call_from
from modelport.values.usage import Usage

if TYPE_CHECKING:
    from modelport.providers.exchange import Exchange


class _Answer:
    """Reads the values of one answer, or of one message of it."""

    def __init__(self, model: HTTPEndpoint, exchange: Exchange) -> None:
        self._model = model
        self._exchange = exchange
        self._paths: dict[str, str | None] = {name: getattr(model, name) for name in PATHS}

    def decoded(self, raw: bytes | str) -> Any:
        """Return a JSON value.

        Raises:
            APIStatusError: It is no JSON, or says that the server failed.
        """
        try:
            value = json_of(raw)
        except ValueError:
            raise malformed(self._exchange.place, self._exchange.scrub, "sent what is no JSON", raw) from None
        try:
            failed = find(self._model.error_path, value)
        except PathError as error:
            raise self.odd(error) from None
        if failed:
            raise event_failure(failed, self._exchange.place, self._exchange.scrub)
        return value

    def told_failure(self, value: Any) -> Exception | None:
        """Return the error that stands in an answer without text, where most servers put it; None when there is none.

        What a model's own `error_path` finds is raised before.
        """
        failed = cast("dict[str, Any]", value).get("error") if isinstance(value, dict) else None
        if self._model.error_path is not None or not failed or not isinstance(failed, (str, dict)):
            return None
        return event_failure(failed, self._exchange.place, self._exchange.scrub)

    def odd(self, error: PathError) -> Exception:
        """Return the error of a path that finds something else."""
        return malformed(self._exchange.place, self._exchange.scrub, f"sent an answer of another shape: {error}")

    def facts(self, value: Any) -> tuple[str | None, Usage | None, list[ToolCall]]:
        """Return finish reason, usage and tool calls, as far as they are in a value.

        Raises:
            PathError: A path cannot be followed.
        """
        reason = find(self._paths["finish_reason_path"], value)
        reason = self._model.finish_reasons.get(reason, reason) if isinstance(reason, str) and reason else None
        prompt = find_count(self._paths["prompt_tokens_path"], value)
        completion = find_count(self._paths["completion_tokens_path"], value)
        usage = None
        if prompt is not None or completion is not None:
            usage = Usage(prompt or 0, completion or 0, (prompt or 0) + (completion or 0))
        calls = find(self._paths["tool_calls_path"], value)
        known = cast("list[Any]", calls) if isinstance(calls, list) else []
        return reason, usage, [_tool_call(call) for call in known]


def _tool_call(call: Any) -> ToolCall:
    if not isinstance(call, dict):
        raise PathError("tool_calls_path finds an entry that is no object")
    known: dict[str, Any] = tool_call_from(call)  # pyright: ignore[reportUnknownArgumentType]
    args = known.get("args", known.get("arguments"))
    return {"name": known.get("name"), "args": {} if args is None else args, "id": known.get("id"), "type": "tool_call"}


class WholeAnswer(_Answer):
    """Reads an answer that comes whole."""

    def read(self, body: bytes) -> Generation:
        """Return the answer.

        Raises:
            APIStatusError: It has no text where the path says, or says that the server failed.
        """
        path = self._paths["text_path"]
        if path is None and self._model.error_path is None:
            return Generation(body.decode("utf-8", "replace"))
        value = self.decoded(body)
        try:
            text = find_text(path, value) if path is not None else body.decode("utf-8", "replace")
            reason, usage, calls = self.facts(value)
        except PathError as error:
            raise self.odd(error) from None
        if text is None and not calls:
            missing = PathError(f"text_path {path!r} finds nothing in {described(value)}")
            raise self.told_failure(value) or self.odd(missing)
        return Generation(text or "", reason, usage, None, calls or None)


class StreamedAnswer(_Answer):
    """Reads an answer message by message."""

    def __init__(self, model: HTTPEndpoint, exchange: Exchange) -> None:
        super().__init__(model, exchange)
        assert model.streaming is not None, "the model streams"
        self._streaming = model.streaming
        for name in PATHS:
            self._paths[name] = getattr(model.streaming, name) or self._paths[name]
        self.done = False
        """Whether the server has said that the answer is complete."""
        self._has_begun = False
        self._finish_reason: str | None = None
        self._usage: Usage | None = None

    def pieces(self, messages: list[str]) -> Iterator[str | GenerationChunk]:
        """Yield the pieces of messages, up to the one that ends the answer; raises as `read` does."""
        self._has_begun = True
        for message in messages:
            piece = self.read(message)
            if piece is not None:
                yield piece
            if self.done:
                return

    def read(self, message: str) -> str | GenerationChunk | None:
        """Return the piece that a message brings; None when it brings none.

        Raises:
            APIStatusError: The message is not what it should be, or says that the server failed.
        """
        if self._streaming.format == "text":
            return message
        said = message.strip()
        if message == self._streaming.done or said in ("[DONE]", self._streaming.done):
            self.done = True
            return None
        if not said:
            return None
        value = self.decoded(message)
        path = self._paths["text_path"]
        if path is None and not isinstance(value, str):
            raise self.told_failure(value) or self.odd(
                PathError(f"a message is {described(value)}, and no text_path says where its text is")
            )
        try:
            text = find_text(path, value) if path is not None else value
            reason, usage, calls = self.facts(value)
            self.done = self.done or bool(find(self._streaming.done_path, value))
        except PathError as error:
            raise self.odd(error) from None
        self._finish_reason = reason or self._finish_reason
        self._usage = usage or self._usage
        if calls:
            return GenerationChunk(text or "", tool_calls=calls)
        if text is None and (failure := self.told_failure(value)) is not None:
            raise failure
        return text or None

    def last(self) -> GenerationChunk:
        """Return what ends the answer: finish reason and usage.

        Raises:
            APIStatusError: The server never said that the answer is complete, as it should; or it sent no stream.
        """
        if self._streaming.format == "sse" and not self._has_begun:
            self._exchange.check_events()
        says_so = self._streaming.done is not None or self._streaming.done_path is not None
        if says_so and not self.done:
            raise broken_off(self._exchange.place, self._exchange.scrub)
        return GenerationChunk("", self._finish_reason, self._usage)


def error_text(model: HTTPEndpoint, body: bytes) -> str | None:
    """Return what an error's body says at the model's `error_path`; None when it says nothing there."""
    try:
        found = find(model.error_path, json_of(body))
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def header_texts(headers: dict[str, Any]) -> dict[str, str]:
    """Return headers that were filled in, as texts in lower-case names.

    Raises:
        InputError: What was filled in has a line break, which would begin another header.
    """
    texts = {name.lower(): str(value) for name, value in headers.items()}
    for name, text in texts.items():
        if any(character in text for character in "\r\n\0"):
            raise InputError(f"headers.{name}: what is filled in must have no line break")
    return texts
