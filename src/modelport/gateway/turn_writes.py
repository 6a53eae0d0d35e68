"""The whole answers, and small parts of streams, of one turn of the loop, written together at its end.

Each write wakes the client's process, which costs more than the write; of several in a row only the first one does.
Nothing waits for more to come: the end of a turn is when the requests that were ready have been answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MOST_WAITING = 32
"""How many answers wait at most: a long step of somebody else's in the same turn holds up no more."""


class TurnWrites:
    """Holds the writes of one turn; used on one loop."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[bytes], None], bytes]] = []

    def add(self, write: Callable[[bytes], None], data: bytes) -> None:
        """Have data written at the end of the turn.

        Args:
            write: The transport's; whoever writes to the same transport before calls `flush` first.
            data: What it is given.
        """
        waiting = self._waiting
        if not waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        waiting.append((write, data))
        if len(waiting) >= MOST_WAITING:
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
