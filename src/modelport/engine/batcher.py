"""Dynamic batching: single calls that come while a batch runs form the next one (guarantee 5).

An idle model takes a call at once, in its caller's thread or task. Calls that come meanwhile are queued; whoever ends
a batch starts the next. A batch of several callers' items runs by itself, in a thread or a task of its own: each of
them may leave at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from modelport.engine.attempt import Attempt
from modelport.engine.batch_item import Batch, Item
from modelport.engine.call import Call
from modelport.engine.concurrency import may_hold_up_a_loop
from modelport.engine.hooks import Hook
from modelport.engine.state import state_of
from modelport.engine.threads import start_job
from modelport.engine.turns import TURN


class Batcher:
    """Forms the batches of one model, and sees to it that the next one starts when one ends."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._queue: deque[Item] = deque()
        self._running = 0
        self._company: threading.Event | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def _limit(self) -> int:
        """How many batches run at once: one, unless `max_concurrency` says more."""
        return self._model.max_concurrency or 1

    # ── callers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, attempts: Sequence[Attempt]) -> list[Any]:
        """Return each attempt's slot of a hook's result, or its exception, blocking the thread."""
        items = [Item(attempt, self._lock, None) for attempt in attempts]
        try:
            if self._enter(items):
                self._drive(items)
            for item in items:
                item.wait()
        except BaseException:
            self._leave(items)
            raise
        return [item.result for item in items]

    async def answer_async(self, attempts: Sequence[Attempt]) -> list[Any]:
        """Return what `answer` does, waiting on the running loop; a cancelled caller's items leave."""
        loop = asyncio.get_running_loop()
        items = [Item(attempt, self._lock, loop) for attempt in attempts]
        try:
            if self._enter(items):
                await self._drive_async(items)
            for item in items:
                await item.await_result()
        except BaseException:
            self._leave(items)
            raise
        return [item.result for item in items]

    def _enter(self, items: Sequence[Item]) -> bool:
        """Queue items; tell whether the model is idle, so that their caller is to start a batch."""
        size, wait_ms = self._model.max_batch_size, self._model.max_wait_ms
        with self._lock:
            idle = self._running < self._limit and not self._queue
            self._queue.extend(items)
            if self._company is not None and len(self._queue) >= size:
                self._company.set()
            if not idle:
                return False
            self._running += 1
            if not wait_ms or len(self._queue) >= size:
                return True
            self._company = company = threading.Event()
        start_job(lambda: self._await_company(company, wait_ms / 1000))
        return False

    def _await_company(self, company: threading.Event, wait_seconds: float) -> None:
        """Let an idle model wait until its first batch is full, or `max_wait_ms` are over."""
        company.wait(wait_seconds)
        with self._lock:
            self._company = None
        self._start_next()

    def _leave(self, items: Sequence[Item]) -> None:
        for item in items:
            item.leave()

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self) -> Batch | None:
        """Form a batch of the item that waits longest and of those that may share its hook call; None: all done.

        Whoever takes one ends it with `_take` or `_start_next`. Without one, the taker's turn is over.
        """
        size = self._model.max_batch_size
        with self._lock:
            first = self._next_waiting()
            if first is None:
                self._running -= 1
                return None
            items, others = [first], deque[Item]()
            while self._queue:
                item = self._queue.popleft()
                if item.left:
                    continue
                if (size is None or len(items) < size) and item.shares_with(first):
                    items.append(item)
                else:
                    others.append(item)
            self._queue = others
            batch = Batch(items)
            for item in items:
                item.batch = batch
            more = bool(others) and self._running < self._limit
            self._running += more
        if more:
            self._start_next()
        return batch

    def _next_waiting(self) -> Item | None:
        while self._queue:
            item = self._queue.popleft()
            if not item.left:
                return item
        return None

    def _put_back(self, batch: Batch) -> None:
        """Queue the waiting items of a batch that ended without results, before all others."""
        with self._lock:
            self._queue.extendleft(reversed(batch.items_left_alone()))

    def _drive(self, own: Sequence[Item]) -> None:
        """Run batches in this thread until the caller's own items are done; the rest runs by itself."""
        may_leave = any(item.attempt.deadline() is not None for item in own)
        while (batch := self._take()) is not None:
            if may_leave and not batch.is_only(own):
                self._start(batch)
                return
            try:
                batch.run()
            except BaseException:
                self._leave(own)
                self._put_back(batch)
                self._start_next()
                raise
            if all(item.is_done or item.left for item in own):
                self._start_next()
                return

    async def _drive_async(self, own: Sequence[Item]) -> None:
        """Run batches that are all the caller's own in its task; any other runs by itself."""
        batch: Batch | None = None
        try:
            # Whoever calls in this turn of the loop joins the first batch.
            await TURN
            while (batch := self._take()) is not None:
                if not batch.is_only(own):
                    self._start(batch)
                    return
                await batch.arun()
                if all(item.is_done or item.left for item in own):
                    self._start_next()
                    return
        except BaseException:
            self._leave(own)
            self._start_next()
            raise

    def _start_next(self) -> None:
        """Start the next batch, when calls wait for one."""
        batch = self._take()
        if batch is not None:
            self._start(batch)

    def _start(self, batch: Batch) -> None:
        """Let a batch run by itself, and the next one after it."""
        loop = batch.home
        if loop is None:
            start_job(lambda: self._run(batch))
            return
        try:
            loop.call_soon_threadsafe(self._begin, batch, loop, context=contextvars.Context())
        except RuntimeError:  # that loop was closed: its calls are gone, the others' are not
            for item in batch.items:
                if item.home is loop:
                    item.leave()
            self._put_back(batch)
            self._start_next()

    def _run(self, batch: Batch) -> None:
        following: Batch | None = batch
        while following is not None and following.home is None:
            if following.is_wanted():
                following.run()
            following = self._take()
        if following is not None:
            self._start(following)

    def _begin(self, batch: Batch, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self._run_async(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_async(self, batch: Batch) -> None:
        # Cancelled when nobody of it is left, or when its loop ends: then others may wait for what it did not give.
        with contextlib.suppress(asyncio.CancelledError):
            await batch.arun_alone()
        self._put_back(batch)
        self._start_next()


def batcher_for(call: Call, hook: Hook | None, *, is_async: bool) -> Batcher | None:
    """Return the batcher that answers go through; None when they go to their hook directly.

    A call made inside a batch of the same model would wait for itself: it goes directly. So does a sync call that
    holds up an event loop: no batch on that loop could end.
    """
    model = call.model
    if hook is None or model.max_batch_size is None or (not is_async and may_hold_up_a_loop()):
        return None
    state = state_of(model)
    if call.scope is not None and id(state) in call.scope.held:
        return None
    if state.batcher is None:
        with state.lock:
            state.batcher = state.batcher or Batcher(model)
    return state.batcher
