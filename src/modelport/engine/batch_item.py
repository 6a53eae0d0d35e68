"""One call's place in a dynamic batch, and the batch itself: one hook call that answers several calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from modelport.engine.attempt import Attempt
from modelport.engine.bridge_sync import seconds_until, timed_out
from modelport.engine.concurrency import ends_the_task
from modelport.engine.driving_async import avalue_of
from modelport.engine.driving_sync import value_of
from modelport.engine.reading import results_of
from modelport.runs.loops import background_loop, call_soon

_WAITED = "it waited for its batch"


class Item:
    """Is one call that waits for its slot of a batch; it may leave at any time."""

    __slots__ = ("_wake", "attempt", "batch", "home", "is_done", "left", "lock", "loop", "result")

    def __init__(self, attempt: Attempt, lock: threading.Lock, loop: asyncio.AbstractEventLoop | None) -> None:
        self.attempt = attempt
        """The call's attempt."""
        self.lock = lock
        """The batcher's: it guards what more than one thread changes."""
        self.loop = loop
        """The loop on which the call waits; None: a thread does."""
        self.home: asyncio.AbstractEventLoop | None = None
        """The loop on which an async hook runs when this call's batch has none yet; None for a sync hook."""
        if attempt.hook.is_async:
            self.home = loop or background_loop().loop
        self.batch: Batch | None = None
        """The batch that it is in; None while it is queued."""
        self.result: Any = None
        """The slot of the hook's result, or the exception that the call gets."""
        self.is_done = False
        """Whether `result` is there."""
        self.left = False
        """Whether the call is gone: nobody waits for `result`."""
        self._wake: Any = None

    def shares_with(self, other: Item) -> bool:
        """Tell whether both may be answered by one hook call: same hook, equal stop and keywords."""
        one, two = self.attempt, other.attempt
        if one.hook is not two.hook or one.stop != two.stop:
            return False
        try:
            return one.kwargs is two.kwargs or bool(one.kwargs == two.kwargs)
        except Exception:  # noqa: BLE001 - the author's values need not be comparable (arrays are not)
            return False

    def give(self, result: Any) -> None:
        """Give the call its slot, unless it is gone."""
        with self.lock:
            if self.left or self.is_done:
                return
            self.result, self.is_done = result, True
            wake = self._wake
        if wake is None:
            return
        if self.loop is None:
            wake.set()
            return
        call_soon(self.loop, _complete, wake)  # a loop that is closed has no call left

    def wait(self) -> None:
        """Block the thread until the result is there; a deadline that passes first is the result."""
        with self.lock:
            if self.is_done:
                return
            ready = self._wake = threading.Event()
        deadline = self.attempt.deadline()
        if not ready.wait(seconds_until(deadline)):
            self.leave(timed_out(_WAITED))

    async def await_result(self) -> None:
        """Wait on the running loop until the result is there; a deadline that passes first is the result."""
        with self.lock:
            if self.is_done:
                return
            ready = self._wake = asyncio.get_running_loop().create_future()
        deadline = self.attempt.deadline()
        timer = asyncio.timeout(seconds_until(deadline))
        try:
            async with timer:
                await ready
        except TimeoutError:
            if not timer.expired():
                raise
            self.leave(timed_out(_WAITED))

    def leave(self, result: Any = None) -> None:
        """Go: the hook is told, and called off when nobody of its batch is left."""
        with self.lock:
            if self.left or self.is_done:
                return
            self.left, self.result = True, result
            batch = self.batch
            is_last = batch is not None and all(item.left for item in batch.items)
        self.attempt.cancel()
        if batch is not None and is_last:
            batch.call_off()


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Batch:
    """Is one hook call for several items."""

    __slots__ = ("_driver", "_task", "items")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        """In the order of the prompts that the hook gets."""
        self._driver = Attempt.for_batch([item.attempt for item in items])
        self._task: asyncio.Task[Any] | None = None

    @property
    def home(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the hook is awaited on when it runs by itself; None: a thread drives it."""
        return self.items[0].home

    def is_only(self, own: Sequence[Item]) -> bool:
        """Tell whether all its items are one caller's."""
        return all(item in own for item in self.items)

    def run(self) -> None:
        """Call the hook, in this thread, and give every item its slot.

        Raises:
            KeyboardInterrupt: The thread was interrupted; no item has been given anything.
        """
        try:
            results: Sequence[Any] = results_of(value_of(self._driver), len(self.items), self._driver.hook.label)
        except KeyboardInterrupt:
            if threading.current_thread() is threading.main_thread():
                raise
            results = [KeyboardInterrupt()] * len(self.items)
        except BaseException as error:  # noqa: BLE001 - every item of this hook call shares it
            results = [error] * len(self.items)
        self._settle(results)

    async def arun(self) -> None:
        """Call the hook, on the running loop, and give every item its slot.

        Raises:
            CancelledError: This task was cancelled; no item has been given anything.
        """
        try:
            results: Sequence[Any] = results_of(await avalue_of(self._driver), len(self.items), self._driver.hook.label)
        except BaseException as error:
            if ends_the_task(error):
                raise
            results = [error] * len(self.items)
        self._settle(results)

    async def arun_alone(self) -> None:
        """Call the hook in this task, which is the batch's own: it is cancelled when every item has left."""
        self._task = asyncio.current_task()
        if self.is_wanted():
            await self.arun()

    def is_wanted(self) -> bool:
        """Tell whether anybody still waits for it."""
        return not all(item.left for item in self.items)

    def _settle(self, results: Sequence[Any]) -> None:
        for item, result in zip(self.items, results, strict=True):
            item.give(result)

    def call_off(self) -> None:
        """Cancel the hook's task, when it has one of its own: nobody waits for it."""
        if self._task is not None:
            call_soon(self._task.get_loop(), self._task.cancel)

    def items_left_alone(self) -> list[Item]:
        """Return the items that still wait, of a batch that ended without results; they are queued again."""
        waiting = [item for item in self.items if not (item.left or item.is_done)]
        for item in waiting:
            item.batch = None
        return waiting
