"""Single flight: of concurrent equal calls that are not in the cache, one runs and the others wait (guarantee 10).

When the one that leads fails or is cancelled, the next one leads. Threads and tasks of any loop may wait for each
other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum

from modelport.engine.bridge_sync import seconds_until, timed_out
from modelport.runs.loops import call_soon

PATIENCE_SECONDS = 1.0
"""How long a leading stream may pause at its consumer before those who wait for it run by themselves."""
_WAITED = "it waited for an equal call"


class Turn(Enum):
    """Says what a call does that did not find its answer."""

    LEAD = "lead"
    """Run, and give what is found to those who wait."""
    ALONE = "alone"
    """Run, for itself only."""
    WAIT = "wait"
    """Another one leads, or has led: wait for it, or look again."""


class _Waiter:
    """Is one call that waits for another."""

    __slots__ = ("outcome", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.outcome: bytes | Turn | None = None


class Flight:
    """Is one run of a hook that several equal calls wait for."""

    __slots__ = ("_place", "_waiters", "parked_at")

    def __init__(self, place: tuple[int, str]) -> None:
        self._place = place
        self._waiters: deque[_Waiter] = deque()
        self.parked_at: float | None = None
        """Since when the leading stream waits for its consumer, on `time.monotonic()`'s clock."""

    def land(self, value: bytes | Turn) -> None:
        """Give the answer to all who wait; `Turn.ALONE` when it is none that can be handed on."""
        with _lock:
            _flights.pop(self._place, None)
            waiters, self._waiters = self._waiters, deque()
            for waiter in waiters:
                waiter.outcome = value
        for waiter in waiters:
            waiter.wake()

    def give_up(self) -> None:
        """Hand the lead to the one that waits longest: there is no answer yet."""
        with _lock:
            self.parked_at = None
            if not self._waiters:
                _flights.pop(self._place, None)
                return
            waiter = self._waiters.popleft()
            waiter.outcome = Turn.LEAD
        waiter.wake()

    def wait(self, deadline: float | None) -> bytes | Turn:
        """Block the thread until there is an answer, or it is this call's turn.

        Raises:
            ModelTimeoutError: `deadline` passed first.
        """
        ready = threading.Event()
        waiter = self._enqueue(ready.set)
        try:
            while waiter.outcome is None:
                ready.wait(_slice(deadline))
                self._look_around(waiter, deadline)
        except BaseException:
            self._leave(waiter)
            raise
        return waiter.outcome

    async def wait_async(self, deadline: float | None) -> bytes | Turn:
        """Wait on the running loop, as `wait` does."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            if not call_soon(loop, ready.set) and waiter.outcome is Turn.LEAD:
                self.give_up()  # nobody is left to lead

        waiter = self._enqueue(wake)
        try:
            while waiter.outcome is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_slice(deadline)):
                        await ready.wait()
                self._look_around(waiter, deadline)
        except BaseException:
            self._leave(waiter)
            raise
        return waiter.outcome

    def _enqueue(self, wake: Callable[[], object]) -> _Waiter:
        waiter = _Waiter(wake)
        with _lock:
            if _flights.get(self._place) is self:
                self._waiters.append(waiter)
            else:
                waiter.outcome = Turn.WAIT  # it has landed meanwhile
        return waiter

    def _look_around(self, waiter: _Waiter, deadline: float | None) -> None:
        """Let a waiter go when its deadline has passed, or when the one it waits for has paused for long."""
        with _lock:
            if waiter.outcome is not None:
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise timed_out(_WAITED)
            if self.parked_at is not None and time.monotonic() - self.parked_at >= PATIENCE_SECONDS:
                waiter.outcome = Turn.ALONE
                self._waiters.remove(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        """Stop waiting; a lead that was handed over at this very moment goes on to the next."""
        with _lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        if waiter.outcome is Turn.LEAD:
            self.give_up()


def _slice(deadline: float | None) -> float:
    left = seconds_until(deadline)
    return PATIENCE_SECONDS if left is None else min(left, PATIENCE_SECONDS)


def board(cache: object, key: str) -> tuple[Flight, Turn]:
    """Return the flight of a key, and whether the caller leads it or waits for it."""
    place = (id(cache), key)
    with _lock:
        flight = _flights.get(place)
        if flight is not None:
            return flight, Turn.WAIT
        flight = _flights[place] = Flight(place)
        return flight, Turn.LEAD


_lock = threading.Lock()
_flights: dict[tuple[int, str], Flight] = {}


def _forget_after_fork() -> None:
    """Drop the parent's flights: nobody leads them in a forked child."""
    global _lock
    _lock = threading.Lock()
    _flights.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
