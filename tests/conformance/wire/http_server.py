"""A small HTTP/1.1 server of which every step can be made wrong: bytes in, bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    names: list[str]
    body: bytes = b""
    reads: int = 0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0].removeprefix("/v1")


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    frames: list[bytes] | None = None
    """Of a stream: what is written one after the other."""


class RefusedError(Exception):
    def __init__(
        self, case: str, message: str, *, status: int = 400, param: str | None = None, code: str | None = None
    ):
        super().__init__(message)
        self.case, self.status, self.param, self.code = case, status, param, code


class CutError(Exception):
    """The client ended the connection in the middle of a request."""


def buffer_of(reader: Any) -> bytearray:
    """What came and was not read yet."""
    return reader._buffer


class HttpServer:
    """Reads requests and writes replies; `answer` gives them."""

    closes_silently = False
    takes_two_lengths = False
    takes_cut_bodies = False
    reads_chunks = True
    longest_reads: int | None = None
    expectation = b"HTTP/1.1 100 Continue\r\n\r\n"
    ends_streams = True
    repeats_pipelined = False
    watches_leaving = False
    """Whether streams are slow, and a client's leaving is noticed."""
    streams = 0
    has_left = False

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    async def before_answer(self, request: Request, reader: asyncio.StreamReader) -> None:
        """Wait, where a wrong server does."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply: Reply | None = None
        try:
            while True:
                waiting = bool(buffer_of(reader))
                request = await self.read(reader, writer)
                await self.before_answer(request, reader)
                if not (waiting and self.repeats_pipelined and reply):
                    reply = self.answer(request)
                if not await self.write(reply, request, reader, writer) or self.closes_silently:
                    return
        except (asyncio.IncompleteReadError, CutError, ConnectionError):
            return
        finally:
            writer.close()

    async def read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
        data, reads = bytearray(), 0
        while b"\r\n\r\n" not in data:
            part = await reader.read(1 << 16)
            reads += 1
            if not part:
                raise CutError
            data += part
        head, _, rest = bytes(data).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(":", 1) for line in lines]
        method, target, _ = first.split()
        request = Request(method, target, {n.lower(): v.strip() for n, v in pairs}, [n for n, _ in pairs], reads=reads)
        lengths = {value.strip() for name, value in pairs if name.lower() == "content-length"}
        if len(lengths) > 1 and not self.takes_two_lengths:
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            raise CutError
        if "expect" in request.headers:
            writer.write(self.expectation)
        request.body, rest = await self.body(request, rest, reader)
        if rest:  # it belongs to the next request
            buffer_of(reader)[:0] = rest
        return request

    async def body(self, request: Request, rest: bytes, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        if "transfer-encoding" in request.headers:
            while b"0\r\n\r\n" not in rest:
                rest += await reader.read(1 << 16)
            coded, _, rest = rest.partition(b"0\r\n\r\n")
            body = b""
            while coded:
                size, _, coded = coded.partition(b"\r\n")
                body, coded = body + coded[: int(size, 16)], coded[int(size, 16) + 2 :]
            return (body if self.reads_chunks else b""), rest
        length = int(request.headers.get("content-length", 0))
        while len(rest) < length:
            part = await reader.read(1 << 20)
            request.reads += 1
            if not part:
                if self.takes_cut_bodies:
                    return rest, b""
                raise CutError
            rest += part
        return rest[:length], rest[length:]

    async def write(self, reply: Reply, request: Request, reader: Any, writer: asyncio.StreamWriter) -> bool:
        headers = dict(reply.headers)
        if reply.frames is None:
            headers["content-length"] = str(len(reply.body))
        else:
            headers["transfer-encoding"] = "chunked"
        lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        if reply.frames is None:
            writer.write(reply.body if request.method != "HEAD" else b"")
            await writer.drain()
            return True
        self.streams += 1
        try:
            await self.write_frames(reply.frames, reader, writer)
        finally:
            self.streams -= 1
        if not self.ends_streams:
            await reader.read()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def write_frames(self, frames: list[bytes], reader: Any, writer: asyncio.StreamWriter) -> None:
        for frame in frames:
            writer.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            await writer.drain()
            if self.watches_leaving:
                await asyncio.sleep(0.003)
                self.has_left = self.has_left or reader.at_eof()


@asynccontextmanager
async def serving(server: HttpServer) -> AsyncGenerator[str]:
    """Serve on a free port; gives the base URL."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await server.handle(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            handlers.discard(task)

    listener = await asyncio.start_server(handle, "127.0.0.1", 0, limit=1 << 24)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        listener.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
