"""Driving one attempt's hook for a sync caller: the way to its value or its pieces, over any bridge."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

from modelport.engine.attempt import Attempt
from modelport.engine.bridge_sync import END, call_in_seat, iterate_in_seat, iterate_on_loop
from modelport.engine.closing import close_quietly
from modelport.engine.reading import async_iterator_of, iterator_of
from modelport.runs.loops import LoopThread, background_loop, run_on_background_loop


def loop_for(attempt: Attempt) -> LoopThread:
    """Return the loop on which a sync caller runs an async hook: the model's own, or the background loop."""
    if attempt.call.hooks.single_loop:
        own = attempt.state.own_loop()
        if not own.waits_for_caller():
            return own
    return background_loop()


async def awaited(make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Call and await."""
    return await make()


def value_of(attempt: Attempt) -> Any:
    """Return what a value hook returns; one that cannot stop by itself is called again without `stop`."""
    try:
        return _value(attempt)
    except NotImplementedError:
        if not attempt.may_retry_without_stop():
            raise
    return _value(attempt)


def _value(attempt: Attempt) -> Any:
    """Call a value hook once; the slot is given back once the hook has really ended."""
    attempt.acquire()
    if attempt.hook.is_async:
        return _value_on_loop(attempt)
    deadline, context = attempt.deadline(), attempt.context
    if deadline is not None and context is not None:
        return call_in_seat(attempt.invoke_hook, context, deadline, attempt.cancel, attempt.release)
    try:
        return attempt.invoke_hook() if context is None else context.run(attempt.invoke_hook)
    finally:
        attempt.release()


def _value_on_loop(attempt: Attempt) -> Any:
    try:
        return run_on_background_loop(
            awaited(attempt.invoke_hook),
            deadline=attempt.deadline(),
            context=attempt.hook_context(),
            loop=loop_for(attempt),
            done=attempt.release,
        )
    except BaseException:
        attempt.cancel()
        raise


def pieces_of(attempt: Attempt) -> Generator[Any, None, None]:
    """Return a generator of what a streaming hook yields; closing it closes the hook and gives its slot back.

    A hook that says before its first piece that it cannot stop by itself is called again without `stop`.
    """
    return _pieces(attempt) if attempt.stop is None else _pieces_or_again(attempt)


def _pieces_or_again(attempt: Attempt) -> Generator[Any, None, None]:
    try:
        yield from _pieces(attempt)
    except NotImplementedError:
        if not attempt.may_retry_without_stop():
            raise
    else:
        return
    yield from _pieces(attempt)


def _pieces(attempt: Attempt) -> Generator[Any, None, None]:
    attempt.acquire()
    if attempt.hook.is_async:
        return _pieces_on_loop(attempt)
    context = attempt.context
    if attempt.deadline() is not None and context is not None:
        make = lambda: iterator_of(attempt.invoke_hook(), attempt.hook.label)  # noqa: E731
        return iterate_in_seat(make, context, attempt.deadline, attempt.cancel, attempt.release)
    return _pieces_here(attempt)


def _pieces_on_loop(attempt: Attempt) -> Generator[Any, None, None]:
    pieces = iterate_on_loop(
        loop_for(attempt),
        lambda: async_iterator_of(attempt.invoke_hook(), attempt.hook.label),
        attempt.hook_context(),
        attempt.deadline,
        attempt.release,
    )
    try:
        yield from pieces
    except BaseException:
        attempt.cancel()
        raise


def _pieces_here(attempt: Attempt) -> Generator[Any, None, None]:
    """Yield a sync hook's pieces in the caller's thread, each step in the run's own context when there is one."""
    context, label = attempt.context, attempt.hook.label
    iterator: Iterator[Any] | None = None
    try:
        if context is None:
            iterator = iterator_of(attempt.invoke_hook(), label)
            yield from iterator
        else:
            iterator = iterator_of(context.run(attempt.invoke_hook), label)
            while (item := context.run(next, iterator, END)) is not END:
                yield item
    except BaseException:
        attempt.cancel()
        raise
    finally:
        if context is None:
            close_quietly(iterator)
        else:
            context.run(close_quietly, iterator)
        attempt.release()
