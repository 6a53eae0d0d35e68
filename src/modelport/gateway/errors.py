"""From an exception to what a client reads: a status, OpenAI's error object, and the headers that SDKs obey."""

from __future__ import annotations

import logging
import math
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from starlette.exceptions import HTTPException

from modelport.gateway.record import RequestRecord
from modelport.models.scrubbing import Scrubber
from modelport.runnables.backoff import retry_after_seconds
from modelport.values.errors import InputError, ModelportError
from modelport.wire.error_object import ErrorBody, ErrorObject, type_of_status

logger = logging.getLogger("modelport.gateway")

_FACTS = ("status_code", "type", "param", "code", "retry_after", "response", "headers")
"""The attributes of errors that are looked at."""
_held_the_loop: set[str] = set()
"""The deployments of which that has been said: configured names, so there are not many."""
_OURS = str(Path(__file__).parent.parent)
_PYTHONS = sysconfig.get_path("stdlib")
WAIT_SECONDS = "1"
"""What `Retry-After` says when the upstream said nothing."""
LONGEST_MESSAGE = 8_000
"""How many characters of an error's text a client gets."""
OVERLOADED = (429, 503)
"""The statuses that a client should try again after a while."""


class BodyTooLargeError(InputError):
    """Says that a request's body is larger than `server.limits.max_body_bytes`."""

    status_code = 413


class EncodedBodyError(InputError):
    """Says that a request's body is compressed."""

    status_code = 415


class ErrorReply(msgspec.Struct, frozen=True):
    """Is an answer that is an error."""

    status_code: int
    body: ErrorBody
    headers: dict[str, str] = {}
    """Header names are lower case."""


def reply_of(error: BaseException) -> ErrorReply:
    """Return the answer for an error of our own: of the request, the key, the route; any other is a plain 500."""
    if isinstance(error, HTTPException):
        return _reply(error.status_code, error.detail, headers=dict(error.headers or {}))
    if not isinstance(error, ModelportError):
        return _reply(500, "the server failed; its log says why", headers={"x-should-retry": "false"})
    headers = _waiting(error) if error.status_code in OVERLOADED else {}
    if error.status_code == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status_code == 413:
        headers["connection"] = "close"
    if error.status_code == 415:
        headers["accept-encoding"] = "identity"
    return _reply(error.status_code, str(error), error, headers)


def reply_of_call(error: BaseException, scrubber: Scrubber) -> ErrorReply:
    """Return the answer for what a model's code raised, or the engine while it ran it.

    A `status_code` of 400 to 599 is kept, any other error is a 500. Secrets and file paths are taken out. SDKs are
    told not to try again, except after 429 and 503, which say when.
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        status = 500
    headers = _waiting(error) if status in OVERLOADED else {"x-should-retry": "false"}
    # A key that is cut in two would not be known for one: what is cut off is scrubbed with the rest.
    text = scrubber.without_traces(_text_of(error)[: 2 * LONGEST_MESSAGE])
    return _reply(status, text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}…", error, headers)


def readable(error: BaseException) -> BaseException:
    """Return an error of an author's code, or one in its place if to look at its attributes raises something."""
    try:
        for name in _FACTS:
            getattr(error, name, None)
    except BaseException as broken:  # noqa: BLE001 - whatever it is, the client is to be answered
        told = ModelportError(f"{type(error).__name__}: (it cannot be read: {type(broken).__name__})")
        told.__cause__ = error
        return told
    return error


def log_failure(error: BaseException, reply: ErrorReply, *, request_id: str, model: str) -> None:
    """Write one line about a failed call: its class and its place in the author's code.

    What the error says goes to the client only: it may quote the prompt.
    """
    culprit = error.__cause__ if isinstance(error, ModelportError) and error.__cause__ else error
    level = logging.ERROR if reply.status_code >= 500 else logging.INFO
    logger.log(
        level,
        "%s: model %r answered %d: %s%s",
        request_id,
        model,
        reply.status_code,
        type(culprit).__name__,
        _place_of(culprit),
    )


def log_long_step(seconds: float, record: RequestRecord) -> None:
    """Write that a model's code held the loop, once: nobody else was answered meanwhile."""
    if (name := record.deployment or record.endpoint) not in _held_the_loop:
        _held_the_loop.add(name)
        logger.warning(
            "%s: %r held the loop for %.2f s in one step, and kept everybody else waiting; let its async hook await, "
            "or write a sync hook, which runs in a thread",
            record.request_id,
            name,
            seconds,
        )


def log_defect(error: BaseException, *, request_id: str) -> None:
    """Write about an error that nobody foresaw, one of the gateway itself."""
    logger.error("%s: the gateway failed: %s%s", request_id, type(error).__name__, _place_of(error, inside=True))


def _reply(
    status_code: int, message: str, error: BaseException | None = None, headers: Mapping[str, str] | None = None
) -> ErrorReply:
    own = error if isinstance(error, ModelportError) else None
    given = getattr(error, "type", None)
    entry = ErrorObject(
        message=_sendable(message),
        type=own.type if own else _sendable(given) if isinstance(given, str) else type_of_status(status_code),
        param=_text_or_none(error, "param"),
        code=_text_or_none(error, "code"),
    )
    return ErrorReply(status_code, ErrorBody(entry), dict(headers or {}))


def _text_or_none(error: BaseException | None, name: str) -> str | None:
    value = getattr(error, name, None)
    return _sendable(value) if isinstance(value, str) else None


def _sendable(text: str) -> str:
    """Return a text without lone surrogates, which are no Unicode: strict readers of JSON refuse them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _text_of(error: BaseException) -> str:
    """Return what an error says, with its class unless the error is one of ours or has a status of its own."""
    try:
        text = str(error)
    except BaseException as broken:  # noqa: BLE001 - an author's __str__ may do anything
        text = f"(its text cannot be read: {type(broken).__name__})"
    if text and (isinstance(error, ModelportError) or hasattr(error, "status_code")):
        return text
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def _waiting(error: BaseException) -> dict[str, str]:
    """Return the headers that say when to come back: as long as the error says, which may be the upstream's wish."""
    own: Any = getattr(error, "retry_after", None) if isinstance(error, ModelportError) else None
    # Our own waits are right however long they are; a foreign one may be nonsense.
    seconds = own if isinstance(own, (int, float)) else retry_after_seconds(error)
    if seconds is None:
        return {"retry-after": WAIT_SECONDS}
    # The second is OpenAI's finer one, which its SDKs prefer; whole seconds are never less than asked for.
    return {"retry-after": str(max(1, math.ceil(seconds))), "retry-after-ms": str(math.ceil(seconds * 1000))}


def _is_authors(filename: str) -> bool:
    """Tell whether a file is neither ours nor Python's own, of which authors know no line."""
    return not filename.startswith((_OURS, "<")) and (not filename.startswith(_PYTHONS) or "site-packages" in filename)


def _place_of(error: BaseException, *, inside: bool = False) -> str:
    """Return where an error came from: the last line of the author's code, or of ours."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if inside or _is_authors(frame.filename)]
    if not frames:
        return ""
    last = frames[-1]
    return f" (in {last.name}, {Path(last.filename).name}:{last.lineno})"
