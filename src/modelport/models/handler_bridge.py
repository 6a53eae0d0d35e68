"""The loop of a handler's async methods, and the way there for sync callers.

The loop is the handler's own: a method that blocks inside `async def` delays nobody else, and a client that is bound
to a loop stays on it, whichever of the handler's methods is called.
"""

from __future__ import annotations

import contextvars
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from modelport.engine.bridge_sync import iterate_on_loop
from modelport.runs.loops import LoopThread, background_loop, run_on_background_loop
from modelport.wire.completion import ChatCompletion

_WHOLE = frozenset({str, dict, ChatCompletion})
_lock = threading.Lock()
_loops: dict[int, tuple[Callable[[], Any], LoopThread]] = {}


def loop_of_handler(handler: Any) -> LoopThread:
    """Return the loop thread of a handler, the same one for as long as the handler lives."""
    place = id(handler)
    with _lock:
        known = _loops.get(place)
        if known is None or known[0]() is not handler:
            known = _loops[place] = _reference(handler, place), LoopThread("modelport-handler-loop", 0)
        return known[1]


def _reference(handler: Any, place: int) -> Callable[[], Any]:
    def forget(gone: Any) -> None:
        known = _loops.get(place)
        if known is not None and known[0] is gone:
            _loops.pop(place, None)

    try:
        return weakref.ref(handler, forget)
    except TypeError:  # a class with slots: its handler is kept
        return lambda: handler


def is_async_value(value: Any) -> bool:
    """Tell whether a value is to be awaited, or iterated with `async for`."""
    kind = value.__class__
    # What most methods return is told at once: to miss an attribute of a class takes long.
    return kind not in _WHOLE and (hasattr(kind, "__await__") or hasattr(kind, "__aiter__"))


def wait_for_value(handler: Any, value: Any) -> Any:
    """Await, on the handler's loop, what a sync method returned, while the calling thread waits."""

    async def awaited() -> Any:
        return await value

    return run_on_background_loop(awaited(), loop=_loop_beside(handler))


def wait_for_chunks(handler: Any, chunks: AsyncGenerator[Any, None]) -> Generator[Any, None, None]:
    """Iterate, on the handler's loop, over what a sync method returned; closing the generator closes it there."""
    context = contextvars.copy_context()
    return iterate_on_loop(_loop_beside(handler), lambda: chunks, context, lambda: None, lambda: None)


def _loop_beside(handler: Any) -> LoopThread:
    """Return the handler's loop, or, for code that would wait for itself there, a background loop."""
    loop = loop_of_handler(handler)
    return background_loop() if loop.waits_for_caller() else loop


def _forget_after_fork() -> None:
    """Drop what a forked child inherits of loops: their threads do not exist there."""
    global _lock
    _lock = threading.Lock()
    _loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
