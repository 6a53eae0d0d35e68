"""One of several processes that serve one address: what it is given, and what it tells the one that started it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from modelport.gateway.options import ServeOptions
from modelport.gateway.settings import GatewaySettings
from modelport.values.errors import ModelportError

if TYPE_CHECKING:
    from modelport.gateway.server import Server

STARTED = "started"
"""A worker is reachable; with the lines of the greeting."""
FAILED = "failed"
"""A worker cannot start; with the reason."""
DRAINED = "drained"
"""A worker has answered its last request."""
GO = "go"
"""The workers may close the port."""
LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"
"""How the lines of the log look."""


class Assignment(msgspec.Struct, frozen=True):
    """Is what a worker is given; it is pickled, keys too, so it goes through a pipe only."""

    options: ServeOptions
    settings: GatewaySettings
    generated_key: str | None
    watch: bool
    number: int
    counts_folder: Path
    log_level: int

    @override
    def __repr__(self) -> str:
        return f"Assignment(number={self.number})"  # never the keys


def work(assignment: Assignment, listener: socket.socket, pipe: Connection) -> None:
    """Serve until told to end; the body of a worker's process.

    Raises:
        SystemExit: Always: with the process's exit status.
    """
    logging.basicConfig(level=assignment.log_level, format=LOG_FORMAT)
    try:
        status = _serve(assignment, listener, pipe)
    except ModelportError as error:
        pipe.send((FAILED, str(error)))
        status = 2
    raise SystemExit(status)


def _serve(assignment: Assignment, listener: socket.socket, pipe: Connection) -> int:
    from modelport.gateway.app import Gateway
    from modelport.gateway.greeting import greeting
    from modelport.gateway.heap import settle
    from modelport.gateway.metric_snapshots import SnapshotFolder
    from modelport.gateway.metrics import Metrics
    from modelport.gateway.reload import Reloader
    from modelport.gateway.server import Server, address_of, run

    settings = assignment.settings
    metrics = Metrics(SnapshotFolder(assignment.counts_folder, assignment.number))
    gateway = Gateway(settings, metrics=metrics)
    publishing: list[asyncio.Task[None]] = []
    parent = _Parent(pipe)
    failures = _Failures()

    def started() -> None:
        failures.let_through()
        parent.listen(server)
        lines = greeting(gateway.model_lines(), settings.server, address_of(listener), assignment.generated_key)
        publishing.append(asyncio.create_task(metrics.keep_publishing()))
        parent.say(STARTED, lines)
        settle()

    server = Server(
        gateway,
        settings,
        on_start=started,
        on_drained=parent.may_close_port,
        reloader=Reloader(gateway, assignment.options, settings, watch=assignment.watch),
        shares_port=True,
    )
    status = run(server, listener)
    metrics.publish()
    if not server.started:
        parent.say(FAILED, failures.text() or "the server cannot be started")
    return status


class _Parent:
    """Is the process that started this one."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._go = asyncio.Event()

    def say(self, what: str, value: Any) -> None:
        """Tell it something."""
        with contextlib.suppress(OSError):
            self._pipe.send((what, value))

    def listen(self, server: Server) -> None:
        """Hear, on the running loop, that the port may be closed, or that the process is gone: then this one ends."""
        loop = asyncio.get_running_loop()

        def hear() -> None:
            try:
                self._pipe.recv()
            except (EOFError, OSError):
                loop.remove_reader(self._pipe.fileno())
                server.begin_end()
            self._go.set()

        loop.add_reader(self._pipe.fileno(), hear)

    async def may_close_port(self) -> None:
        """Say that all is answered here, and wait until that is so in all workers."""
        self.say(DRAINED, None)
        await self._go.wait()


class _Failures(logging.Handler):
    """Keeps what the server logs while it starts, so that it is said once and not by every worker."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._logger = logging.getLogger("uvicorn.error")
        self._logger.addHandler(self)
        self._logger.propagate = False

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def let_through(self) -> None:
        """Let the log be a log from now on."""
        self._logger.removeHandler(self)
        self._logger.propagate = True

    def text(self) -> str:
        """Return the first line, which is the reason."""
        return self._lines[0] if self._lines else ""
