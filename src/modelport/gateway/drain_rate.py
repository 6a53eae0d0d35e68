"""How fast calls are finished while there is work: what a client that is turned away is told to wait for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_MEMORY_SECONDS = 10.0
"""After so much busy time what was measured before weighs 1/e,"""
_MEMORY_INTERVALS = 5.0
"""or after so many intervals, when those are longer."""


class DrainRate:
    """Measures the time from one finished call to the next, over busy time only.

    It keeps a weighted mean of these intervals, and the weights fall with time, not with every call: a batch that
    ends at once is one interval and many calls, not many intervals of nothing.
    """

    __slots__ = ("_calls", "_clock", "_last", "_seconds")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._seconds = 0.0
        self._calls = 0.0

    def begin(self) -> None:
        """Begin a busy time: the first call came after there was none, and the time before it counts for nothing."""
        self._last = self._clock()

    def note(self) -> None:
        """Note that a call is finished."""
        now = self._clock()
        interval = now - self._last
        self._last = now
        if interval > 0.0:
            kept = math.exp(-min(interval / _MEMORY_SECONDS, 1 / _MEMORY_INTERVALS))
            self._seconds = self._seconds * kept + interval
            self._calls = self._calls * kept + 1.0
        else:
            self._calls += 1.0

    def seconds_for(self, calls: int) -> float | None:
        """Return how long it takes to finish some calls at the measured rate; None before any was finished.

        To be asked while busy: a pause since the last finished call that is longer than the mean counts as well, so
        that the answer grows when nothing is finished any more.
        """
        if not self._calls:
            return None
        mean = self._seconds / self._calls
        pause = self._clock() - self._last
        if pause > mean:
            kept = math.exp(-pause / _MEMORY_SECONDS)
            mean = (self._seconds * kept + pause) / (self._calls * kept + 1.0)
        return mean * calls
