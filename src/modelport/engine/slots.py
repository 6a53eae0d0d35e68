"""How many hook calls of a model run at once, over threads and event loops alike (guarantee 5)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from modelport.runs.loops import call_soon
from modelport.values.errors import ModelTimeoutError


class _Waiter:
    """Is one call that waits for a slot."""

    __slots__ = ("granted", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.granted = False


class Slots:
    """Hands out a fixed number of slots, first come first served, to threads and tasks."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """How many are given out at the most."""
        self._free = limit
        self._lock = threading.Lock()
        self._waiters: deque[_Waiter] = deque()

    def try_acquire(self) -> bool:
        """Take a slot when one is free and nobody waits."""
        with self._lock:
            if self._free and not self._waiters:
                self._free -= 1
                return True
            return False

    def acquire(self, deadline: float | None = None) -> None:
        """Take a slot, blocking the thread until one is free.

        Raises:
            ModelTimeoutError: `deadline` (on `time.monotonic()`'s clock) passed first.
        """
        ready = threading.Event()
        waiter = self._enqueue(ready.set)
        if waiter is None:
            return
        try:
            if ready.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                return
        except BaseException:
            self._leave(waiter)
            raise
        self._leave(waiter)
        raise ModelTimeoutError(_waited(self.limit))

    async def acquire_async(self, deadline: float | None = None) -> None:
        """Take a slot, waiting on the running loop until one is free.

        Raises:
            ModelTimeoutError: `deadline` passed first.
        """
        if self.try_acquire():
            return
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()

        def wake() -> None:
            if not call_soon(loop, ready.set):
                self.release()  # nobody is left to use the slot

        waiter = self._enqueue(wake)
        if waiter is None:
            return
        try:
            async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
                await ready.wait()
        except TimeoutError:
            self._leave(waiter)
            raise ModelTimeoutError(_waited(self.limit)) from None
        except BaseException:
            self._leave(waiter)
            raise

    def release(self) -> None:
        """Give a slot back; the call that waits longest gets it."""
        with self._lock:
            waiter = self._waiters.popleft() if self._waiters else None
            if waiter is None:
                self._free += 1
                return
            waiter.granted = True
        waiter.wake()

    def _enqueue(self, wake: Callable[[], object]) -> _Waiter | None:
        with self._lock:
            if self._free and not self._waiters:
                self._free -= 1
                return None
            waiter = _Waiter(wake)
            self._waiters.append(waiter)
            return waiter

    def _leave(self, waiter: _Waiter) -> None:
        """Stop waiting; a slot that was granted at this very moment goes to the next."""
        with self._lock:
            granted = waiter.granted
            if not granted:
                self._waiters.remove(waiter)
        if granted:
            self.release()


def _waited(limit: int) -> str:
    return f"the call's deadline passed while it waited for one of the model's {limit} slots (max_concurrency)"
