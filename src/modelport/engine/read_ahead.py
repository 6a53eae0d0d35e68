"""A sync iterator for an async consumer: one worker thread, and a bounded number of items ahead."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from modelport.engine.bridge_async import hand_over, until
from modelport.engine.closing import close_quietly
from modelport.engine.threads import start_job
from modelport.engine.turns import TURN

READ_AHEAD_CHUNKS = 64
"""How far a sync generator may run ahead of its async consumer."""


class ReadAhead:
    """Runs a sync iterator in one worker thread and hands over, on the loop, whatever number of items is ready.

    No lock: the thread appends and then looks whether the loop waits; the loop says that it waits and then looks
    again whether something was appended. One of the two always sees the other.
    """

    __slots__ = (
        "_closed",
        "_context",
        "_done",
        "_ended",
        "_error",
        "_items",
        "_loop",
        "_make",
        "_outstanding",
        "_room",
        "_waiter",
    )

    def __init__(
        self, make: Callable[[], Iterator[Any]], context: contextvars.Context, done: Callable[[], None]
    ) -> None:
        self._make = make
        self._context = context
        self._done = done
        self._items: deque[Any] = deque()
        self._outstanding = 0
        """How many items the consumer was handed last: as far as we know, it is still busy with them."""
        self._room = threading.Event()
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        start_job(self._produce)

    def _produce(self) -> None:
        try:
            self._context.run(self._pull)
        except BaseException as error:  # noqa: BLE001 - handed to the task that waits
            self._error = error
        self._done()
        self._ended = True
        self._wake()

    def _pull(self) -> None:
        """Pull until the end or until closed; runs wholly in the run's context, in its own thread."""
        items = self._items
        iterator = self._make()
        try:
            if self._closed:
                return
            for item in iterator:
                items.append(item)
                if self._waiter is not None:
                    self._wake()
                if len(items) + self._outstanding >= READ_AHEAD_CHUNKS:
                    self._wait_for_room()
                if self._closed:
                    return
        finally:
            close_quietly(iterator)

    def _wait_for_room(self) -> None:
        while len(self._items) + self._outstanding >= READ_AHEAD_CHUNKS and not self._closed:
            self._room.wait()
            self._room.clear()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            hand_over(self._loop, waiter, None, None)

    async def take(self) -> list[Any]:
        """Return the items that are ready, at least one; an empty list at the end.

        Raises:
            BaseException: What the iterator raised, after its items.
        """
        self._outstanding = 0
        self._room.set()
        if self._items:
            await TURN  # the thread may always be ready: the loop gets a turn all the same
        while not self._items:
            if self._ended:
                if self._items:
                    break
                if self._error is not None:
                    raise self._error
                return []
            waiter = self._loop.create_future()
            self._waiter = waiter
            if self._items or self._ended:
                self._waiter = None
                continue
            await waiter
        # Counted before they leave the buffer: the thread must never see them in neither place.
        count = self._outstanding = len(self._items)
        popleft = self._items.popleft
        return [popleft() for _ in range(count)]

    async def take_before(self, deadline: Callable[[], float | None]) -> list[Any]:
        """Return what `take` does.

        Raises:
            ModelTimeoutError: Nothing came before the deadline.
        """
        if self._items or (moment := deadline()) is None:
            return await self.take()
        async with until(moment, "a sync hook streamed"):
            return await self.take()

    def close(self) -> None:
        """Make the thread close the iterator after its current step; does not wait."""
        self._closed = True
        self._room.set()
