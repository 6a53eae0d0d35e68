"""One HTTP request and its answer, over the three things that ASGI gives: scope, receive, send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from modelport.gateway.client_watch import ClientGoneError
from modelport.gateway.errors import BodyTooLargeError, ErrorReply
from modelport.gateway.keyring import ANYBODY, Key
from modelport.gateway.request_cycle import EXTENSION, RequestCycle
from modelport.wire.json_text import encode_json
from modelport.wire.random_ids import random_hex
from modelport.wire.sse import event

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

LONGEST_REQUEST_ID = 128
"""A client's `x-request-id` that is longer is not echoed."""

SHORTEST_TIMEOUT_SECONDS = 0.000_001
"""What is left of a deadline that has passed: the engine says that it has."""

Headers = list[tuple[bytes, bytes]]
"""Headers as ASGI has them: lower-case names."""

_JSON = (b"content-type", b"application/json")
_SSE: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies that buffer would hold the stream back.
    (b"x-accel-buffering", b"no"),
]


class Exchange(msgspec.Struct):
    """Is one request and its answer; the head of the answer goes out with its first body bytes."""

    scope: Scope
    """ASGI's."""
    receive: Receive
    """ASGI's."""
    send: Send
    """ASGI's."""
    headers: dict[bytes, bytes]
    """The request's headers by lower-case name."""
    request_id: str
    """The client's `x-request-id`, or one made here; every answer carries it."""
    answer_headers: Headers
    """What the answer's head carries besides its type and length, whatever the answer will be."""
    cycle: RequestCycle | None = None
    """The server's side of it, where the server is ours: most bodies and answers go this shorter way."""
    key: Key = ANYBODY
    """Whose request it is."""
    started: bool = False
    """Whether the status has been sent."""
    status: int = 0
    """The status that has been sent; 0 before."""
    on_start: Callable[[], None] | None = None
    """Called when the head of a stream goes out."""
    deadline: float | None = None
    """Until when the answer must be complete, on `time.monotonic()`'s clock; set when a model is asked first."""
    ended: bool = False
    """Whether the last bytes of a stream have been sent."""
    comment_seconds: float | None = None
    """How long a stream may be silent before it sends a comment; None: as long as it likes."""
    written_at: float = 0.0
    """When something was last sent, on `time.monotonic()`'s clock, of a stream that sends comments."""

    @property
    def local_address(self) -> str | None:
        """The address of this machine that the client connected to; None when there is none."""
        server = self.scope.get("server")
        return server[0] if server else None

    def seconds_left(self) -> float | None:
        """Return how long the answer may still take, more than 0; None: as long as it likes."""
        return None if self.deadline is None else max(self.deadline - monotonic(), SHORTEST_TIMEOUT_SECONDS)

    def header(self, name: str) -> str | None:
        """Return a header of the request, None when it is not there; `name` is lower case."""
        value = self.headers.get(name.encode())
        return value.decode("latin-1") if value is not None else None

    async def read_body(self, max_bytes: int) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLargeError: It has, or says that it will have, more than `max_bytes`.
            ClientGoneError: The client left while it was sending.
        """
        length = self.headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length[:20]) > max_bytes:
            raise _too_large(max_bytes)
        if self.cycle is not None and (whole := self.cycle.whole_body()) is not None:
            if len(whole) > max_bytes:
                raise _too_large(max_bytes)
            return whole
        message = await self.receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False) and len(body) <= max_bytes:
            return body
        parts = [body]
        size_bytes = len(body)
        while size_bytes <= max_bytes and message.get("more_body", False):
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientGoneError
            body = message.get("body", b"")
            size_bytes += len(body)
            parts.append(body)
        if size_bytes > max_bytes:
            raise _too_large(max_bytes)
        return b"".join(parts)

    async def reply(self, status: int, body: Any, headers: Headers | None = None) -> None:
        """Answer with a value as JSON."""
        await self.reply_raw(status, encode_json(body), _JSON, headers)

    def reply_at_once(self, status: int, body: bytes) -> bool:
        """Answer with JSON without a wait; tell whether that was possible, else `reply_raw` is to."""
        if self.cycle is None:
            return False
        self.started = True
        self.status = status
        return self.cycle.answer(status, [_JSON, (b"content-length", b"%d" % len(body)), *self.answer_headers], body)

    async def reply_raw(
        self, status: int, body: bytes, content_type: tuple[bytes, bytes] = _JSON, headers: Headers | None = None
    ) -> None:
        """Answer with a body as it is; a HEAD request gets its head only."""
        self.started = True
        self.status = status
        head = [content_type, (b"content-length", b"%d" % len(body)), *self.answer_headers]
        if headers:
            head += headers
        if self.cycle is not None and self.cycle.answer(status, head, body):
            return
        await self.send({"type": "http.response.start", "status": status, "headers": head})
        await self.send({"type": "http.response.body", "body": b"" if self.scope["method"] == "HEAD" else body})

    async def reply_blocks(self, status: int, blocks: Sequence[bytes]) -> None:
        """Answer with JSON in blocks, each of which is sent when the connection has room for it."""
        if len(blocks) == 1:
            await self.reply_raw(status, blocks[0])
            return
        self.started = True
        self.status = status
        head = [_JSON, (b"content-length", b"%d" % sum(map(len, blocks))), *self.answer_headers]
        await self.send({"type": "http.response.start", "status": status, "headers": head})
        for block in blocks[:-1]:
            await self.send({"type": "http.response.body", "body": block, "more_body": True})
        await self.send({"type": "http.response.body", "body": blocks[-1]})

    async def reply_empty(self, status: int, headers: Headers) -> None:
        """Answer without a body."""
        self.started = True
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers, *self.answer_headers]})
        await self.send({"type": "http.response.body", "body": b""})

    async def fail(self, reply: ErrorReply) -> None:
        """Answer with an error; in a stream that has begun, as its last event."""
        if self.started:
            await self.write(event(reply.body), more=False)
            return
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
        await self.reply(reply.status_code, reply.body, headers)

    def write_at_once(self, data: bytes) -> bool:
        """Send events of a stream that has begun without a wait; tell whether that was possible, else `write` is to."""
        if self.cycle is None or not self.started or not data:
            return False
        if self.comment_seconds is not None:
            self.written_at = monotonic()
        return self.cycle.add_part(data)

    async def write(self, data: bytes, *, more: bool) -> None:
        """Send events of a stream; the first ones bring the head along. `more=False` ends the answer."""
        if not self.started:
            self.started = True
            self.status = 200
            if self.on_start is not None:
                self.on_start()
            await self.send({"type": "http.response.start", "status": 200, "headers": [*_SSE, *self.answer_headers]})
        if self.comment_seconds is not None:
            self.written_at = monotonic()
        self.ended = not more
        await self.send({"type": "http.response.body", "body": data, "more_body": more})


def exchange_of(scope: Scope, receive: Receive, send: Send) -> Exchange:
    """Return the exchange that a server's call of the app is."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    given = headers.get(b"x-request-id")
    request_id = f"req_{random_hex()}" if given is None else _echoed(given)
    answer_headers = [(b"x-request-id", request_id.encode("latin-1"))]
    extensions = scope.get("extensions")
    cycle = extensions.get(EXTENSION) if extensions else None
    return Exchange(scope, receive, send, headers, request_id, answer_headers, cycle)


def _echoed(given: bytes) -> str:
    """Return a client's request id, unless it is one that a log or a header should not carry."""
    text = given.decode("latin-1")
    if 0 < len(text) <= LONGEST_REQUEST_ID and text.isascii() and text.isprintable():
        return text
    return f"req_{random_hex()}"


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the request's body is larger than {max_bytes} bytes; send less, or raise max_body_bytes")
