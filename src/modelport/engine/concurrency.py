"""Doing one thing for many items at once: in threads for sync callers, in tasks for async ones."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from modelport.engine.threads import start_job
from modelport.runs.loops import hold, holds_up_a_loop

T = TypeVar("T")
R = TypeVar("R")
_HOLDS_UP: contextvars.ContextVar[bool] = contextvars.ContextVar("modelport_holds_up", default=False)
BATCH_THREADS = 32
"""How many threads one sync batch uses when nothing bounds it."""


def may_hold_up_a_loop() -> bool:
    """Tell whether an event loop may stand still while the calling code waits: here, or where its batch was asked."""
    return holds_up_a_loop() or _HOLDS_UP.get()


def map_items(
    work: Callable[[T], R], items: Sequence[T], max_concurrency: int | None = None
) -> list[R | BaseException]:
    """Do `work` for each item in threads, each in a copy of the caller's context.

    The calling thread works too, so one item, or `max_concurrency=1`, needs no other thread.

    Returns:
        One result or exception per item, in the items' order.
    """
    results: list[Any] = [None] * len(items)
    positions = iter(range(len(items)))
    taking = threading.Lock()
    stopped = False

    def serve() -> None:
        while not stopped:
            with taking:
                position = next(positions, None)
            if position is None:
                return
            try:
                results[position] = contextvars.copy_context().run(work, items[position])
            except Exception as error:  # noqa: BLE001 - it belongs to this slot
                results[position] = error

    others = min(len(items), max_concurrency or BATCH_THREADS) - 1
    holds_up = others > 0 and holds_up_a_loop()
    failures: list[BaseException] = []
    done = [threading.Event() for _ in range(others)]
    for event in done:
        context = contextvars.copy_context()
        hold(context)
        if holds_up:
            context.run(_HOLDS_UP.set, True)
        _start(serve, context, failures, event)
    try:
        serve()
        for event in done:
            event.wait()
    finally:
        stopped = True
    if failures:
        raise failures[0]
    return results


def _start(
    serve: Callable[[], None], context: contextvars.Context, failures: list[BaseException], done: threading.Event
) -> None:
    def job() -> None:
        try:
            context.run(serve)
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            failures.append(error)
        finally:
            done.set()

    start_job(job)


def ends_the_task(error: BaseException) -> bool:
    """Tell whether an exception is about the running task, not about the work in it.

    A cancel that nobody asked this task for, and `SystemExit`, come from an author's code: they are the item's
    failure, and would otherwise be lost, or end the loop.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, (KeyboardInterrupt, GeneratorExit))


async def amap_items(
    work: Callable[[T], Awaitable[R]], items: Sequence[T], max_concurrency: int | None = None
) -> list[R | BaseException]:
    """Do `work` for each item in tasks of the running loop; cancelling the caller cancels them all.

    Returns:
        One result or exception per item, in the items' order.
    """
    results: list[Any] = [None] * len(items)
    positions = iter(range(len(items)))

    async def serve() -> None:
        for position in positions:
            try:
                results[position] = await work(items[position])
            except BaseException as error:
                if ends_the_task(error):
                    raise
                results[position] = error

    async with asyncio.TaskGroup() as group:
        for _ in range(min(len(items), max_concurrency or len(items))):
            group.create_task(serve())
    return results
