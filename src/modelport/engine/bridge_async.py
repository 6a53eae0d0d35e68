"""Bridges for async callers: sync work in worker threads, async hooks on another loop, deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeVar

from modelport.engine.bridge_sync import END, Pump, seconds_until, timed_out
from modelport.engine.threads import start_job
from modelport.runs.loops import LoopThread, call_soon

T = TypeVar("T")


def hand_over(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    """Complete a future of another thread's loop; when nobody waits there any more, nothing happens."""

    def complete() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, (StopIteration, GeneratorExit)):
            # A future cannot carry StopIteration, which a generator would turn into this as well; GeneratorExit closes
            # the generators that it comes through instead of passing them.
            future.set_exception(RuntimeError(f"a hook raised {type(error).__name__}"))
        else:
            future.set_exception(error)

    call_soon(loop, complete)  # a loop that is closed has no caller left


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
        hand_over(loop, future, result, error)

    start_job(job)
    try:
        return await future
    except asyncio.CancelledError:
        on_leave()
        raise


async def call_on_loop(
    loop: LoopThread, make: Callable[[], Any], context: contextvars.Context, done: Callable[[], None]
) -> Any:
    """Await the coroutine that `make()` gives, on another loop; cancelling the waiting task cancels it."""

    async def there() -> Any:
        try:
            return await make()
        except GeneratorExit as error:
            raise RuntimeError("a hook raised GeneratorExit") from error

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
            pump.ask(lambda item, error, future=future: hand_over(here, future, item, error))  # type: ignore[misc]
            item = await future
            if item is END:
                return
            yield item
    finally:
        pump.close()


@contextlib.asynccontextmanager
async def until(deadline: float | None, what: str) -> AsyncGenerator[None, None]:
    """Cancel the body when the deadline passes and raise `ModelTimeoutError`.

    A body that never suspends cannot be cancelled: of steps like that, the first one after the deadline is refused.
    """
    if deadline is None:
        yield
        return
    seconds = seconds_until(deadline)
    if not seconds:
        raise timed_out(what)
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            yield
    except TimeoutError:
        if timer.expired():
            raise timed_out(what) from None
        raise
