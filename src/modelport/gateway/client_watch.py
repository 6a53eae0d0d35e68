"""Cancels what runs for a client as soon as that client leaves, and costs nothing for what never has to wait.

What a ready model answers in one go needs no watcher: nobody could hear of a disconnect before the answer is there.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from starlette.types import Receive

    from modelport.gateway.request_cycle import RequestCycle

T = TypeVar("T")

LONG_STEP_SECONDS = 0.25
"""How long code may hold the loop before it is named in a warning: nobody else is answered meanwhile."""


class ClientGoneError(Exception):
    """Says that the client closed the connection: nobody reads an answer any more."""


@types.coroutine
def watched(
    work: Coroutine[Any, Any, None],
    receive: Receive,
    on_long_step: Callable[[float, T], None],
    subject: T,
    cycle: RequestCycle | None = None,
) -> Generator[Any, Any, None]:
    """Do a request's work; its first step runs at once, and the client is watched from its first wait on.

    Args:
        work: What to do; its request's body has been read.
        receive: ASGI's; nobody else may use it from now on.
        on_long_step: Called with the seconds for which one step of the work held the loop, when it was long, and
            with `subject`.
        subject: Whose work it is.
        cycle: The server's side of the request, where the server is ours: it tells by itself, without a task.

    Raises:
        ClientGoneError: The client left; the work was cancelled and is over.
        Exception: Whatever the work raised.
    """
    watch: _Watch | _CycleWatch | None = None
    began = perf_counter()
    try:
        waits_for = work.send(None)
        watch = _Watch(receive) if cycle is None else _CycleWatch(cycle)
        while True:
            if perf_counter() - began > LONG_STEP_SECONDS:
                on_long_step(perf_counter() - began, subject)
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - the work is to hear of it
                began = perf_counter()
                waits_for = work.throw(error)
            else:
                began = perf_counter()
                waits_for = work.send(None)
    except StopIteration:
        # Work that swallowed its cancellation must not pass it on to what comes after it.
        if watch is not None and watch.gone:
            watch.task.uncancel()
            raise ClientGoneError from None
    except BaseException:
        if watch is not None and watch.gone and watch.task.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        if perf_counter() - began > LONG_STEP_SECONDS:
            on_long_step(perf_counter() - began, subject)
        if watch is not None:
            watch.stop()


class _Watch:
    """Waits for a client's leaving, and then cancels the task that works for it."""

    __slots__ = ("_receive", "_watcher", "gone", "task")

    def __init__(self, receive: Receive) -> None:
        self.task = _own_task()
        self.gone = False
        self._receive = receive
        self._watcher = asyncio.create_task(self._watch())

    def stop(self) -> None:
        self._watcher.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self.task.cancel()


class _CycleWatch:
    """Hears from a request of our own server that its client has left, and cancels the task that works for it."""

    __slots__ = ("_cycle", "gone", "task")

    def __init__(self, cycle: RequestCycle) -> None:
        self.task = _own_task()
        self.gone = False
        self._cycle = cycle
        cycle.tell(self._left)

    def stop(self) -> None:
        self._cycle.tell(None)

    def _left(self) -> None:
        self.gone = True
        self.task.cancel()


def _own_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "requests are answered in tasks"
    return task
