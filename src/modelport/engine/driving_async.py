"""Driving one attempt's hook for an async caller: the way to its value or its pieces, over any bridge."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from modelport.engine.attempt import Attempt
from modelport.engine.bridge_async import call_in_thread, call_on_loop, iterate_on_other_loop, until
from modelport.engine.bridge_sync import END
from modelport.engine.closing import aclose_quietly
from modelport.engine.contexts import InContext, StepsInContext
from modelport.engine.driving_sync import awaited
from modelport.engine.read_ahead import ReadAhead
from modelport.engine.reading import async_iterator_of, iterator_of
from modelport.engine.turns import TURN, TURN_EVERY, Turns
from modelport.runs.scope import SCOPE


def _is_elsewhere(attempt: Attempt) -> bool:
    """Tell whether the model's async hooks are bound to a loop that is not the running one."""
    return attempt.call.hooks.single_loop and not attempt.state.own_loop().waits_for_caller()


async def avalue_of(attempt: Attempt) -> Any:
    """Return what a value hook returns; one that cannot stop by itself is called again without `stop`."""
    try:
        return await _value(attempt)
    except NotImplementedError:
        if not attempt.may_retry_without_stop():
            raise
    return await _value(attempt)


async def _value(attempt: Attempt) -> Any:
    """Call a value hook once; the slot is given back once the hook has really ended."""
    await attempt.acquire_async()
    if not attempt.hook.is_async:
        return await _value_in_thread(attempt)
    try:
        async with until(attempt.deadline(), "an async hook ran"):
            return await _value_elsewhere(attempt) if _is_elsewhere(attempt) else await _value_here(attempt)
    except BaseException:
        attempt.cancel()
        raise


async def _value_here(attempt: Attempt) -> Any:
    try:
        if attempt.context is None:
            return await attempt.invoke_hook()
        return await InContext(awaited(attempt.invoke_hook), attempt.context)
    finally:
        attempt.release()


async def _value_elsewhere(attempt: Attempt) -> Any:
    loop = attempt.state.own_loop()
    return await call_on_loop(loop, attempt.invoke_hook, attempt.hook_context(), attempt.release)


async def _value_in_thread(attempt: Attempt) -> Any:
    done = await _take_worker(attempt)
    async with until(attempt.deadline(), "a sync hook ran"):
        return await call_in_thread(attempt.invoke_hook, attempt.worker_context(), attempt.cancel, done)


async def _take_worker(attempt: Attempt) -> Callable[[], None]:
    """Take one of the model's worker slots; return what gives it and the attempt's slot back."""
    workers = attempt.worker_slots()
    if workers is None:
        return attempt.release
    try:
        await workers.acquire_async(attempt.deadline())
    except BaseException:
        attempt.release()
        raise

    def done() -> None:
        attempt.release()
        workers.release()

    return done


async def read_ahead(attempt: Attempt) -> ReadAhead:
    """Start a sync streaming hook in a worker thread of the model; its owner closes it."""
    await attempt.acquire_async()
    done = await _take_worker(attempt)
    make = lambda: iterator_of(attempt.invoke_hook(), attempt.hook.label)  # noqa: E731
    return ReadAhead(make, attempt.worker_context(), done)


def apieces_of(attempt: Attempt) -> AsyncGenerator[Any, None]:
    """Return a generator of what a streaming hook yields; closing it closes the hook and gives its slot back.

    A hook that says before its first piece that it cannot stop by itself is called again without `stop`.
    """
    return _pieces(attempt) if attempt.stop is None else _pieces_or_again(attempt)


async def _pieces_or_again(attempt: Attempt) -> AsyncGenerator[Any, None]:
    try:
        async with aclosing(_pieces(attempt)) as pieces:
            async for piece in pieces:
                yield piece
    except NotImplementedError:
        if not attempt.may_retry_without_stop():
            raise
    else:
        return
    async with aclosing(_pieces(attempt)) as pieces:
        async for piece in pieces:
            yield piece


def _pieces(attempt: Attempt) -> AsyncGenerator[Any, None]:
    if not attempt.hook.is_async:
        return _pieces_from_thread(attempt)
    return _pieces_elsewhere(attempt) if _is_elsewhere(attempt) else _pieces_here(attempt)


async def _pieces_from_thread(attempt: Attempt) -> AsyncGenerator[Any, None]:
    source = await read_ahead(attempt)
    try:
        while pieces := await source.take_before(attempt.deadline):
            for piece in pieces:
                yield piece
    except BaseException:
        attempt.cancel()
        raise
    finally:
        source.close()


async def _pieces_elsewhere(attempt: Attempt) -> AsyncGenerator[Any, None]:
    await attempt.acquire_async()
    make = lambda: async_iterator_of(attempt.invoke_hook(), attempt.hook.label)  # noqa: E731
    try:
        pieces = iterate_on_other_loop(attempt.state.own_loop(), make, attempt.hook_context(), attempt.release)
        async with aclosing(pieces):
            while True:
                async with until(attempt.deadline(), "an async hook streamed"):
                    piece = await anext(pieces, END)
                if piece is END:
                    return
                yield piece
    except BaseException:
        attempt.cancel()
        raise


async def _pieces_here(attempt: Attempt) -> AsyncGenerator[Any, None]:
    """Yield an async hook's pieces on the caller's loop, each step in the run's own context when there is one."""
    await attempt.acquire_async()
    context, outer = attempt.context, SCOPE.get()
    iterator: AsyncIterator[Any] | None = None
    turn, turns = TURN_EVERY, Turns()
    try:
        if attempt.shares_context:
            SCOPE.set(attempt.scope)
        value = attempt.invoke_hook() if context is None else context.run(attempt.invoke_hook)
        iterator = async_iterator_of(value, attempt.hook.label)
        steps = iterator if context is None else StepsInContext(iterator, context)
        async for item in steps if attempt.deadline() is None else _Timed(steps, attempt):
            yield item
            turn -= 1
            if not turn:
                turn = TURN_EVERY
                if turns.due():
                    await TURN
    except BaseException:
        attempt.cancel()
        raise
    finally:
        closing = aclose_quietly(iterator)
        await (closing if context is None else InContext(closing, context))
        if attempt.shares_context:
            SCOPE.set(outer)
        attempt.release()


class _Timed:
    """Is an async iterator whose every step ends at the attempt's deadline."""

    def __init__(self, steps: AsyncIterator[Any], attempt: Attempt) -> None:
        self._steps = steps
        self._attempt = attempt

    def __aiter__(self) -> _Timed:
        return self

    async def __anext__(self) -> Any:
        async with until(self._attempt.deadline(), "an async hook streamed"):
            return await self._steps.__anext__()
