"""The background event loop, on which async code runs for sync callers.

There is one for the process. A sync call that is made on it would wait for itself, so such a call runs on the next
one (a loop per nesting depth). Loops are daemon threads, made when needed and made anew in a forked child. Handlers and
`single_loop` models have loops of their own, which end with them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import os
import threading
import time
import weakref
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - asyncio exports it; asking costs nothing
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from modelport.values.errors import ModelTimeoutError

T = TypeVar("T")


class LoopThread:
    """Is a daemon thread that runs one event loop, until nobody has this object and all its coroutines have ended."""

    def __init__(self, name: str, depth: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.depth = depth
        # A loop holds its tasks weakly: one that waits for what only it holds would be collected. Those that are held
        # hold this object.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=_serve, args=(self.loop, self._tasks, depth), name=name, daemon=True)
        self._thread.start()
        weakref.finalize(self, _stop, self.loop, os.getpid()).atexit = False

    def waits_for_caller(self) -> bool:
        """Tell whether the calling code would wait for itself here: on this thread, or below a call that blocks it."""
        return threading.current_thread() is self._thread or self.loop in _held.get()

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context | None = None,
        done: Callable[[], None] | None = None,
    ) -> concurrent.futures.Future[T]:
        """Start a coroutine on this loop, in the given context or a copy of the caller's.

        `done` is called on the loop when the coroutine has really ended, also when nobody waits for it any more.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        context = context if context is not None else contextvars.copy_context()
        self.loop.call_soon_threadsafe(self._begin, coroutine, future, context, done)
        return future

    def _begin(
        self,
        coroutine: Coroutine[Any, Any, T],
        future: concurrent.futures.Future[T],
        context: contextvars.Context,
        done: Callable[[], None] | None,
    ) -> None:
        task = self.loop.create_task(_contained(coroutine), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def pass_on_result(ended: asyncio.Task[tuple[T | None, BaseException | None]]) -> None:
            if done is not None:
                done()
            if ended.cancelled():
                future.cancel()
                future.set_running_or_notify_cancel()
            elif (error := ended.exception()) is not None:
                _set_if_pending(future, None, error)
            else:
                _set_if_pending(future, *ended.result())

        def pass_on_cancel(cancelled: concurrent.futures.Future[T]) -> None:
            if cancelled.cancelled():
                call_soon(self.loop, task.cancel)

        task.add_done_callback(pass_on_result)
        future.add_done_callback(pass_on_cancel)


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: Any) -> bool:
    """Let a loop call something soon, from any thread; return whether it will: not when it is closed.

    To look first whether it is closed is not enough: it may be closed by another thread in between.
    """
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        return False
    return True


def _serve(loop: asyncio.AbstractEventLoop, _tasks: set[asyncio.Task[Any]], depth: int) -> None:
    """Run a loop until it is stopped; then end what its coroutines have left behind, and close it."""
    _place.depth, _place.loop = depth + 1, loop
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, process_id: int) -> None:
    """Let the thread of a loop end; in a forked child it does not exist."""
    if os.getpid() == process_id:
        call_soon(loop, loop.stop)


async def _contained(coroutine: Coroutine[Any, Any, T]) -> tuple[T | None, BaseException | None]:
    """Await a coroutine; an exit that its code asks for is its caller's to see, and must not end the loop."""
    try:
        return await coroutine, None
    except (SystemExit, KeyboardInterrupt) as error:
        return None, error


def _set_if_pending(future: concurrent.futures.Future[Any], result: Any, error: BaseException | None) -> None:
    # The waiting thread may cancel at this very moment; then nobody wants the result.
    with contextlib.suppress(concurrent.futures.InvalidStateError):
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


class _Place(threading.local):
    """Says how deep in background loops the current thread sits: 0 outside of them."""

    depth = 0
    loop: asyncio.AbstractEventLoop | None = None
    """The loop that the current thread runs, when it is a loop's."""


_place = _Place()
_held: contextvars.ContextVar[tuple[asyncio.AbstractEventLoop, ...]] = contextvars.ContextVar(
    "modelport_held", default=()
)
"""The loops that stand still until the running code is done: on their threads, sync calls wait for it."""
_loops: list[LoopThread] = []
_lock = threading.Lock()


def holds_up_a_loop() -> bool:
    """Tell whether an event loop stands still while the calling thread waits.

    So it is in a coroutine that calls sync code, and in the threads that such code uses on a background loop.
    """
    return _place.depth > 0 or _get_running_loop() is not None


def as_deep_as_here(job: Callable[[], None]) -> Callable[[], None]:
    """Return a job that, in whatever thread, sits as deep in background loops as the thread that starts it.

    That thread may wait for the job: a loop below it would wait for itself.
    """
    depth = _place.depth
    if not depth:
        return job

    def deeper() -> None:
        before, _place.depth = _place.depth, depth
        try:
            job()
        finally:
            _place.depth = before

    return deeper


def hold(context: contextvars.Context) -> None:
    """Note in a context that the calling thread waits for what runs in it, when that holds up one of our loops.

    Who calls a handler or a `single_loop` model below such a wait must not be sent to a loop that stands still.
    """
    if (loop := _place.loop) is not None:
        context.run(lambda: _held.set((*_held.get(), loop)))


def background_loop() -> LoopThread:
    """Return the background loop that the current thread may wait for."""
    depth = _place.depth
    if depth < len(_loops) and not _held.get():
        return _loops[depth]
    with _lock:
        while True:
            while depth >= len(_loops):
                _loops.append(LoopThread(f"modelport-loop-{len(_loops)}", len(_loops)))
            if not _loops[depth].waits_for_caller():
                return _loops[depth]
            depth += 1


def run_on_background_loop(
    coroutine: Coroutine[Any, Any, T],
    *,
    deadline: float | None = None,
    context: contextvars.Context | None = None,
    loop: LoopThread | None = None,
    done: Callable[[], None] | None = None,
) -> T:
    """Run a coroutine to its end on a background loop while the calling thread waits.

    An exception in the waiting thread (KeyboardInterrupt) cancels the coroutine. `done` is called on the loop when the
    coroutine has really ended.

    Raises:
        ModelTimeoutError: `deadline` (on `time.monotonic()`'s clock) passed; the coroutine is cancelled.
    """
    if context is None:
        context = contextvars.copy_context()
    hold(context)
    future = (loop or background_loop()).submit(coroutine, context, done)
    try:
        return future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
    except concurrent.futures.CancelledError:
        raise asyncio.CancelledError from None
    except BaseException as error:
        if future.done():
            raise
        future.cancel()
        if isinstance(error, TimeoutError):
            raise ModelTimeoutError("the call's deadline passed while an async hook ran") from None
        raise


def _forget_after_fork() -> None:
    """Drop what a forked child inherits of loops: their threads do not exist there."""
    global _lock, _place
    _lock = threading.Lock()
    _place = _Place()
    _loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
