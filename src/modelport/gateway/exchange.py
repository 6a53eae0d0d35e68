"""One HTTP request and its answer, over the three things that ASGI gives: scope, receive, send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from modelport.gateway.errors import BodyTooLargeError, ErrorReply
from modelport.values.errors import ModelportError
from modelport.wire.json_text import encode_json
from modelport.wire.sse import event

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

LONGEST_REQUEST_ID = 128
"""A client's `x-request-id` that is longer is not echoed."""
CANCELLED_ITSELF = "the model's code raised CancelledError, though nobody cancelled the call"
_SSE_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    # Proxies that buffer would hold the stream back.
    "x-accel-buffering": "no",
}


class ClientGoneError(Exception):
    """Says that the client closed the connection: nobody reads an answer any more."""


class Exchange:
    """Is one request and its answer; the head of the answer goes out with its first body bytes."""

    __slots__ = ("_receive", "_request_headers", "_scope", "_send", "request_id", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = _request_id(self.header("x-request-id"))
        """The client's `x-request-id`, or one made here; every answer carries it."""
        self.started = False
        """Whether the status has been sent."""

    @property
    def path_params(self) -> dict[str, Any]:
        """The variable parts of the path."""
        return self._scope.get("path_params", {})

    @property
    def local_address(self) -> str | None:
        """The address of this machine that the client connected to; None when there is none."""
        server = self._scope.get("server")
        return server[0] if server else None

    def header(self, name: str) -> str | None:
        """Return a header of the request, None when it is not there; `name` is lower case."""
        value = self._request_headers.get(name.encode())
        return value.decode("latin-1") if value is not None else None

    async def read_body(self, max_bytes: int) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLargeError: It has, or says that it will have, more than `max_bytes`.
            ClientGoneError: The client left while it was sending.
        """
        length = self.header("content-length")
        if length is not None and length.isdecimal() and int(length[:20]) > max_bytes:
            raise _too_large(max_bytes)
        parts: list[bytes] = []
        size_bytes = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGoneError
            part: bytes = message.get("body", b"")
            size_bytes += len(part)
            if size_bytes > max_bytes:
                raise _too_large(max_bytes)
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    @asynccontextmanager
    async def watching_client(self) -> AsyncGenerator[None]:
        """Cancel the block when the client leaves, also while nothing is sent; the body must have been read.

        Raises:
            ClientGoneError: The client left.
            ModelportError: The block was cancelled by code inside it: nobody outside asked for that.
        """
        task = asyncio.current_task()
        assert task is not None
        gone = False

        async def watch() -> None:
            nonlocal gone
            while (await self._receive())["type"] != "http.disconnect":
                pass
            gone = True
            task.cancel()

        watcher = asyncio.create_task(watch())
        try:
            yield
        except BaseException as error:
            if gone and task.uncancel() == 0:
                raise ClientGoneError from None
            if isinstance(error, asyncio.CancelledError) and not task.cancelling():
                raise ModelportError(CANCELLED_ITSELF) from error
            raise
        finally:
            watcher.cancel()
        if gone:
            # The block swallowed the cancellation, which must not hit what comes after it.
            task.uncancel()
            raise ClientGoneError

    async def reply(self, status_code: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a JSON body."""
        raw = encode_json(body)
        await self._start(
            status_code, {"content-type": "application/json", "content-length": str(len(raw)), **(headers or {})}
        )
        is_head = self._scope["method"] == "HEAD"
        await self._send({"type": "http.response.body", "body": b"" if is_head else raw})

    async def fail(self, reply: ErrorReply) -> None:
        """Answer with an error; in a stream that has begun, as its last event."""
        if not self.started:
            await self.reply(reply.status_code, reply.body, reply.headers)
        else:
            await self.write(event(reply.body), more=False)

    async def write(self, data: bytes, *, more: bool) -> None:
        """Send events of a stream; the first ones bring the head along. `more=False` ends the answer."""
        if not self.started:
            await self._start(200, _SSE_HEADERS)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _start(self, status_code: int, headers: Mapping[str, str]) -> None:
        self.started = True
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        raw.append((b"x-request-id", self.request_id.encode("latin-1")))
        await self._send({"type": "http.response.start", "status": status_code, "headers": raw})


def _request_id(given: str | None) -> str:
    if given and len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable():
        return given
    return f"req_{uuid4().hex}"


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the request's body is larger than {max_bytes} bytes; send less, or raise max_body_bytes")
