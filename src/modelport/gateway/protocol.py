"""HTTP/1.1 on one connection: uvicorn's, with everything that a client can send, or hold back, bounded.

What uvicorn leaves open and is closed here: heads of any size and age, bodies that never end, errors in plain text
(or in the middle of another answer), a timer for each request, connections cut before the client has read why, and
requests sent ahead: the one that is being answered hears that its client has left.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httptools
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from modelport.gateway.connections import POLITE_REFUSALS, Connections
from modelport.gateway.refusals import (
    BODY_TOO_SLOW,
    BROKEN,
    HEAD_TOO_SLOW,
    MALFORMED,
    STOPPED,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_PIPELINED,
    Refusal,
    RefusedError,
    head_too_large,
)

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.config import Config
    from uvicorn.server import ServerState

logger = logging.getLogger("modelport.gateway")

MAX_PIPELINED = 8
"""How many requests one connection may send ahead of their answers."""


class _Phase(enum.Enum):
    """Says what the client is about to send."""

    BETWEEN = 0
    """The first byte of a request."""
    HEAD = 1
    """The rest of a head."""
    BODY = 2
    """The rest of a body."""
    LINGERING = 3
    """Nothing that is read: it has been refused and is given time to read why."""


class GatewayProtocol(HttpToolsProtocol):
    """Is one connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        shared: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._shared = shared
        self._phase = _Phase.BETWEEN
        self._since = 0.0
        """When a sweep first saw this phase; 0 while none has. So no request asks what time it is."""
        self._ignoring = False
        """Whether what the client sends is thrown away."""
        self._running: RequestResponseCycle | None = None
        """The request that is being answered, or was last; `cycle` is the newest one read."""
        self._fed_bytes = 0
        self._head_bytes = 0
        """How much of a head came before the bytes that are being read; after a body, how much of its trailers."""
        self._heard = False
        """Whether a part of a body, or of its chunks' framing, was read of the bytes that came last."""
        self._silent_bytes = 0
        """How much came while nothing of it could be read."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        bound = self._shared.max_connections
        refused = bound is not None and len(self.connections) >= bound
        if refused and len(self.connections) >= bound + POLITE_REFUSALS:  # type: ignore[operator]
            self.transport = transport
            self._ignoring = True
            transport.abort()
            return
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", _Transport(transport, self))
        if refused:
            self._refuse(TOO_MANY_CONNECTIONS)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)
        # These refer to each other; let go of, they need no garbage collector.
        self._running = None
        self.cycle = None  # type: ignore[assignment]

    @override
    def data_received(self, data: bytes) -> None:
        if self._ignoring:
            return
        self._fed_bytes = len(data)
        try:
            self.parser.feed_data(data)  # type: ignore[union-attr]
        except httptools.HttpParserUpgrade:
            # There is nothing to upgrade to: the request is answered as it is, and was the last one.
            self._end_after_answer()
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, RefusedError) else MALFORMED)
        else:
            if self._phase is _Phase.HEAD:
                self._head_bytes += len(data)
                if self._head_bytes > self._shared.max_header_bytes:
                    self._refuse(head_too_large(self._shared.max_header_bytes))
            elif self._phase is _Phase.BODY:
                # What the parser says nothing about it may be keeping: a line of trailers that does not end.
                self._silent_bytes = 0 if self._heard else self._silent_bytes + len(data)
                self._heard = False
                if self._silent_bytes > self._shared.max_header_bytes:
                    self._refuse(head_too_large(self._shared.max_header_bytes))

    @override
    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise RefusedError(TOO_MANY_PIPELINED)
        self._phase = _Phase.HEAD
        self._since = 0.0
        self._head_bytes = 0
        super().on_message_begin()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is not _Phase.BODY:
            super().on_header(name, value)
            return
        # Trailers: nobody asks for them.
        self._heard = True
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._shared.max_header_bytes:
            raise RefusedError(head_too_large(self._shared.max_header_bytes))

    @override
    def on_headers_complete(self) -> None:
        most = self._shared.max_header_bytes
        if self._head_bytes + self._fed_bytes > most and self._size_of_head() > most:
            raise RefusedError(head_too_large(most))
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._since = 0.0
        self._head_bytes = self._silent_bytes = 0
        self._heard = True
        if self.pipeline:
            # uvicorn stops reading here, and then does not see the client of the running request leave.
            self.flow.resume_reading()

    def on_chunk_header(self) -> None:
        """Take down that the beginning of a chunk was read."""
        self._heard = True

    @override
    def on_body(self, body: bytes) -> None:
        self._heard = True
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._phase = _Phase.BETWEEN
        self._since = 0.0
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._since = 0.0

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if self._shared.draining:
            cycle.keep_alive = False
        task = self.loop.create_task(self._answer(cycle, app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Let the app answer; whatever it does, the client gets a whole answer or sees the connection end."""
        refusal = BROKEN
        try:
            await app(cycle.scope, cycle.receive, cycle.send)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            refusal = STOPPED
        except BaseException as error:  # noqa: BLE001 - one request's failure must not end the server
            logger.error("the gateway failed to answer: %s", type(error).__name__)
        finally:
            cycle.on_response = _nothing
        if cycle.response_complete or cycle.disconnected:
            return
        cycle.disconnected = True
        if not cycle.response_started:
            self.transport.write(refusal.encode())
        self.transport.close()

    def make_last(self) -> None:
        """Let the answer that is being given be the connection's last, unless its head has said otherwise.

        A client that was not told would send its next request into a connection that is being closed.
        """
        if self._running is not None and not self._running.response_started:
            self._running.keep_alive = False

    def finish(self) -> None:
        """End the connection after the answer that is being given; at once when there is none."""
        if self._is_answering():
            self._end_after_answer()
        else:
            self.transport.close()

    @override
    def shutdown(self) -> None:
        self.finish()

    def look_at_age(self, now: float) -> None:
        """End the connection if it has been in its present phase for too long."""
        limit_seconds = self._limit_seconds()
        if limit_seconds is None:
            self._since = 0.0
        elif not self._since:
            self._since = now
        elif now - self._since >= limit_seconds:
            self._expire()

    def _limit_seconds(self) -> float | None:
        """Return how long the present phase may last; None while the client is not the one who is waited for."""
        shared = self._shared
        if self._phase is _Phase.LINGERING:
            return shared.linger_seconds
        if self.transport.is_closing():
            # All is written, but the client does not read.
            return shared.keep_alive_seconds
        if self.flow.read_paused:
            return None
        if self._phase is _Phase.HEAD:
            return shared.header_timeout_seconds
        if self._phase is _Phase.BODY:
            return shared.body_timeout_seconds
        if self._is_answering():
            return None
        return shared.header_timeout_seconds if self._running is None else shared.keep_alive_seconds

    def _expire(self) -> None:
        if self._phase is _Phase.LINGERING or self.transport.is_closing():
            self.transport.abort()
        elif self._phase is _Phase.HEAD:
            self._refuse(HEAD_TOO_SLOW)
        elif self._phase is _Phase.BODY:
            self._refuse(BODY_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is being read with an error, and end the connection; the answers before it come first."""
        running = self._running
        self._ignoring = True
        if running is not None and not running.response_complete:
            if running is not self.cycle or not running.more_body:
                self._end_after_answer()
                return
            # What is wrong is the rest of its own body, for which its app may be waiting.
            running.disconnected = True
            running.message_event.set()
            if running.response_started:
                self.transport.abort()
                return
        elif self._phase is _Phase.BODY:
            # The app has answered without reading the body: there is nothing more to say.
            self.transport.close()
            return
        self.transport.write(refusal.encode())
        self.linger()

    def _end_after_answer(self) -> None:
        """Read nothing any more, and end the connection with the answer that is being given."""
        self._ignoring = True
        self.pipeline.clear()
        if self._is_answering() and self._running is not None:
            self._running.keep_alive = False
        else:
            self.transport.close()

    def linger(self) -> None:
        """Say that nothing more comes, and wait for the client to close, so that it reads the answer in full.

        To close while bytes of the client's are unread makes the system reset the connection, and the client may
        lose what it has not read yet.
        """
        transport: asyncio.Transport = cast("_Transport", self.transport).inner
        if self._phase is _Phase.LINGERING or transport.is_closing():
            return
        self._phase = _Phase.LINGERING
        self._since = 0.0
        self._ignoring = True
        self.pipeline.clear()
        with suppress(OSError, RuntimeError):
            transport.write_eof()
        self.flow.resume_reading()

    def is_sending(self) -> bool:
        """Tell whether the client is in the middle of a request."""
        return self._phase is _Phase.HEAD or self._phase is _Phase.BODY

    def is_lingering(self) -> bool:
        """Tell whether the client has been given its last answer."""
        return self._phase is _Phase.LINGERING

    def _is_answering(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


class _Transport:
    """Is a connection's transport, closing it so that the client reads the answer to the end."""

    __slots__ = ("_protocol", "abort", "get_extra_info", "inner", "write")

    def __init__(self, inner: asyncio.Transport, protocol: GatewayProtocol) -> None:
        self.inner = inner
        """The loop's own."""
        self._protocol = protocol
        self.write = inner.write
        self.abort = inner.abort
        self.get_extra_info = inner.get_extra_info

    def is_closing(self) -> bool:
        """Tell whether nothing more can be written."""
        return self.inner.is_closing() or self._protocol.is_lingering()

    def close(self) -> None:
        """Close the connection when all is written; while the client is still sending, when it has read that."""
        if self._protocol.is_sending():
            self._protocol.linger()
        elif not self._protocol.is_lingering():
            self.inner.close()


def _nothing() -> None:
    """Do nothing: the answer has ended without its connection going on."""
