"""OpenAI's error object: always the four keys that its schema requires; and reading what other servers send instead."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from modelport.wire.objects import WireObject, always
from modelport.wire.received import BadResponseError, decode_response, field_of, text_or_none

TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
}
"""The `type` of an error whose author gave only a status; 4xx else means `invalid_request_error`."""
LONGEST_MESSAGE = 2000
"""How many characters of another server's error are kept: a page of HTML says no more than its beginning."""
_PLACES_OF_MESSAGE = ("message", "detail", "error", "error_message", "msg", "title")


class ErrorObject(WireObject, kw_only=True):
    """Says what went wrong; SDKs show `message` and choose their exception by the status."""

    message: str = always("")
    """What happened, the value, how to fix it."""
    type: str = always("server_error")
    """The class of error, as `invalid_request_error`."""
    param: str | None = always(None)
    """The request's field that is wrong."""
    code: str | None = always(None)
    """A word for programs, as `model_not_found`."""


class ErrorBody(msgspec.Struct, frozen=True):
    """Is the body of every answer that is an error, and the event of an error in the middle of a stream."""

    error: ErrorObject


def type_of_status(status_code: int) -> str:
    """Return the error type that goes with a status."""
    return TYPE_OF_STATUS.get(status_code, "invalid_request_error" if status_code < 500 else "server_error")


def decode_error(raw: bytes, status_code: int) -> ErrorObject:
    """Return the error in another server's answer: OpenAI's object, or whatever else it sent.

    Args:
        raw: The body; JSON with a message at one of the usual places, a text, or nothing.
        status_code: The answer's status, which gives the type that the body lacks.
    """
    try:
        body = decode_response(raw)
    except BadResponseError:
        text = raw.decode("utf-8", "replace").strip()[:LONGEST_MESSAGE]
        return ErrorObject(message=text or f"HTTP status {status_code}", type=type_of_status(status_code))
    return error_in(body, status_code) or ErrorObject(
        message=raw.decode("utf-8", "replace").strip()[:LONGEST_MESSAGE], type=type_of_status(status_code)
    )


def error_in(body: Any, status_code: int = 500) -> ErrorObject | None:
    """Return the error in a JSON object; None when it carries none. Errors in a stream come as events like this.

    Args:
        body: The object; `{"error": {…}}`, `{"error": "text"}`, `{"message": …}` and `{"detail": …}` are read.
        status_code: Gives the type that the body lacks.
    """
    error = field_of(body, "error")
    source: Any = cast("Any", error) if isinstance(error, dict) else body
    message = _message_in(source)
    if message is None:
        return None
    code = field_of(source, "code")
    return ErrorObject(
        message=message[:LONGEST_MESSAGE],
        type=text_or_none(field_of(source, "type")) or type_of_status(status_code),
        param=text_or_none(field_of(source, "param")),
        code=code if isinstance(code, str) or code is None else str(code),
    )


def _message_in(source: Any) -> str | None:
    for name in _PLACES_OF_MESSAGE:
        found = field_of(source, name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, list) and found:
            # FastAPI's list of what is wrong in the request.
            return "; ".join(str(field_of(one, "msg", one)) for one in cast("list[Any]", found))
    return None
