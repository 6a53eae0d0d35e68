"""The load client: raw HTTP/1.1 over keep-alive connections, with no more parsing than counting needs."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from gateway_tokens import KEY

_EVENT, _END = b"data: ", b"\r\n0\r\n\r\n"
_KEPT_BYTES = len(_END) - 1
"""How much of what came is looked at again with what comes next: less than either mark, so none counts twice."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DUE = re.compile(rb'"content": ?"(\d+\.\d+)"')


def request_bytes(model: str, text: str, *, stream: bool) -> bytes:
    """Return a chat request as it goes over the wire."""
    asked = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {KEY}\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Tally:
    """What came."""

    answers: int = 0
    """Complete ones."""
    events: int = 0
    """Server-sent events."""
    first_seconds: list[float] = field(default_factory=list[float])
    """From each request to its first event."""
    late_seconds: list[float] = field(default_factory=list[float])
    """From the moment at which each token was due to its arrival."""
    failures: list[str] = field(default_factory=list[str])
    """What was no right answer."""
    is_over: bool = False
    """Whether connections may end now."""


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._received = b""
        self._transport: Any = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.ask()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self._tally.is_over:
            self._tally.failures.append(f"the connection ended: {exc!r}")

    def ask(self) -> None:
        """Send the request."""
        self._received = b""
        self._transport.write(self._request)

    def fail(self, data: bytes) -> None:
        """Note an answer that is none, and ask no more."""
        if not self._tally.is_over:
            self._tally.failures.append(data[:300].decode("latin-1"))
        self._tally.is_over = True


class JSONConnection(_Connection):
    """Counts answers with a content length."""

    @override
    def data_received(self, data: bytes) -> None:
        data = self._received + data if self._received else data
        head = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data, 0, head + 2) if head >= 0 else None
        if head < 0 or (length and len(data) < head + 4 + int(length[1])):
            self._received = data
        elif length is None or not data.startswith(b"HTTP/1.1 200"):
            self.fail(data)
        else:
            self._tally.answers += 1
            self.ask()


class SSEConnection(_Connection):
    """Counts the events of chunked streams, and whether each has all of them."""

    def __init__(self, request: bytes, tally: Tally, events: int) -> None:
        super().__init__(request, tally)
        self._expected = events
        self._events = 0
        self._asked = 0.0

    @override
    def ask(self) -> None:
        self._events = 0
        self._asked = time.perf_counter()
        super().ask()

    @override
    def data_received(self, data: bytes) -> None:
        if not self._received and not data.startswith(b"HTTP/1.1 200"):
            self.fail(data)
            return
        data = self._received + data
        found = data.count(_EVENT) - self._received.count(_EVENT)
        if found:
            if not self._events:
                self._tally.first_seconds.append(time.perf_counter() - self._asked)
            self._events += found
            self._tally.events += found
        if not data.endswith(_END):
            self._received = data[-_KEPT_BYTES:]
        elif self._events != self._expected:
            self.fail(f"{self._events} events instead of {self._expected}: ".encode() + data)
        else:
            self._tally.answers += 1
            self.ask()


class PacedConnection(_Connection):
    """Notes how late each token of a timed stream is."""

    @override
    def data_received(self, data: bytes) -> None:
        if not self._received and not data.startswith(b"HTTP/1.1 200"):
            self.fail(data)
            return
        now = time.monotonic()
        data = self._received + data
        whole = data.rfind(b"\n\n") + 2
        if whole >= 2:
            self._tally.late_seconds.extend(now - float(due) for due in _DUE.findall(data, 0, whole))
            # What is kept must not be empty: it also says that the head was seen.
            whole -= 1
        self._received = data[max(whole, 0) :]


async def connected(
    port: int, make: Callable[[], _Connection], count: int, ramp_seconds: float = 0.0
) -> list[asyncio.BaseTransport]:
    """Open connections, evenly over some time; each asks at once."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    transports: list[asyncio.BaseTransport] = []
    for index in range(count):
        wait = began + index * ramp_seconds / count - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        transport, _ = await loop.create_connection(make, "127.0.0.1", port)
        transports.append(transport)
    return transports


async def disconnect(transports: list[asyncio.BaseTransport], tally: Tally) -> None:
    """End connections, in the middle of whatever they carry."""
    tally.is_over = True
    for transport in transports:
        if isinstance(transport, asyncio.Transport) or hasattr(transport, "abort"):
            transport.abort()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
