"""How a connection ends: after its last answer, refused, or too old; in any case so that the client reads why."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelport.gateway.connections import Connections
from modelport.gateway.refusals import BODY_TOO_SLOW, HEAD_TOO_SLOW, Refusal
from modelport.gateway.turn_writes import TurnWrites

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from modelport.gateway.request_cycle import RequestCycle


class Phase(enum.Enum):
    """Says what the client is about to send."""

    BETWEEN = 0
    """The first byte of a request."""
    HEAD = 1
    """The rest of a head."""
    BODY = 2
    """The rest of a body."""
    LINGERING = 3
    """Nothing that is read: it has been refused and is given time to read why."""


class EndingProtocol(HttpToolsProtocol):
    """Is one connection as far as its end goes; what is read, and answered, is its subclass's."""

    parser: Any
    """The parser of what comes, whose callbacks this is; None when the connection is lost."""

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
        self.writes = shared.writes
        """What is written at the end of the loop's turn."""
        self._phase = Phase.BETWEEN
        self._since = 0.0
        """When a sweep first saw this phase; 0 while none has. So no request asks what time it is."""
        self._ignoring = False
        """Whether what the client sends is thrown away."""
        self._running: RequestCycle | None = None
        """The request that is being answered, or was last."""
        self._newest: RequestCycle | None = None
        """The request that is being read, or was last."""
        self._ahead: deque[RequestCycle] = deque()
        """Requests that wait for the answer before theirs."""

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
        if self._phase is Phase.LINGERING:
            return shared.linger_seconds
        if self.transport.is_closing():
            # All is written, but the client does not read.
            return shared.keep_alive_seconds
        if self.flow.read_paused:
            return None
        if self._phase is Phase.HEAD:
            return shared.header_timeout_seconds
        if self._phase is Phase.BODY:
            return shared.body_timeout_seconds
        if self._is_answering():
            return None
        return shared.header_timeout_seconds if self._running is None else shared.keep_alive_seconds

    def _expire(self) -> None:
        if self._phase is Phase.LINGERING or self.transport.is_closing():
            self.transport.abort()
        elif self._phase is Phase.HEAD:
            self._refuse(HEAD_TOO_SLOW)
        elif self._phase is Phase.BODY:
            self._refuse(BODY_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is being read with an error, and end the connection; the answers before it come first."""
        running = self._running
        self._ignoring = True
        if running is not None and not running.response_complete:
            if running is not self._newest or not running.more_body:
                self._end_after_answer()
                return
            # What is wrong is the rest of its own body, for which its app may be waiting.
            running.leave()
            if running.response_started:
                self.transport.abort()
                return
        elif self._phase is Phase.BODY:
            # The app has answered without reading the body: there is nothing more to say.
            self.transport.close()
            return
        self.transport.write(refusal.encode())
        self.linger()

    def _end_after_answer(self) -> None:
        """Read nothing any more, and end the connection with the answer that is being given."""
        self._ignoring = True
        self._ahead.clear()
        if self._is_answering() and self._running is not None:
            self._running.keep_alive = False
        else:
            self.transport.close()

    def linger(self) -> None:
        """Say that nothing more comes, and wait for the client to close, so that it reads the answer in full.

        To close while bytes of the client's are unread makes the system reset the connection, and the client may
        lose what it has not read yet.
        """
        transport: asyncio.Transport = getattr(self.transport, "inner", self.transport)
        if self._phase is Phase.LINGERING or transport.is_closing():
            return
        self._phase = Phase.LINGERING
        self._since = 0.0
        self._ignoring = True
        self._ahead.clear()
        self._shared.writes.flush()
        with suppress(OSError, RuntimeError):
            transport.write_eof()
        self.flow.resume_reading()

    def is_sending(self) -> bool:
        """Tell whether the client is in the middle of a request."""
        return self._phase is Phase.HEAD or self._phase is Phase.BODY

    def is_awaited(self) -> bool:
        """Tell whether a request of the client has begun to come, or should: it has connected and not had one yet."""
        return self.is_sending() or (self._running is None and not self.is_lingering())

    def is_lingering(self) -> bool:
        """Tell whether the client has been given its last answer."""
        return self._phase is Phase.LINGERING

    def _is_answering(self) -> bool:
        return self._running is not None and not self._running.response_complete


class LingeringTransport:
    """Is a connection's transport, closing it so that the client reads the answer to the end."""

    __slots__ = ("_protocol", "_writes", "abort", "get_extra_info", "inner")

    def __init__(self, inner: asyncio.Transport, protocol: EndingProtocol, writes: TurnWrites) -> None:
        self.inner = inner
        """The loop's own."""
        self._protocol = protocol
        self._writes = writes
        self.abort = inner.abort
        self.get_extra_info = inner.get_extra_info

    def write(self, data: bytes) -> None:
        """Write, after what waits for the end of the turn."""
        self._writes.flush()
        self.inner.write(data)

    def is_closing(self) -> bool:
        """Tell whether nothing more can be written."""
        return self.inner.is_closing() or self._protocol.is_lingering()

    def close(self) -> None:
        """Close the connection when all is written; while the client is still sending, when it has read that."""
        self._writes.flush()
        if self._protocol.is_sending():
            self._protocol.linger()
        elif not self._protocol.is_lingering():
            self.inner.close()
