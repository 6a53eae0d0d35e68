"""Bridges for async callers: sync hooks in worker threads, async hooks on another loop, steps in a context."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any, TypeVar

from modelport.engine.bridge_sync import END, Pump, seconds_until, timed_out
from modelport.engine.closing import close_quietly
from modelport.engine.threads import start_job
from modelport.engine.turns import TURN
from modelport.runs.loops import LoopThread

T = TypeVar("T")
READ_AHEAD_CHUNKS = 64
"""How far a sync generator may run ahead of its async consumer."""


def _hand_over(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    """Complete a future of another thread's loop; when nobody waits there any more, nothing happens."""

    def complete() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):
            # A future cannot carry StopIteration; a generator would turn it into this as well.
            future.set_exception(RuntimeError("a hook raised StopIteration"))
        else:
            future.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop was closed: its caller is gone
        loop.call_soon_threadsafe(complete)


async def call_in_thread(
    work: Callable[[], T], context: contextvars.Context, on_leave: Callable[[], None], done: Callable[[], None]
) -> T:
    """Call blocking `work` in a worker thread.

    Args:
        work: What to call.
        context: The context that it runs in.
        on_leave: Called at once when the waiting task is cancelled; the work goes on.
        done: Called in the thread when the work is done, waited for or not.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def job() -> None:
        try:
            result, error = context.run(work), None
        except BaseException as raised:  # noqa: BLE001 - handed to the task that waits
            result, error = None, raised
        done()
        _hand_over(loop, future, result, error)

    start_job(job)
    try:
        return await future
    except asyncio.CancelledError:
        on_leave()
        raise


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
            _hand_over(self._loop, waiter, None, None)

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
        popleft = self._items.popleft
        ready = [popleft() for _ in range(len(self._items))]
        self._outstanding = len(ready)
        return ready

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


async def call_on_loop(
    loop: LoopThread, make: Callable[[], Any], context: contextvars.Context, done: Callable[[], None]
) -> Any:
    """Await the coroutine that `make()` gives, on another loop; cancelling the waiting task cancels it."""

    async def there() -> Any:
        return await make()

    return await asyncio.wrap_future(loop.submit(there(), context, done))


async def iterate_on_other_loop(
    loop: LoopThread,
    make: Callable[[], AsyncIterator[T]],
    context: contextvars.Context,
    done: Callable[[], None],
) -> AsyncGenerator[T, None]:
    """Iterate over an async iterator that lives on another loop, one item at a time."""
    pump = Pump(loop, make, context, done)
    here = asyncio.get_running_loop()
    try:
        while True:
            future: asyncio.Future[Any] = here.create_future()
            pump.ask(lambda item, error, future=future: _hand_over(here, future, item, error))  # type: ignore[misc]
            item = await future
            if item is END:
                return
            yield item
    finally:
        pump.close()


class InContext:
    """Is an awaitable that runs each step of a coroutine in a context of its own.

    A generator's step otherwise runs in its consumer's context: what it sets would leak there, and what it resets in
    another task would raise.
    """

    __slots__ = ("_context", "_step")

    def __init__(self, step: Any, context: contextvars.Context) -> None:
        self._step = step
        self._context = context

    def __await__(self) -> Generator[Any, Any, Any]:
        step, run = self._step, self._context.run
        value: Any = None
        try:
            waiting_for = run(step.send, None)
        except StopIteration as stop:
            return stop.value
        while True:
            try:
                value = yield waiting_for
            except GeneratorExit:
                step.close()
                raise
            except BaseException as error:  # noqa: BLE001 - a cancel goes to the step, in its context
                try:
                    waiting_for = run(step.throw, error)
                except StopIteration as stop:
                    return stop.value
                continue
            try:
                waiting_for = run(step.send, value)
            except StopIteration as stop:
                return stop.value


class StepsInContext:
    """Gives an async iterator's next item each time it is awaited; every step runs in a context of its own.

    One object serves all steps of a stream, and is the iterator that `await` drives: a generator per step would cost
    more than the step.
    """

    __slots__ = ("_anext", "_run", "_step")

    def __init__(self, iterator: AsyncIterator[Any], context: contextvars.Context) -> None:
        self._anext = iterator.__anext__
        self._run = context.run
        self._step: Any = None

    def __await__(self) -> StepsInContext:
        step: Any = self._anext()
        self._step = step if hasattr(step, "send") else step.__await__()
        return self

    def __iter__(self) -> StepsInContext:
        return self

    def __next__(self) -> Any:
        return self._run(self._step.send, None)

    def send(self, value: Any) -> Any:
        """Go on with a step that waited."""
        return self._run(self._step.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with a step that waited, raising in it (a cancel)."""
        return self._run(self._step.throw, *error)

    def close(self) -> None:
        """End a step that waited and is not gone on with."""
        self._step.close()


@contextlib.asynccontextmanager
async def until(deadline: float | None, what: str) -> AsyncGenerator[None, None]:
    """Cancel the body when the deadline passes and raise `ModelTimeoutError`."""
    if deadline is None:
        yield
        return
    timer = asyncio.timeout(seconds_until(deadline))
    try:
        async with timer:
            yield
    except TimeoutError:
        if timer.expired():
            raise timed_out(what) from None
        raise
