"""Daemon threads for work that blocks: made when needed, used again, never waited for at exit.

The cache itself has no bound; whoever starts work bounds it (a model by its slots, a batch by its size), so nested
work can never wait for a thread that waits for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from modelport.runs.loops import as_deep_as_here

IDLE_SECONDS = 10.0
"""How long a thread waits for more work before it ends."""


class _Thread:
    """Is one reusable daemon thread."""

    __slots__ = ("_jobs",)

    def __init__(self, job: Callable[[], None]) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._jobs.put(job)
        threading.Thread(target=self._serve, name="modelport-worker", daemon=True).start()

    def give(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)

    def _serve(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SECONDS)
            except Empty:
                with _lock:
                    if self in _idle:
                        _idle.remove(self)
                        return
                continue
            job()
            del job
            with _lock:
                _idle.append(self)


_lock = threading.Lock()
_idle: list[_Thread] = []


def start_job(job: Callable[[], None]) -> None:
    """Run a job in a daemon thread, an idle one when there is one; the job must not raise."""
    job = as_deep_as_here(job)
    with _lock:
        thread = _idle.pop() if _idle else None
    if thread is not None:
        thread.give(job)
    else:
        _Thread(job)


def _forget_after_fork() -> None:
    """Drop the parent's threads: they do not exist in a forked child."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
