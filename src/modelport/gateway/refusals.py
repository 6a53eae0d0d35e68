"""Answers that are sent without the app: to clients whose request cannot be read, or must not be."""

from __future__ import annotations

import http
from typing import NamedTuple

from modelport.wire.error_object import ErrorBody, ErrorObject, type_of_status
from modelport.wire.json_text import encode_json


class Refusal(NamedTuple):
    """Is the error that a client gets; the connection ends with it."""

    status_code: int
    message: str
    code: str | None = None
    """A word for programs."""

    def encode(self) -> bytes:
        """Return the whole answer, head and body."""
        body = encode_json(
            ErrorBody(ErrorObject(message=self.message, type=type_of_status(self.status_code), code=self.code))
        )
        phrase = http.HTTPStatus(self.status_code).phrase
        # A client that is told to wait must be told how long.
        wait = "retry-after: 1\r\n" if self.status_code in (429, 503) else ""
        head = (
            f"HTTP/1.1 {self.status_code} {phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{wait}connection: close\r\n\r\n"
        )
        return head.encode("ascii") + body


class RefusedError(Exception):
    """Says that a request is not read any further."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        """What the client is told."""


MALFORMED = Refusal(400, "the request is no HTTP/1.1; send a well-formed one", "malformed_request")
HEAD_TOO_SLOW = Refusal(408, "the request's head took too long to arrive", "request_timeout")
BODY_TOO_SLOW = Refusal(408, "the request's body took too long to arrive", "request_timeout")
TOO_MANY_CONNECTIONS = Refusal(503, "too many connections are open; try again later", "too_many_connections")
TOO_MANY_PIPELINED = Refusal(
    400, "too many requests were sent on one connection without waiting for their answers", "too_many_pipelined"
)
STOPPED = Refusal(503, "the server ended before the answer was there; try again", "server_shutting_down")
BROKEN = Refusal(500, "the server failed; its log says why")


def head_too_large(max_header_bytes: int) -> Refusal:
    """Return the answer for a head that is larger than it may be."""
    return Refusal(
        431,
        f"the request's head is larger than {max_header_bytes} bytes; send less, or raise max_header_bytes",
        "headers_too_large",
    )
