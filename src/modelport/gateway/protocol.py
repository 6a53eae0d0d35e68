"""HTTP/1.1 on one connection: uvicorn's, with everything that a client can send, or hold back, bounded.

What uvicorn leaves open and is closed here: heads of any size and age, bodies that never end, errors in plain text
(or in the middle of another answer), a timer for each request, connections cut before the client has read why, and
requests sent ahead: the one that is being answered hears that its client has left.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

import httptools
from typing_extensions import override

from modelport.gateway.answer_writer import WHOLE_ANSWER, AnswerWriter
from modelport.gateway.connections import POLITE_REFUSALS
from modelport.gateway.ending import EndingProtocol, LingeringTransport, Phase
from modelport.gateway.refusals import (
    BROKEN,
    MALFORMED,
    STOPPED,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_PIPELINED,
    RefusedError,
    head_too_large,
)

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

logger = logging.getLogger("modelport.gateway")

MAX_PIPELINED = 8
"""How many requests one connection may send ahead of their answers."""


class GatewayProtocol(EndingProtocol):
    """Is one connection."""

    _fed_bytes = 0
    """How many bytes are being read."""
    _head_bytes = 0
    """How much of a head came before them; after a body, how much of its trailers."""
    _heard = False
    """Whether a part of a body, or of its chunks' framing, was read of the bytes that came last."""
    _silent_bytes = 0
    """How much came while nothing of it could be read."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._shared.connected += 1
        bound = self._shared.max_connections
        refused = bound is not None and len(self.connections) >= bound
        if refused and len(self.connections) >= bound + POLITE_REFUSALS:  # type: ignore[operator]
            self.transport = transport
            self._ignoring = True
            transport.abort()
            return
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", LingeringTransport(transport, self, self._shared.writes))
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
        if isinstance(self.transport, LingeringTransport):
            self.transport = self.transport.inner

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
            if self._phase is Phase.HEAD:
                self._head_bytes += len(data)
                if self._head_bytes > self._shared.max_header_bytes:
                    self._refuse(head_too_large(self._shared.max_header_bytes))
            elif self._phase is Phase.BODY:
                # What the parser says nothing about it may be keeping: a line of trailers that does not end.
                self._silent_bytes = 0 if self._heard else self._silent_bytes + len(data)
                self._heard = False
                if self._silent_bytes > self._shared.max_header_bytes:
                    self._refuse(head_too_large(self._shared.max_header_bytes))

    @override
    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise RefusedError(TOO_MANY_PIPELINED)
        self._phase = Phase.HEAD
        self._since = 0.0
        self._head_bytes = 0
        super().on_message_begin()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is not Phase.BODY:
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
        self._phase = Phase.BODY
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
        self._phase = Phase.BETWEEN
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
        writer = AnswerWriter(cycle, self._shared.writes)
        cycle.scope["extensions"] = {WHOLE_ANSWER: writer.answer}  # type: ignore[dict-item,typeddict-unknown-key]
        try:
            await app(cycle.scope, cycle.receive, writer.send)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            refusal = STOPPED
        except BaseException as error:  # noqa: BLE001 - one request's failure must not end the server
            logger.error("the gateway failed to answer: %s", type(error).__name__)
        finally:
            cycle.on_response = _nothing
            # They refer to each other; let go of, they need no garbage collector.
            cycle.scope["extensions"] = {}
        if cycle.response_complete or cycle.disconnected:
            return
        cycle.disconnected = True
        if not cycle.response_started:
            self.transport.write(refusal.encode())
        self.transport.close()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


def _nothing() -> None:
    """Do nothing: the answer has ended without its connection going on."""
