"""One of several processes that serve, as the one that started it sees it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import time
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, cast

from modelport.gateway.worker import Assignment, work


class WorkerProcess:
    """Is one process, or the place of one that will be started."""

    def __init__(self, number: int) -> None:
        self.number = number
        """Which one it is, from 0 on."""
        self.process: SpawnProcess | None = None
        """What runs; None before it is started and after its end."""
        self.pipe: Connection | None = None
        """What it says comes through here."""
        self.born = 0.0
        """When it was started, on `time.monotonic()`'s clock."""
        self.started = False
        """Whether it serves."""
        self.drained = False
        """Whether it has answered its last request."""
        self.missed_hangup = False
        """Whether it was to read its config again before it served."""
        self.due = 0.0
        """When it is to be started."""

    def start(self, assignment: Assignment, listener: socket.socket) -> None:
        """Start the process, which gets all it needs through a pipe."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = cast("tuple[Connection, Connection]", context.Pipe())
        self.process = context.Process(
            target=work, args=(assignment, listener, theirs), name=f"modelport-worker-{self.number}"
        )
        self.pipe, self.born = ours, time.monotonic()
        self.started = self.drained = self.missed_hangup = False
        # A terminal sends Ctrl-C to the workers too, who are told by this process: they inherit that they ignore it.
        ours_before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.process.start()
        signal.signal(signal.SIGINT, ours_before)
        theirs.close()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it does not run."""
        process = self.process
        if process is not None and process.pid is not None and process.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def heard(self) -> tuple[str, Any] | None:
        """Return what it says next, its kind and its value; None: nothing any more."""
        assert self.pipe is not None
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.close_pipe()
            return None

    def say(self, what: str) -> None:
        """Tell it something; nothing happens when it does not listen any more."""
        if self.pipe is not None:
            with contextlib.suppress(OSError):
                self.pipe.send(what)

    def end(self) -> int:
        """Take note of the end of its process; return the exit status."""
        process, self.process = self.process, None
        assert process is not None
        process.join()
        status = process.exitcode or 0
        process.close()
        self.close_pipe()
        return status

    def close_pipe(self) -> None:
        """Hear nothing from it any more."""
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None
