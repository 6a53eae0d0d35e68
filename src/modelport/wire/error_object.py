"""OpenAI's error object: always the four keys that its schema requires."""

from __future__ import annotations

import msgspec

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


class ErrorObject(msgspec.Struct, frozen=True):
    """Says what went wrong; SDKs show `message` and choose their exception by the status."""

    message: str
    """What happened, the value, how to fix it."""
    type: str
    """The class of error, as `invalid_request_error`."""
    param: str | None = None
    """The request's field that is wrong."""
    code: str | None = None
    """A word for programs, as `model_not_found`."""


class ErrorBody(msgspec.Struct, frozen=True):
    """Is the body of every answer that is an error, and the event of an error in the middle of a stream."""

    error: ErrorObject


def type_of_status(status_code: int) -> str:
    """Return the error type that goes with a status."""
    return TYPE_OF_STATUS.get(status_code, "invalid_request_error" if status_code < 500 else "server_error")
