"""Several processes that serve one address: this one binds it, starts them, replaces those that die, ends them all.

The models are imported and loaded in the workers only. A worker is spawned, never forked, and gets what it needs,
keys too, through a pipe: neither its command line nor its environment shows them. All workers accept from one
socket, so that a worker that dies takes no waiting connection with it. When told to end they stay reachable, and
refuse, until the last one has answered its last request; then the port is closed for all of them at once.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelport.gateway.draining import turn_away
from modelport.gateway.options import ServeOptions
from modelport.gateway.process import has_terminal
from modelport.gateway.worker import DRAINED, FAILED, GO, STARTED, Assignment
from modelport.gateway.worker_process import WorkerProcess
from modelport.values.errors import LoadError

if TYPE_CHECKING:
    from modelport.gateway.settings import GatewaySettings

logger = logging.getLogger("modelport.gateway")

YOUNG_SECONDS = 10.0
"""A worker that dies younger than this has died at once."""
MOST_YOUNG_DEATHS = 5
"""After so many in a row the gateway gives up."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
"""How long it waits before it replaces a worker: twice as long after each that died at once."""
EXIT_MISTAKE = 2
"""The exit status when the models cannot be imported, made or loaded."""


class Workers:
    """Runs the workers of one gateway."""

    def __init__(
        self,
        options: ServeOptions,
        settings: GatewaySettings,
        listener: socket.socket,
        say: Callable[[str], None],
        *,
        generated_key: str | None = None,
        watch: bool = False,
    ) -> None:
        """Take what the workers serve.

        Args:
            options: Give the settings again on SIGHUP.
            settings: What a worker serves.
            listener: The socket that they accept from.
            say: Gets one line at a time for the person who started this.
            generated_key: The key that was made for this run.
            watch: Whether the workers read the config again whenever a file changes.
        """
        self._options = options
        self._settings = settings
        self._listener = listener
        self._say = say
        self._generated_key = generated_key
        self._watch = watch
        self._workers = [WorkerProcess(number) for number in range(settings.server.workers)]
        self._counts_folder = Path(tempfile.mkdtemp(prefix="modelport-"))
        self._had_terminal = has_terminal()
        self._is_ending = False
        self._is_greeted = False
        self._reread_wanted = False
        self._young_deaths = 0
        self._exit_status = 0
        self._failure: str | None = None

    def run(self) -> int:
        """Serve until told to end; return the exit status.

        Raises:
            LoadError: A worker could not start because of its models.
        """
        handlers: dict[int, Any] = {signal.SIGTERM: self._on_end, signal.SIGINT: self._on_end}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            handlers[signal.SIGHUP] = self._on_hangup
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            while True:
                self._start_due()
                alive = [worker for worker in self._workers if worker.process is not None]
                if self._is_ending and not alive:
                    break
                self._wait_for_news(alive)
        finally:
            for worker in self._workers:
                if worker.process is not None:
                    worker.process.kill()
            for number, handler in before.items():
                signal.signal(number, handler)
            shutil.rmtree(self._counts_folder, ignore_errors=True)
        if self._failure is not None:
            raise LoadError(self._failure)
        return self._exit_status

    def _start_due(self) -> None:
        if self._reread_wanted:
            self._reread_wanted = False
            # The workers say what is wrong with it.
            with contextlib.suppress(Exception):
                settings = self._options.settings()
                settings.server.workers = len(self._workers)
                self._settings = settings
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is None and worker.due <= now and not self._is_ending:
                self._start(worker)

    def _start(self, worker: WorkerProcess) -> None:
        assignment = Assignment(
            options=self._options,
            settings=self._settings,
            generated_key=self._generated_key,
            watch=self._watch,
            number=worker.number,
            counts_folder=self._counts_folder,
            log_level=logging.getLogger().level,
        )
        worker.start(assignment, self._listener)
        if self._is_ending:
            worker.tell(signal.SIGTERM)

    def _wait_for_news(self, alive: list[WorkerProcess]) -> None:
        sources: dict[Any, WorkerProcess] = {}
        for worker in alive:
            assert worker.process is not None
            sources[worker.process.sentinel] = worker
            if worker.pipe is not None:
                sources[worker.pipe] = worker
        due = [worker.due - time.monotonic() for worker in self._workers if worker.process is None]
        for source in wait(list(sources), max(0.0, min([1.0, *due]))):
            worker = sources[source]
            if isinstance(source, Connection):
                if worker.pipe is source:
                    self._hear(worker)
            elif worker.process is not None:
                self._bury(worker)

    def _hear(self, worker: WorkerProcess) -> None:
        """Read what a worker says."""
        heard = worker.heard()
        if heard is None:
            return
        what, value = heard
        if what == STARTED:
            worker.started = True
            if worker.missed_hangup:
                worker.tell(signal.SIGHUP)
            if not self._is_greeted and all(one.started for one in self._workers):
                self._is_greeted = True
                for line in value:
                    self._say(line)
        elif what == FAILED and not self._is_greeted and not self._is_ending:
            self._failure = value
            self._end(EXIT_MISTAKE)
        elif what == FAILED and not self._is_ending:
            logger.error("worker %d cannot start: %s", worker.number, value)
        elif what == DRAINED:
            worker.drained = True
            self._close_port_when_drained()

    def _bury(self, worker: WorkerProcess) -> None:
        """Take note of a worker's end; plan its replacement unless all are to end."""
        while worker.pipe is not None and worker.pipe.poll():
            self._hear(worker)
        status = worker.end()
        if self._is_ending:
            if status > 0 and not self._exit_status:
                self._exit_status = status
            self._close_port_when_drained()
            return
        is_young = not worker.started or time.monotonic() - worker.born < YOUNG_SECONDS
        self._young_deaths = self._young_deaths + 1 if is_young else 0
        how = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
        others_live = any(one.started and one.process is not None for one in self._workers)
        if self._young_deaths >= MOST_YOUNG_DEATHS and not others_live:
            logger.error("worker %d ended (%s); giving up, as workers die at once", worker.number, how)
            self._end(1)
            return
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** max(0, self._young_deaths - 1))
        logger.error("worker %d ended (%s); another one starts in %g s", worker.number, how, pause)
        worker.due = time.monotonic() + pause
        if self._watch:
            # The others have taken over what has changed since.
            self._reread_wanted = True

    def _close_port_when_drained(self) -> None:
        """Let the workers close the port once none of them has a request."""
        alive = [worker for worker in self._workers if worker.process is not None]
        if not self._is_ending or not alive or not all(worker.drained for worker in alive):
            return
        turn_away(self._listener)
        for worker in alive:
            worker.say(GO)

    def _end(self, status: int) -> None:
        self._is_ending = True
        self._exit_status = status
        self._forward(signal.SIGTERM)

    def _on_end(self, _number: int, _frame: object) -> None:
        self._is_ending = True
        self._forward(signal.SIGTERM)

    def _on_hangup(self, number: int, frame: object) -> None:
        if self._had_terminal and not has_terminal():
            self._on_end(number, frame)
            return
        self._reread_wanted = True
        self._forward(signal.SIGHUP)

    def _forward(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if number is signal.SIGHUP and not worker.started:
                # It would take it for its end.
                worker.missed_hangup = True
            else:
                worker.tell(number)
