"""What went wrong upstream, as one of our errors: a status, a text without secrets, when to come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import msgspec

from modelport.runnables.backoff import retry_after_seconds
from modelport.values.status_errors import (
    APIStatusError,
    BadGatewayError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    Timeout,
    error_of_status,
)
from modelport.wire.error_object import TYPE_OF_STATUS

SHOWN_CHARACTERS = 300
"""How much of an answer that is no error object a message shows."""
CONNECTION_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""What the HTTP client raises when there is no answer, or no more of it."""

Scrub = Callable[[Any], Any]
"""Takes a model's secrets out of a text."""

_STATUS_OF_TYPE = {kind: status for status, kind in reversed(TYPE_OF_STATUS.items())}
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error")
_FORBIDDEN = ("content_filter", "content_policy_violation")


def connection_failure(error: BaseException, place: str, scrub: Scrub, *, started: bool) -> APIStatusError:
    """Return the error for a request that got no answer, or only a part of one.

    Args:
        error: What the client raised.
        place: The server, as `http://host:port`.
        scrub: Takes the model's secrets out of the text.
        started: Whether the answer had begun.
    """
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _failure(Timeout, 504, f"{place} did not accept a connection in time (connect_timeout_seconds)", scrub)
    if isinstance(error, TimeoutError):
        what = "stopped in the middle of its answer" if started else "did not answer in time"
        return _failure(Timeout, 504, f"{place} {what} (timeout_seconds)", scrub)
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return _failure(BadGatewayError, 502, f"the proxy to {place} cannot be reached: {_text_of(error)}", scrub)
    if isinstance(error, aiohttp.ClientSSLError):
        hint = "; is it signed by an authority of your own? give verify='ca.pem'"
        return _failure(BadGatewayError, 502, f"TLS with {place} failed: {_text_of(error)}{hint}", scrub)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _failure(BadGatewayError, 502, f"{place} cannot be reached: {_text_of(error)}", scrub)
    if started:
        return broken_off(place, scrub, _text_of(error))
    if isinstance(error, aiohttp.ClientResponseError):
        return _failure(BadGatewayError, 502, f"{place} answered with what is no HTTP: {_shown(error.message)}", scrub)
    return _failure(BadGatewayError, 502, f"{place} closed the connection before it answered", scrub)


def broken_off(place: str, scrub: Scrub, why: str = "") -> BadGatewayError:
    """Return the error for an answer whose end is missing."""
    reason = f" ({why})" if why else ""
    return _failure(BadGatewayError, 502, f"{place} broke off in the middle of its answer{reason}", scrub)


def malformed(place: str, scrub: Scrub, what: str, given: bytes | str = b"") -> BadGatewayError:
    """Return the error for an answer that is not what it should be; `given` is the part that is wrong."""
    seen = f": {_shown(given)}" if given else ""
    return _failure(BadGatewayError, 502, f"{place} {what}{seen}", scrub)


def no_events(body: bytes, content_type: str, place: str, scrub: Scrub) -> APIStatusError:
    """Return the error for a body without an event where a stream was asked for: what it says itself, if it does."""
    value = _decoded(body)
    failed = cast("dict[str, Any]", value).get("error") if isinstance(value, dict) else None
    if failed:
        return event_failure(failed, place, scrub)
    what = f"sent no server-sent events but {content_type} (is the address right, up to its /v1?)"
    return malformed(place, scrub, what, body)


def status_failure(
    status: int, headers: Mapping[str, str], body: bytes, place: str, scrub: Scrub, *, message: str | None = None
) -> APIStatusError:
    """Return the error for an answer whose status says failure.

    Args:
        status: The answer's status; one that is no error's counts as 502.
        headers: The answer's headers, ignoring case; `Retry-After` is read.
        body: The answer's body, or the beginning of it.
        place: The server, as `http://host:port`.
        scrub: Takes the model's secrets out of the text.
        message: What the server says, when it is known where that is in the body.
    """
    facts = _facts_of(_decoded(body))
    text = message or facts.get("message") or _shown(body) or "nothing else"
    if 300 <= status < 400:
        text = f"a redirect to {headers.get('location', 'nowhere')!r}; give the URL that it leads to"
    request_id = headers.get("x-request-id")
    text = f"{place} answered {status}: {text}" + (f" (request id {request_id})" if request_id else "")
    error = _of_status(status, scrub(text), facts)
    error.retry_after = _wait_of(headers)
    return error


def event_failure(given: Any, place: str, scrub: Scrub) -> APIStatusError:
    """Return the error that a server sent inside of its answer: an error object, or a text."""
    facts = _facts_of({"error": given})
    status = given.get("code") if isinstance(given, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        status = _STATUS_OF_TYPE.get(facts.get("type") or "", 502)
    text = facts.get("message") or _shown(str(given))  # pyright: ignore[reportUnknownArgumentType]
    return _of_status(status, scrub(f"{place} failed in the middle of its answer: {text}"), facts)


def _failure(cls: type[Any], status: int, text: str, scrub: Scrub) -> Any:
    return cls(scrub(text), status_code=status)


def _of_status(status: int, text: str, facts: dict[str, str]) -> APIStatusError:
    words = {facts.get("code"), facts.get("type")}
    keep: dict[str, Any] = {name: facts[name] for name in ("type", "param", "code") if name in facts}
    if status == 400:
        if not words.isdisjoint(_TOO_LONG) or "maximum context length" in text:
            return ContextWindowExceededError(text, **keep)
        if not words.isdisjoint(_FORBIDDEN):
            return ContentPolicyViolationError(text, **keep)
    return error_of_status(status if 400 <= status <= 599 else 502, text, **keep)


def _facts_of(body: Any) -> dict[str, str]:
    """Return the texts of an error body in OpenAI's shape, or in one of those that are common elsewhere."""
    if not isinstance(body, dict):
        return {}
    outer = cast("dict[str, Any]", body)
    inner: Any = outer.get("error")
    if isinstance(inner, dict):
        entry = cast("dict[str, Any]", inner)
    else:
        message = next((outer[name] for name in ("error", "message", "detail") if outer.get(name)), None)
        if message is not None and not isinstance(message, str):
            message = msgspec.json.encode(message).decode()[:SHOWN_CHARACTERS]
        entry = {**outer, "message": message}
    return {name: value for name in ("message", "type", "param", "code") if isinstance(value := entry.get(name), str)}


def _wait_of(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks to be left alone."""
    milliseconds = headers.get("retry-after-ms", "")
    try:
        return float(milliseconds) / 1000
    except ValueError:
        return retry_after_seconds(cast("Any", SimpleNamespace(headers=headers)))


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _shown(given: bytes | str) -> str:
    """Return the beginning of what a server sent, in one line."""
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else given
    line = " ".join(text[: 4 * SHOWN_CHARACTERS].split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"


def _text_of(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection was lost"
    cause = getattr(error, "os_error", None)
    return str(cause or error) or type(error).__name__
