"""One request of a connection: its body as it comes, and its answer as it goes, each in as few steps as it can be.

uvicorn's own takes half as long as all the rest of a small answer: it writes the head by itself, and looks at each
header with regular expressions, which is right for apps that may send anything. Here the gateway is the app.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from starlette.types import Message, Scope
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.server import ServerState

    from modelport.gateway.ending import LingeringTransport
    from modelport.gateway.turn_writes import TurnWrites

JOINED_BYTES = 64 * 1024
"""How long a body may be that is written together with its head; to copy a longer one costs more than a write."""

SMALL_BYTES = 2048
"""How long a part of a stream may be that waits for the end of the loop's turn: longer ones take longer to make."""

EXTENSION = "modelport.request_cycle"
"""Where an app finds the `RequestCycle` in ASGI's `scope["extensions"]`: for what ASGI's messages make dearer."""

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
# Upstreams and authors have statuses that no standard knows, as 529.
_STATUS_LINES = {code: f"HTTP/1.1 {code} {_PHRASES.get(code, '')}\r\n".encode() for code in range(100, 600)}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class CycleConnection(Protocol):
    """Is a connection as its requests see it."""

    transport: LingeringTransport
    """Where answers are written to."""
    flow: FlowControl
    """Says when the client reads too slowly, and pauses a client that sends too much."""
    writes: TurnWrites
    """What is written at the end of the loop's turn."""
    server_state: ServerState
    """Has the server's own headers."""
    tasks: set[asyncio.Task[None]]
    """One for each request of the server that is being answered."""

    def on_response_complete(self) -> None:
        """Take down that an answer is complete."""
        ...


class RequestCycle:
    """Is one request with its answer: `receive` and `send` are ASGI's, and belong to the request's task."""

    __slots__ = (
        "_body",
        "_connection",
        "_expects_continue",
        "_has_news",
        "_head",
        "_is_chunked",
        "_is_head_only",
        "_on_leave",
        "_waiter",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
        "response_started",
        "scope",
        "task",
    )

    def __init__(self, connection: CycleConnection, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        """Begin one, when its head has been read.

        Args:
            connection: Where it came.
            scope: ASGI's.
            keep_alive: Whether another request may follow.
            expects_continue: Whether the client waits for a word before it sends the body.
        """
        self._connection = connection
        self.scope: Scope = scope
        """ASGI's."""
        self.task: asyncio.Task[None] | None = None
        """Who answers."""
        self.keep_alive = keep_alive
        """Whether another request may follow."""
        self._expects_continue = expects_continue
        self._body = self._head = b""
        self.more_body = True
        """Whether more of the body is to come."""
        self.disconnected = False
        """Whether the client has gone, or is not listened to any more."""
        self.response_started = False
        """Whether the head of the answer is decided."""
        self.response_complete = False
        """Whether the answer is given."""
        self._has_news = self._is_chunked = self._is_head_only = False
        self._waiter: asyncio.Future[None] | None = None
        self._on_leave: Callable[[], None] | None = None

    # --- the request ------------------------------------------------------------------------

    def add_body(self, data: bytes) -> int:
        """Take a part of the body; return how many bytes wait for the app."""
        self._body = body = self._body + data if self._body else data
        self._has_news = True
        if self._waiter is not None:
            self.wake()
        return len(body)

    def end_body(self) -> None:
        """Take down that the body is complete."""
        self.more_body = False
        self._has_news = True
        if self._waiter is not None:
            self.wake()

    def leave(self) -> None:
        """Tell the app that the client has gone."""
        self.disconnected = True
        self.wake()
        if self._on_leave is not None:
            self._on_leave()

    def tell(self, on_leave: Callable[[], None] | None) -> None:
        """Call somebody when the client leaves, at once when it has left; None: nobody any more.

        It takes the place of `receive`, once the body has been read.
        """
        self._on_leave = on_leave
        if on_leave is not None:
            self._connection.flow.resume_reading()
            if self.disconnected:
                on_leave()

    def wake(self) -> None:
        """Let the app hear what there is to hear."""
        self._has_news = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def whole_body(self) -> bytes | None:
        """Return the body when all of it is there, None when it has to be waited for.

        It takes the place of `receive`, up to the client's leaving.
        """
        if self.more_body or self.disconnected or self._connection.flow.read_paused:
            return None
        body, self._body = self._body, b""
        self._has_news = False
        return body

    async def receive(self) -> Message:
        """Return the next part of the body, or that the client has gone."""
        if self._expects_continue and not self.response_started and not self._connection.transport.is_closing():
            self._expects_continue = False
            self._connection.transport.write(_CONTINUE)
        if not self.disconnected and not self.response_complete:
            self._connection.flow.resume_reading()
            if not self._has_news:
                self._waiter = asyncio.get_running_loop().create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            self._has_news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self._body = self._body, b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    # --- the answer -------------------------------------------------------------------------

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole answer at once; tell whether that was possible, else it is to be sent part by part.

        It takes the place of `send`: a small answer costs no coroutines and no messages.

        Args:
            status: The answer's status.
            headers: Its headers, the body's length among them.
            body: Its body; of a HEAD request only the head is written.
        """
        if self.disconnected:
            return True
        connection = self._connection
        if connection.flow.write_paused or self.response_started:
            return False
        if not self.keep_alive or len(body) > JOINED_BYTES or (b"connection", b"close") in headers:
            self._begin(status, headers)
            self._write(body, ends=True)
        else:
            lines = [b"%b: %b\r\n" % header for header in connection.server_state.default_headers]
            lines += [b"%b: %b\r\n" % header for header in headers]
            head = b"%b%b\r\n" % (_STATUS_LINES[status], b"".join(lines))
            _check(head, len(lines))
            self.response_started = True
            data = head if self.scope["method"] == "HEAD" else head + body
            if len(connection.tasks) > 1:
                connection.writes.add(connection.transport.inner.write, data)
            else:
                # Nobody else answers in this turn: to wait for its end would cost another one.
                connection.transport.write(data)
        self._end()
        return True

    def add_part(self, data: bytes) -> bool:
        """Write a part of a stream that has begun, at once; tell whether that was possible, else it is to be sent.

        It takes the place of `send`: a token costs no coroutine and no message.
        """
        if self._connection.flow.write_paused or not self._is_chunked or self._head or self.response_complete:
            return self.disconnected
        if not self.disconnected:
            self._write_chunk(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    async def send(self, message: Message) -> None:
        """Take a part of the answer; the head is written with the first part of the body.

        Raises:
            RuntimeError: It comes out of order, or a header has a line break in it.
        """
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
            return
        if self._connection.flow.write_paused:
            await self._connection.flow.drain()
            if self.disconnected:
                return
        if not self.response_started or self.response_complete:
            raise RuntimeError("a body without a head, or after its end")
        body: bytes = message.get("body", b"")
        ends = not message.get("more_body", False)
        self._write(body, ends=ends)
        if ends:
            self._end()

    def let_go(self) -> None:
        """Let go of what refers back to this: a request that is over needs no garbage collector."""
        self.task = self._on_leave = None
        self.scope = {}

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if self.response_started:
            raise RuntimeError("the answer has a head already")
        lines = [_STATUS_LINES[status]]
        has_length = closes = False
        for name, value in (*self._connection.server_state.default_headers, *headers):
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                has_length = True
            elif name == b"connection" and value == b"close":
                closes = True
                self.keep_alive = False
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        self._is_head_only = self.scope["method"] == "HEAD" or status in (204, 304)
        # A client of HTTP/1.0 knows no chunks (RFC 9112, 6.1): to it, the connection's end is the answer's.
        self._is_chunked = not has_length and not self._is_head_only and self.scope["http_version"] != "1.0"
        if self._is_chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        _check(head, len(lines) - 2)
        self.response_started = True
        self._head = head

    def _end(self) -> None:
        self.response_complete = True
        if self._waiter is not None:
            self.wake()
        if not self.keep_alive:
            self._connection.transport.close()
        self._connection.on_response_complete()

    def _write(self, body: bytes, *, ends: bool) -> None:
        head, self._head = self._head, b""
        write = self._connection.transport.write
        if self._is_head_only:
            write(head)
        elif self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._write_chunk(b"%b%b%b" % (head, chunk, b"0\r\n\r\n" if ends else b""))
        elif len(body) <= JOINED_BYTES:
            write(head + body)
        else:
            if head:
                write(head)
            write(body)

    def _write_chunk(self, data: bytes) -> None:
        connection = self._connection
        if len(data) <= SMALL_BYTES and len(connection.tasks) > 1:
            # The pieces of many streams that become ready in the same turn go out together at its end.
            connection.writes.add_part(connection.transport.inner.write, data)
        else:
            connection.transport.write(data)


def _check(head: bytes, headers: int) -> None:
    """Refuse a head that has more lines than its status, its headers and the empty one."""
    if head.count(b"\n") != headers + 2:
        raise RuntimeError("a header has a line break in it")
