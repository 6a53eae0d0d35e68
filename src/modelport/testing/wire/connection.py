"""One connection to a server, as bytes: what an HTTP client would not send."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from modelport.testing.checks import NotApplicable
from modelport.testing.wire.answers import Answer
from modelport.testing.wire.server import Server, Unanswered

LONGEST_LINE_BYTES = 1 << 20


class Closed(Exception):  # noqa: N818 - what a server may do, not a defect
    """Says that the server closed the connection in place of an answer."""


class Connection:
    """Is one open connection.

    Args:
        server: The server under check.
        reader: What it sends.
        writer: What it is sent.
    """

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes; that the server has closed is seen when its answer is read."""
        self._writer.write(data)
        with suppress(ConnectionError):
            await self._writer.drain()

    def end(self) -> None:
        """Say that nothing more is sent."""
        with suppress(OSError):
            self._writer.write_eof()

    async def answer(self, request: str, *, interim: bool = False) -> Answer:
        """Read one answer; with `interim` also one of the 1xx.

        Raises:
            Closed: The connection ends before the answer does.
            Unanswered: There is no answer in time.
        """
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                answer = await self._read(request)
                while not interim and 100 <= answer.status < 200:
                    answer = await self._read(request)
                return answer
        except TimeoutError:
            seconds = self._server.timeout_seconds
            raise Unanswered(f"{request}: no answer within {seconds:g} s", "answer, or close the connection") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise Closed(f"{request}: the connection was closed ({type(error).__name__})") from error

    async def _read(self, request: str) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        pairs = [line.partition(":") for line in head[1:] if line]
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return Answer(request, status, headers, await self._body(request, status, headers))

    async def _body(self, request: str, status: int, headers: dict[str, str]) -> bytes:
        if status < 200 or status in (204, 304) or request.startswith("HEAD"):
            return b""
        if "chunked" in headers.get("transfer-encoding", ""):
            parts: list[bytes] = []
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                parts.append((await self._reader.readexactly(size + 2))[:-2])
            await self._reader.readuntil(b"\r\n")
            return b"".join(parts)
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        return await self._reader.read()


@asynccontextmanager
async def connected(server: Server) -> AsyncGenerator[Connection]:
    """Open a connection, and close it at the end.

    Raises:
        NotApplicable: There is no connection in time; an HTTP client may still reach the server over a proxy.
    """
    address = urlsplit(server.base_url)
    is_tls = address.scheme == "https"
    port = address.port or (443 if is_tls else 80)
    context = ssl.create_default_context() if is_tls else None
    try:
        async with asyncio.timeout(server.timeout_seconds):
            reader, writer = await asyncio.open_connection(
                address.hostname, port, ssl=context, limit=LONGEST_LINE_BYTES
            )
    except (OSError, TimeoutError) as error:
        raise NotApplicable(f"no connection of its own to {address.hostname}:{port}: {error!r}") from error
    try:
        yield Connection(server, reader, writer)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()


def head_of(server: Server, method: str, path: str, *lines: str) -> bytes:
    """Return a request's head: the server's host and key, and further lines."""
    address = urlsplit(server.base_url)
    keys = [f"Authorization: Bearer {server.key}"] if server.key is not None else []
    host = address.netloc.rpartition("@")[2]
    all_lines = [f"{method} {address.path}{path} HTTP/1.1", f"Host: {host}", *keys, *lines]
    return "\r\n".join([*all_lines, "", ""]).encode("latin-1")
