"""How many calls a deployment runs at once, and how many wait for it: more are told when to come back."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import Callable

from modelport.gateway.drain_rate import DrainRate
from modelport.values.status_errors import RateLimitError, UnavailableError

SHORTEST_WAIT_SECONDS = 0.001
"""What a refused client is told to wait at the least."""
UNKNOWN_WAIT_SECONDS = 1.0
"""What it is told while no call was finished yet, so that nothing is measured."""


class Gate:
    """Lets calls in, a bounded number at once, in the order in which they came; for one event loop.

    A call that ends hands its place to the call that waits longest, so nobody overtakes, and a place is never free
    while somebody waits. A waiting call may be cancelled at any time.

    Args:
        max_concurrency: How many calls run at once; None: any number.
        max_queue: How many may wait for a place.
        queue_timeout_seconds: How long each of them waits at the most; None: as long as it likes.
        clock: Tells the time in seconds, to measure how fast calls end.
    """

    __slots__ = ("_drain", "_places", "_waiters", "max_concurrency", "max_queue", "queue_timeout_seconds", "running")

    def __init__(
        self,
        max_concurrency: int | None = None,
        max_queue: int = 256,
        queue_timeout_seconds: float | None = 60.0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_concurrency = max_concurrency
        """How many calls run at once; None: any number."""
        self.max_queue = max_queue
        """How many may wait for a place."""
        self.queue_timeout_seconds = queue_timeout_seconds
        """How long each of them waits at the most; None: as long as it likes."""
        self.running = 0
        """How many calls are inside."""
        self._places = sys.maxsize if max_concurrency is None else max_concurrency
        # Without a bound nobody is ever told to wait, and nothing needs measuring.
        self._drain = None if max_concurrency is None else DrainRate(clock)
        # A waiting call's future gets True with its place, False when its time is up. Ordered and keyed, so that who
        # leaves from the middle of a long queue costs no search.
        self._waiters: OrderedDict[asyncio.Future[bool], None] = OrderedDict()

    def is_like(self, other: Gate) -> bool:
        """Tell whether another one has the same bounds."""
        return (self.max_concurrency, self.max_queue, self.queue_timeout_seconds) == (
            other.max_concurrency,
            other.max_queue,
            other.queue_timeout_seconds,
        )

    @property
    def waiting(self) -> int:
        """How many calls wait for a place."""
        return len(self._waiters)

    @property
    def retry_after(self) -> float:
        """How many seconds a client that is refused now should wait, as fast as calls end at present."""
        measured = self._drain.seconds_for(len(self._waiters) + 1) if self._drain is not None else None
        return UNKNOWN_WAIT_SECONDS if measured is None else max(measured, SHORTEST_WAIT_SECONDS)

    def try_enter(self) -> bool:
        """Take a place when one is free now, which is never so while somebody waits."""
        running = self.running
        if running >= self._places:
            return False
        if not running and self._drain is not None:
            self._drain.begin()
        self.running = running + 1
        return True

    async def enter(self) -> None:
        """Take a place, waiting behind those who came before.

        Whoever has entered must `leave`; whose wait ends with an exception, cancelled or not, has no place.

        Raises:
            RateLimitError: 429 `queue_full`: `max_queue` calls wait already.
            UnavailableError: 503 `queue_timeout`: there was no place within `queue_timeout_seconds`.
        """
        if self.try_enter():
            return
        if len(self._waiters) >= self.max_queue:
            raise self._queue_full()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiters[waiter] = None
        seconds = self.queue_timeout_seconds
        timer = None if seconds is None else loop.call_later(seconds, self._time_is_up, waiter)
        try:
            entered = await waiter
        except BaseException:
            self._waiters.pop(waiter, None)
            if waiter.done() and not waiter.cancelled() and waiter.result():
                # The place was handed over in the very moment the call was cut short.
                self._hand_over()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if not entered:
            raise self._queue_timeout()

    def leave(self) -> None:
        """Give a place back; who waits longest has it from then on."""
        if self._drain is not None:
            self._drain.note()
        if self._waiters:
            self._hand_over()
        else:
            self.running -= 1

    def _hand_over(self) -> None:
        waiters = self._waiters
        while waiters:
            waiter, _ = waiters.popitem(last=False)
            if not waiter.done():  # a cancelled one is still in the queue until its task runs
                waiter.set_result(True)
                return
        self.running -= 1

    def _time_is_up(self, waiter: asyncio.Future[bool]) -> None:
        if not waiter.done():
            self._waiters.pop(waiter, None)
            waiter.set_result(False)

    def _queue_full(self) -> RateLimitError:
        wait = self.retry_after
        return RateLimitError(
            f"the model runs {self.running} calls (max_concurrency) and {len(self._waiters)} wait for it, as many as "
            f"may (max_queue); try again in {wait:.3g} s",
            code="queue_full",
            retry_after=wait,
        )

    def _queue_timeout(self) -> UnavailableError:
        wait = self.retry_after
        return UnavailableError(
            f"the call waited {self.queue_timeout_seconds:g} s for one of the model's {self.max_concurrency} places, "
            f"and none was free (queue_timeout_seconds); try again in {wait:.3g} s",
            code="queue_timeout",
            retry_after=wait,
        )
