"""The whole answers, and small parts of streams, of one turn of the loop, written together at its end.

Each write wakes the client's process, which costs more than the write; of several in a row only the first one does.
Nothing waits for more to come: the end of a turn is when the requests that were ready have been answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

MOST_ANSWERS, MOST_PARTS = 32, 8
"""How many answers, and parts of streams, wait at most: a long step of somebody else's in the same turn holds up no
more. What a part costs less by company is soon less than what its reader waits for."""
SOON_SECONDS = 0.000_05
"""How long after a write a part has company, most likely: one that comes later is written at once."""


class TurnWrites:
    """Holds the writes of one turn; used on one loop."""

    __slots__ = ("_clock", "_waiting", "_written_at")

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._waiting: list[tuple[Callable[[bytes], None], bytes]] = []
        self._clock = clock
        self._written_at = 0.0

    def add_part(self, write: Callable[[bytes], None], data: bytes) -> None:
        """Write a part of a stream: at once, or at the end of the turn when others were written just before.

        A lone one would pay for a turn of its own, in which nothing else is done.
        """
        if not self._waiting and (now := self._clock()) - self._written_at > SOON_SECONDS:
            self._written_at = now
            write(data)
        else:
            self.add(write, data, MOST_PARTS)

    def add(self, write: Callable[[bytes], None], data: bytes, most: int = MOST_ANSWERS) -> None:
        """Have data written at the end of the turn.

        Args:
            write: The transport's; whoever writes to the same transport before calls `flush` first.
            data: What it is given.
            most: How many may wait, this one included; then all are written at once.
        """
        waiting = self._waiting
        if not waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        waiting.append((write, data))
        if len(waiting) >= most:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for write, data in waiting:
            try:
                write(data)
            except RuntimeError:
                continue  # its client has gone in the meantime
        self._written_at = self._clock()
