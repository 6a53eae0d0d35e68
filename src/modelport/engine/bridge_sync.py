"""Bridges for sync callers: a seat in another thread for deadlines, and the pump of an async iterator.

Both are pulled: the hook runs only while its consumer waits, never ahead.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.threads import start_job
from modelport.runs.loops import LoopThread, hold
from modelport.values.errors import ModelTimeoutError

T = TypeVar("T")
END: Any = object()
"""Stands for the end of an iterator where an exception cannot."""


def timed_out(what: str) -> ModelTimeoutError:
    """Return the error of a deadline that passed while `what` was under way."""
    return ModelTimeoutError(f"the call's deadline passed while {what}; raise `timeout`, or make the model faster")


def seconds_until(deadline: float | None) -> float | None:
    """Return how long one may still wait; None without a deadline."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


class Seat:
    """Is a daemon thread held for one call, so that its caller can leave at the deadline.

    The thread does one thing at a time; what the caller no longer waits for runs to its end, then `last` runs.
    """

    def __init__(self, context: contextvars.Context) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._context = context
        hold(context)
        start_job(self._serve)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def run(self, work: Callable[[], T], deadline: float | None) -> T:
        """Do `work` in the seat's thread and wait for it.

        Raises:
            ModelTimeoutError: `deadline` passed first; the work goes on, and nobody waits for it.
        """

        def job() -> None:
            try:
                self._results.put((self._context.run(work), None))
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                self._results.put((None, error))

        self._jobs.put(job)
        try:
            result, error = self._results.get(timeout=seconds_until(deadline))
        except Empty:
            raise timed_out("a sync hook ran") from None
        if error is not None:
            raise error
        return result

    def leave(self, last: Callable[[], None]) -> None:
        """Give the thread back once it has done `last`; does not wait."""

        def job() -> None:
            self._context.run(last)

        self._jobs.put(job)
        self._jobs.put(None)


def call_in_seat(
    work: Callable[[], T],
    context: contextvars.Context,
    deadline: float | None,
    on_leave: Callable[[], None],
    done: Callable[[], None],
) -> T:
    """Call `work` in a seat until the deadline.

    Args:
        work: What to call.
        context: The context that it runs in.
        deadline: On `time.monotonic()`'s clock.
        on_leave: Called at once when the caller leaves before the work is done.
        done: Called in the seat when the work is done, waited for or not.
    """
    seat = Seat(context)
    try:
        return seat.run(work, deadline)
    except BaseException:
        on_leave()
        raise
    finally:
        seat.leave(done)


def iterate_in_seat(
    make: Callable[[], Iterator[T]],
    context: contextvars.Context,
    deadline: Callable[[], float | None],
    on_leave: Callable[[], None],
    done: Callable[[], None],
) -> Generator[T, None, None]:
    """Iterate in a seat, each step until the deadline; the iterator is closed in its own thread."""
    seat = Seat(context)
    made: list[Iterator[T]] = []
    finished = False

    def step() -> Any:
        if not made:
            made.append(make())
        return next(made[0], END)

    def close() -> None:
        for iterator in made:
            close_quietly(iterator)
        done()

    try:
        while (item := seat.run(step, deadline())) is not END:
            yield item
        finished = True
    finally:
        if not finished:
            on_leave()
        seat.leave(close)


class Pump:
    """Drives an async iterator in one task on another loop; asked for one item at a time, from any thread."""

    def __init__(
        self,
        loop: LoopThread,
        make: Callable[[], AsyncIterator[Any]],
        context: contextvars.Context,
        done: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._make = make
        self._asked: asyncio.Queue[Callable[[Any, BaseException | None], None] | None] | None = None
        self._future = loop.submit(self._serve(), context, done)

    async def _serve(self) -> None:
        self._asked = asked = asyncio.Queue[Callable[[Any, BaseException | None], None] | None](maxsize=1)
        iterator: AsyncIterator[Any] | None = None
        try:
            while (deliver := await asked.get()) is not None:
                try:
                    # Made when first asked, so that whoever asks hears what the hook says of it.
                    iterator = iterator or self._make()
                    deliver(await anext(iterator), None)
                except StopAsyncIteration:
                    deliver(END, None)
                    return
                except BaseException as error:
                    deliver(None, error)
                    if isinstance(error, Exception):
                        return
                    raise
        finally:
            await aclose_quietly(iterator)

    def ask(self, deliver: Callable[[Any, BaseException | None], None]) -> None:
        """Ask for the next item; `deliver(item, error)` is called on the pump's loop, with `END` after the last."""

        def put() -> None:
            if self._asked is None:  # the pump's task has not had its first turn yet
                self._loop.loop.call_soon(put)
            else:
                self._asked.put_nowait(deliver)

        self._loop.loop.call_soon_threadsafe(put)

    def close(self) -> None:
        """Close the iterator at its next step, or cancel the step under way; does not wait."""
        self._future.cancel()


def iterate_on_loop(
    loop: LoopThread,
    make: Callable[[], AsyncIterator[T]],
    context: contextvars.Context,
    deadline: Callable[[], float | None],
    done: Callable[[], None],
) -> Generator[T, None, None]:
    """Iterate over an async iterator that lives on another loop, one item at a time.

    `done` is called on that loop when the iterator has really been closed.
    """
    hold(context)
    pump = Pump(loop, make, context, done)
    results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    try:
        while True:
            pump.ask(lambda item, error: results.put((item, error)))
            try:
                item, error = results.get(timeout=seconds_until(deadline()))
            except Empty:
                raise timed_out("an async hook streamed") from None
            if error is not None:
                raise error
            if item is END:
                return
            yield item
    finally:
        pump.close()
