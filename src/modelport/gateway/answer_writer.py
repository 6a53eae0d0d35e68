"""Writes one answer to its connection: head and body together, and nothing is worked out that is known already.

uvicorn's own way takes half as long as all the rest of a small answer: it writes the head by itself, and looks at each
header with regular expressions, which is right for apps that may send anything. Here the gateway is the app.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from modelport.gateway.ending import LingeringTransport
    from modelport.gateway.turn_writes import TurnWrites

JOINED_BYTES = 64 * 1024
"""How long a body may be that is written together with its head; to copy a longer one costs more than a write."""

WHOLE_ANSWER = "modelport.whole_answer"
"""The name of the extension in ASGI's `scope["extensions"]` by which an app hands over a whole answer."""

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
# Upstreams and authors have statuses that no standard knows, as 529.
_STATUS_LINES = {code: f"HTTP/1.1 {code} {_PHRASES.get(code, '')}\r\n".encode() for code in range(100, 600)}


class AnswerWriter:
    """Is ASGI's `send` of one request, under uvicorn's own bookkeeping."""

    __slots__ = ("_cycle", "_head", "_is_chunked", "_is_head_only", "_writes")

    def __init__(self, cycle: RequestResponseCycle, writes: TurnWrites) -> None:
        self._cycle = cycle
        self._writes = writes
        self._head = b""
        self._is_chunked = False
        self._is_head_only = False

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole answer at once; tell whether that was possible, else it is to be sent part by part.

        It is the extension `WHOLE_ANSWER` of the request's scope: a small answer costs no coroutines and no messages.

        Args:
            status: The answer's status.
            headers: Its headers, the body's length among them.
            body: Its body; of a HEAD request only the head is written.
        """
        cycle = self._cycle
        if cycle.disconnected:
            return True
        if cycle.flow.write_paused or cycle.response_started:
            return False
        if not cycle.keep_alive or len(body) > JOINED_BYTES or (b"connection", b"close") in headers:
            self._begin(status, headers)
            self._write(body, ends=True)
        else:
            transport = cast("LingeringTransport", cycle.transport)
            lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
            head = b"%b%b\r\n" % (_STATUS_LINES[status], b"".join(lines))
            _check(head, len(lines))
            cycle.response_started = True
            cycle.waiting_for_100_continue = False
            self._writes.add(transport.inner.write, head if cycle.scope["method"] == "HEAD" else head + body)
        self._end()
        return True

    async def send(self, message: Any) -> None:
        """Take a part of the answer; the head is written with the first part of the body.

        Raises:
            RuntimeError: It comes out of order, or a header has a line break in it.
        """
        cycle = self._cycle
        if cycle.disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
            return
        if cycle.flow.write_paused:
            await cycle.flow.drain()
            if cycle.disconnected:
                return
        if not cycle.response_started or cycle.response_complete:
            raise RuntimeError("a body without a head, or after its end")
        body: bytes = message.get("body", b"")
        ends = not message.get("more_body", False)
        self._write(body, ends=ends)
        if ends:
            self._end()

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        cycle = self._cycle
        if cycle.response_started:
            raise RuntimeError("the answer has a head already")
        cycle.waiting_for_100_continue = False
        lines = [_STATUS_LINES[status]]
        has_length = closes = False
        for name, value in (*cycle.default_headers, *headers):
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                has_length = True
            elif name == b"connection" and value == b"close":
                closes = True
                cycle.keep_alive = False
        if not cycle.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        self._is_head_only = cycle.scope["method"] == "HEAD" or status in (204, 304)
        self._is_chunked = not has_length and not self._is_head_only
        if self._is_chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        _check(head, len(lines) - 2)
        cycle.response_started = True
        self._head = head

    def _end(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def _write(self, body: bytes, *, ends: bool) -> None:
        head, self._head = self._head, b""
        write = self._cycle.transport.write
        if self._is_head_only:
            write(head)
        elif self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            write(b"%b%b%b" % (head, chunk, b"0\r\n\r\n" if ends else b""))
        elif len(body) <= JOINED_BYTES:
            write(head + body)
        else:
            if head:
                write(head)
            write(body)


def _check(head: bytes, headers: int) -> None:
    """Refuse a head that has more lines than its status, its headers and the empty one."""
    if head.count(b"\n") != headers + 2:
        raise RuntimeError("a header has a line break in it")
