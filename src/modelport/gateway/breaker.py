"""When a deployment is left alone: after failures in a row, until one call that tries it succeeds."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Opens after some failures in a row; after a cooldown one call probes whether it may close.

    Every call that may go holds a permit, and gives it back with its verdict. What a call of an earlier time says,
    one that began before the breaker opened or closed, says nothing about now and is not counted.

    Args:
        failures: How many failures in a row open it.
        cooldown_seconds: How long it stays open before one call may probe.
        clock: Tells the time in seconds.
    """

    __slots__ = ("_clock", "_in_a_row", "_permit", "_probe_at", "_probing", "cooldown_seconds", "failures")

    def __init__(
        self, failures: int = 5, cooldown_seconds: float = 10.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.failures = failures
        """How many failures in a row open it."""
        self.cooldown_seconds = cooldown_seconds
        """How long it stays open before one call may probe."""
        self._clock = clock
        self._in_a_row = 0
        self._permit = 1
        self._probe_at: float | None = None  # None: closed
        self._probing = False

    def is_like(self, other: Breaker) -> bool:
        """Tell whether another one opens and closes by the same rules."""
        return (self.failures, self.cooldown_seconds) == (other.failures, other.cooldown_seconds)

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused now; asking takes no probe's place."""
        return self._probe_at is not None and (self._probing or self._clock() < self._probe_at)

    @property
    def seconds_left(self) -> float:
        """How long until a call may probe; 0 when one may go now, or is probing already."""
        return 0.0 if self._probe_at is None or self._probing else max(0.0, self._probe_at - self._clock())

    def allows(self) -> int:
        """Return the permit of a call that goes now, never 0; or 0: it may not.

        Who takes a permit gives it back by exactly one of `succeeded`, `failed` and `cancelled`.
        """
        if self._probe_at is None:
            return self._permit
        if self._probing or self._clock() < self._probe_at:
            return 0
        self._probing = True
        self._permit += 1
        return self._permit

    def succeeded(self, permit: int) -> None:
        """Count a success, for a stream its first byte; a probe's closes the breaker."""
        if permit != self._permit:
            return
        self._in_a_row = 0
        self._probe_at = None
        self._probing = False

    def failed(self, permit: int) -> None:
        """Count a failure; one too many in a row, or a probe's, opens the breaker for the cooldown."""
        if permit != self._permit:
            return
        self._in_a_row += 1
        if self._probe_at is not None or self._in_a_row >= self.failures:
            self._probe_at = self._clock() + self.cooldown_seconds
            self._probing = False
            self._permit += 1

    def cancelled(self, permit: int) -> None:
        """Count nothing: the call was cut short, or failed by the caller's fault; the next one may probe instead."""
        if permit == self._permit:
            self._probing = False
