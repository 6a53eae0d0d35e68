"""`batch_as_completed`: many items at once, each result given as soon as it is there, with its item's number."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, NamedTuple

from modelport.engine.concurrency import BATCH_THREADS, ends_the_task
from modelport.engine.threads import start_job
from modelport.runs.loops import hold

RESULTS_WAITING = 64
"""How many results may wait for their consumer before no more items are worked on."""


class Result(NamedTuple):
    """Is what one item came to."""

    number: int
    """The item's place among the inputs."""
    value: Any
    """What it gave; None when it failed."""
    error: BaseException | None
    """Why it failed; None when it did not."""
    ends_all: bool
    """Whether the error is not about this item: an interrupt, or the end of the task."""

    def outcome(self, *, return_exceptions: bool) -> Any:
        """Return the value, or the error when that is wanted.

        Raises:
            BaseException: The error, when it is not wanted or ends everything.
        """
        if self.error is None:
            return self.value
        if self.ends_all or not return_exceptions:
            raise self.error
        return self.error


class _Shelf:
    """Holds results until their consumer takes them; whoever brings one waits while it is full."""

    def __init__(self) -> None:
        self._results: deque[Result] = deque()
        self._changed = threading.Condition()
        self.closed = False
        """Whether nobody takes results any more."""

    def put(self, result: Result) -> None:
        with self._changed:
            while len(self._results) >= RESULTS_WAITING and not self.closed:
                self._changed.wait()
            if not self.closed:
                self._results.append(result)
                self._changed.notify_all()

    def take(self) -> Result:
        with self._changed:
            while not self._results:
                self._changed.wait()
            self._changed.notify_all()
            return self._results.popleft()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._results.clear()
            self._changed.notify_all()


def completed(
    work: Callable[[int], Any], count: int, max_concurrency: int | None, *, return_exceptions: bool
) -> Generator[tuple[int, Any], None, None]:
    """Do `work` for the numbers below `count` in threads; yield each number with its result as it ends.

    When the generator ends early, by its consumer or a failure, no other item starts; those under way run to their
    end, and what they give is dropped.
    """
    numbers = iter(range(count))
    taking = threading.Lock()
    shelf = _Shelf()
    context = contextvars.copy_context()
    hold(context)

    def serve() -> None:
        while not shelf.closed:
            with taking:
                number = next(numbers, None)
            if number is None:
                return
            try:
                result = Result(number, context.copy().run(work, number), None, ends_all=False)
            except BaseException as error:  # noqa: BLE001 - the consumer's thread raises it
                result = Result(number, None, error, ends_all=not isinstance(error, Exception))
            shelf.put(result)

    try:
        for _ in range(min(count, max_concurrency or BATCH_THREADS)):
            start_job(serve)
        for _ in range(count):
            result = shelf.take()
            yield result.number, result.outcome(return_exceptions=return_exceptions)
    finally:
        shelf.close()


async def acompleted(
    work: Callable[[int], Awaitable[Any]], count: int, max_concurrency: int | None, *, return_exceptions: bool
) -> AsyncGenerator[tuple[int, Any], None]:
    """Do `work` for the numbers below `count` in tasks; yield each number with its result as it ends.

    When the generator ends early, by its consumer or a failure, the other items are cancelled and waited for.
    """
    numbers = iter(range(count))
    results: asyncio.Queue[Result] = asyncio.Queue()  # bounded by `room`: what ends all must not wait
    room = asyncio.Semaphore(RESULTS_WAITING)

    async def serve() -> None:
        for number in numbers:
            try:
                result = Result(number, await work(number), None, ends_all=False)
            except BaseException as error:
                if ends_the_task(error):
                    results.put_nowait(Result(number, None, error, ends_all=True))
                    raise
                result = Result(number, None, error, ends_all=False)
            await room.acquire()
            results.put_nowait(result)

    tasks = [asyncio.create_task(serve()) for _ in range(min(count, max_concurrency or count))]
    try:
        for _ in range(count):
            result = await results.get()
            room.release()
            yield result.number, result.outcome(return_exceptions=return_exceptions)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
