"""Runs a gateway as a server of its own: binds, loads, says where it is, drains when it is told to end."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn
from typing_extensions import override

from modelport.gateway.accepting import Acceptor
from modelport.gateway.connections import KEEP_ALIVE_SECONDS, Connections
from modelport.gateway.draining import close_down, wait_for_requests
from modelport.gateway.greeting import ModelLine
from modelport.gateway.heap import unsettle
from modelport.gateway.process import allow_many_connections, end_at_once, has_terminal
from modelport.gateway.protocol import GatewayProtocol

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from modelport.gateway.reload import Reloader
    from modelport.gateway.settings import GatewaySettings


class Served(Protocol):
    """Is the app as its server sees it: `modelport.gateway.app.Gateway`."""

    draining: bool
    """Set when the server is told to end: requests of models are refused with 503 from then on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Follow the lifespan of the server."""
        ...

    def answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        ...

    async def reload(self, settings: GatewaySettings) -> None:
        """Serve by other settings from now on; when it raises, the old ones stay."""
        ...

    def model_lines(self) -> list[ModelLine]:
        """Return what the greeting says about each model."""
        ...


class Server(uvicorn.Server):
    """Is uvicorn with connections that are bounded, and an end that drops nothing.

    SIGTERM and Ctrl-C begin the end, a second one makes it immediate; SIGHUP reads the config again, unless it comes
    of a terminal that was closed.
    """

    def __init__(
        self,
        gateway: Served,
        settings: GatewaySettings,
        *,
        on_start: Callable[[], object],
        on_drained: Callable[[], Awaitable[object]] | None = None,
        reloader: Reloader | None = None,
        shares_port: bool = False,
    ) -> None:
        """Take what it serves.

        Args:
            gateway: The app.
            settings: How it is served.
            on_start: Is called once it is reachable.
            on_drained: Is awaited when the last request is answered, before the port is closed.
            reloader: What SIGHUP and changed files ask to read the config again.
            shares_port: Whether other processes accept from the same socket.
        """
        self.shared = Connections(settings.server.limits, gateway.answer)
        super().__init__(
            uvicorn.Config(
                gateway,  # type: ignore[arg-type]
                http=partial(GatewayProtocol, shared=self.shared),  # type: ignore[arg-type]
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_keep_alive=int(KEEP_ALIVE_SECONDS),
            )
        )
        self.gateway = gateway
        self._shutdown_seconds = settings.server.shutdown_seconds
        self._on_start = on_start
        self._on_drained = on_drained
        self._reloader = reloader
        self._shares_port = shares_port
        self._had_terminal = has_terminal()

    def begin_end(self) -> None:
        """Refuse what comes from now on, finish what is open, and end."""
        if self.should_exit:
            return
        self.shared.draining = True
        self.gateway.draining = True
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, GatewayProtocol):
                connection.make_last()
        self.should_exit = True

    def obey(self, settings: GatewaySettings) -> None:
        """Take other bounds for connections, also for those that are open; what they took the place of may go."""
        unsettle()
        self.shared.obey(settings.server.limits)
        self._shutdown_seconds = settings.server.shutdown_seconds

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([] if self._shares_port else sockets)
        if not self.started:
            return
        if self._shares_port:
            acceptors = [Acceptor(one, self._new_connection) for one in sockets or []]
            self.servers.extend(acceptors)  # type: ignore[arg-type]
        self.shared.watch(self.server_state.connections)  # type: ignore[arg-type]
        if self._reloader is not None:
            self._reloader.start(self.obey)
        self._on_start()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = self.server_state
        if self._reloader is not None:
            await self._reloader.stop()
        await wait_for_requests(state.tasks, self._shutdown_seconds)
        if self._on_drained is not None:
            await self._on_drained()
        await close_down(
            self.servers,
            sockets or [],
            state.connections,  # type: ignore[arg-type]
            state.tasks,
            lambda: self.shared.connected + state.total_requests,
        )
        self.shared.unwatch()
        await self.lifespan.shutdown()

    def _new_connection(self) -> GatewayProtocol:
        return GatewayProtocol(self.config, self.server_state, self.lifespan.state, shared=self.shared)

    @contextmanager
    @override
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[], object]] = {
            number: partial(self._told_to_end, number) for number in (signal.SIGTERM, signal.SIGINT)
        }
        if self._reloader is not None:
            handlers[signal.SIGHUP] = partial(self._told_to_reload, self._reloader)
        for number, handler in handlers.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _told_to_end(self, number: signal.Signals) -> None:
        if self.should_exit or not self.started:
            end_at_once(number)
        self.begin_end()

    def _told_to_reload(self, reloader: Reloader) -> None:
        if self._had_terminal and not has_terminal():
            self.begin_end()  # the terminal was closed, which has sent this signal
        else:
            reloader.ask()


def run(server: Server, listener: socket.socket) -> int:
    """Run a server until it ends; return the process's exit status: 1 when its models cannot be loaded."""
    allow_many_connections()
    try:
        server.run(sockets=[listener])
    except SystemExit:
        # uvicorn's word for a start that failed; the line that says why has been written.
        return 1
    return 0 if server.started else 1


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Return the numeric host and the port that a socket listens on."""
    name: tuple[Any, ...] = listener.getsockname()
    return name[0], name[1]
