"""HTTP/1.1 on one connection: uvicorn's, with everything that a client can send, or hold back, bounded.

What uvicorn leaves open and is closed here: heads of any size and age, bodies that never end, errors in plain text
(or in the middle of another answer), a timer for each request, connections cut before the client has read why, and
requests sent ahead: the one that is being answered hears that its client has left.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import httptools
from typing_extensions import override
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

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
from modelport.gateway.request_cycle import EXTENSION, CycleConnection, RequestCycle
from modelport.gateway.upgrades import has_body, parser_after_head

logger = logging.getLogger("modelport.gateway")

MAX_PIPELINED = 8
"""How many requests one connection may send ahead of their answers."""
KNOWN_URLS, LONG_URL_BYTES = 256, 1024
"""How many URLs are remembered as parsed, and up to which length: clients ask for the same few."""

_BETWEEN, _HEAD, _BODY = Phase.BETWEEN, Phase.HEAD, Phase.BODY
_ASGI = {"version": "3.0", "spec_version": "2.3"}


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
    _body_follows = False
    """Whether the parser stops before the body of what is being read, as its head asks for another protocol."""

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
        self.connections.discard(self)
        self._ahead.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.leave()
        if self.flow is not None:  # pyright: ignore[reportUnnecessaryComparison] - a refused connection has none
            self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        # These refer to each other; let go of, they need no garbage collector.
        self.parser = None
        self._running = self._newest = None
        if isinstance(self.transport, LingeringTransport):
            self.transport = self.transport.inner

    @override
    def data_received(self, data: bytes) -> None:
        if self._ignoring:
            return
        self._fed_bytes = len(data)
        try:
            self.parser.feed_data(data)  # type: ignore[union-attr]
        except httptools.HttpParserUpgrade as upgrade:
            # There is nothing to upgrade to: the request is answered as it is, and without a body was the last one.
            if not self._body_follows:
                self._end_after_answer()
                return
            self._body_follows = False
            self.parser = parser_after_head(self, self.headers)
            if rest := data[upgrade.args[0] :]:
                self.data_received(rest)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, RefusedError) else MALFORMED)
        else:
            if self._phase is _HEAD:
                self._head_bytes += len(data)
                if self._head_bytes > self._shared.max_header_bytes:
                    self._refuse(head_too_large(self._shared.max_header_bytes))
            elif self._phase is _BODY:
                # What the parser says nothing about it may be keeping: a line of trailers that does not end.
                self._silent_bytes = 0 if self._heard else self._silent_bytes + len(data)
                self._heard = False
                if self._silent_bytes > self._shared.max_header_bytes:
                    self._refuse(head_too_large(self._shared.max_header_bytes))

    @override
    def on_message_begin(self) -> None:
        if len(self._ahead) >= MAX_PIPELINED:
            raise RefusedError(TOO_MANY_PIPELINED)
        self._phase = _HEAD
        self._since = 0.0
        self._head_bytes = 0
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is _BODY:
            self._take_trailer(name, value)
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _take_trailer(self, name: bytes, value: bytes) -> None:
        """Pass over what comes after a body: nobody asks for it."""
        self._heard = True
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._shared.max_header_bytes:
            raise RefusedError(head_too_large(self._shared.max_header_bytes))

    @override
    def on_headers_complete(self) -> None:
        most = self._shared.max_header_bytes
        if self._head_bytes + self._fed_bytes > most and self._size_of_head() > most:
            raise RefusedError(head_too_large(most))
        parser, url = self.parser, self.url
        http_version = parser.get_http_version()
        path, raw_path, query = _target_of(url) if len(url) > LONG_URL_BYTES else _known_target_of(url)
        before = self._newest
        extensions: dict[str, RequestCycle] = {}
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": http_version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": parser.get_method().decode("ascii"),
            "root_path": self.root_path,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "extensions": extensions,
        }
        self._newest = extensions[EXTENSION] = cycle = RequestCycle(
            cast("CycleConnection", self),  # whose transport is a lingering one by now
            scope,
            keep_alive=http_version != "1.0" and parser.should_keep_alive(),
            expects_continue=self.expect_100_continue,
        )
        self._phase = _BODY
        self._since = 0.0
        self._head_bytes = self._silent_bytes = 0
        self._heard = True
        self._body_follows = parser.should_upgrade() and has_body(self.headers)
        if before is None or before.response_complete:
            self._start(cycle)
        else:
            # Reading goes on, else the client of the running request could not be seen leaving.
            self._ahead.append(cycle)

    def on_chunk_header(self) -> None:
        """Take down that the beginning of a chunk was read."""
        self._heard = True

    @override
    def on_body(self, body: bytes) -> None:
        self._heard = True
        cycle = self._newest
        if cycle is not None and not cycle.response_complete and cycle.add_body(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    @override
    def on_message_complete(self) -> None:
        if self._body_follows:
            return
        self._phase = _BETWEEN
        self._since = 0.0
        if self._newest is not None and not self._newest.response_complete:
            self._newest.end_body()

    @override
    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._ahead:
            self._start(self._ahead.popleft())
        else:
            self._since = 0.0

    def _start(self, cycle: RequestCycle) -> None:
        self._running = cycle
        if self._shared.draining:
            cycle.keep_alive = False
        cycle.task = task = self.loop.create_task(self._answer(cycle))
        self.tasks.add(task)

    async def _answer(self, cycle: RequestCycle) -> None:
        """Let the app answer; whatever it does, the client gets a whole answer or sees the connection end."""
        refusal = BROKEN
        try:
            await self._shared.answer(cycle.scope, cycle.receive, cycle.send)
        except asyncio.CancelledError:
            refusal = STOPPED
        except BaseException as error:  # noqa: BLE001 - one request's failure must not end the server
            logger.error("the gateway failed to answer: %s", type(error).__name__)
        finally:
            self.tasks.discard(cycle.task)  # type: ignore[arg-type]
            cycle.let_go()
        if cycle.response_complete or cycle.disconnected:
            return
        cycle.disconnected = True
        if not cycle.response_started:
            self.transport.write(refusal.encode())
        self.transport.close()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


def _target_of(url: bytes) -> tuple[str, bytes, bytes]:
    """Return the path that a URL asks for, as text and as it came, and its query."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


_known_target_of = lru_cache(KNOWN_URLS)(_target_of)
