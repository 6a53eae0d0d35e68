"""Worker threads for sync code that belongs to no model: functions in chains, runnables with only `invoke`."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from modelport.engine.bridge_async import call_in_thread
from modelport.runs.loops import call_soon

T = TypeVar("T")
WORKERS_PER_LOOP = 32
"""How many such threads one event loop has at work at a time."""

_seats: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_SEATED: contextvars.ContextVar[bool] = contextvars.ContextVar("modelport_seated", default=False)


def nothing() -> None:
    """Do nothing: nobody has to be told."""


async def call_in_worker(work: Callable[[], T]) -> T:
    """Call blocking `work` in a thread, in a copy of the caller's context.

    A cancelled caller leaves at once; its thread counts until the work is done.
    """
    context = contextvars.copy_context()
    if _SEATED.get():
        # The caller is itself such a thread's work: a second seat might be one that it holds up.
        return await call_in_thread(work, context, nothing, nothing)
    context.run(_SEATED.set, True)
    loop = asyncio.get_running_loop()
    seats = _seats.get(loop)
    if seats is None:
        seats = _seats[loop] = asyncio.Semaphore(WORKERS_PER_LOOP)
    await seats.acquire()

    def done() -> None:
        call_soon(loop, seats.release)

    return await call_in_thread(work, context, nothing, done)
