"""Chain runs: telling who listens what a chain, prompt, parser or function does, in every way to call.

The work itself is given as a function of the scope that calls inside it inherit; when nobody listens, callers do not
come here at all.
"""

from __future__ import annotations

import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, cast

from modelport.engine.bridge_sync import END
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.contexts import InContext, StepsInContext
from modelport.engine.telling import is_cut_short
from modelport.runnables.joining import join
from modelport.runs.run import UNKNOWN, Run
from modelport.runs.scope import SCOPE, Scope


def open_run(runnable: Any, kind: str, scope: Scope, *, is_async: bool) -> Run:
    """Return the run of one call of a runnable that is no model."""
    cls = cast("type[Any]", type(runnable))
    serialized = {
        "lc": 1,
        "type": "not_implemented",
        "id": [*cls.__module__.split("."), cls.__qualname__],
        "name": cls.__name__,
    }
    return Run(scope, kind=kind, name=runnable.get_name(), serialized=serialized, is_async=is_async)


def observe(runnable: Any, kind: str, scope: Scope, value: Any, work: Callable[[Scope], Any]) -> Any:
    """Run `work` as one observed run; a cut-short run ends, marked, without an output."""
    run = open_run(runnable, kind, scope, is_async=False)
    inner = scope.inside(run)
    run.start(value)
    try:
        context = contextvars.copy_context()
        context.run(SCOPE.set, inner)
        result = context.run(work, inner)
    except BaseException as error:
        if is_cut_short(error, scope.next_deadline(started=False)):
            run.cancelled = True
            run.end(None)
        else:
            run.error(error)
        raise
    run.end(result)
    return result


async def aobserve(runnable: Any, kind: str, scope: Scope, value: Any, work: Callable[[Scope], Awaitable[Any]]) -> Any:
    """Run `work` as one observed run on the running loop, as `observe` does."""
    run = open_run(runnable, kind, scope, is_async=True)
    inner = scope.inside(run)
    await run.astart(value)
    try:
        token = SCOPE.set(inner)
        try:
            result = await work(inner)
        finally:
            SCOPE.reset(token)
    except BaseException as error:
        if is_cut_short(error, scope.next_deadline(started=False)):
            run.cancelled = True
            await run.aend(None)
        else:
            await run.aerror(error)
        raise
    await run.aend(result)
    return result


class Tapped:
    """Reads an input stream for a run that starts with its first piece, and keeps what was read."""

    def __init__(self, run: Run, pieces: Any) -> None:
        self.run = run
        """The run that starts."""
        self.read: list[Any] = []
        """The pieces so far."""
        self._pieces = pieces

    def __iter__(self) -> Iterator[Any]:
        try:
            for piece in self._pieces:
                self.read.append(piece)
                yield piece
        finally:
            close_quietly(self._pieces)

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for piece in self._pieces:
                self.read.append(piece)
                yield piece
        finally:
            await aclose_quietly(self._pieces)


def observe_stream(
    runnable: Any,
    kind: str,
    scope: Scope,
    pieces: Iterator[Any],
    work: Callable[[Iterator[Any], Scope], Iterator[Any]],
    *,
    value: Any = UNKNOWN,
) -> Generator[Any, None, None]:
    """Stream `work` as one observed run.

    Args:
        runnable: Whose run it is.
        kind: The run's kind.
        scope: What the call inherits.
        pieces: The input's pieces.
        work: Turns the pieces, in the given scope, into output pieces.
        value: The whole input, when it is known from the start; the run then starts at once. Otherwise it starts
            when the first piece has come, and its end event carries the joined input.
    """
    run = open_run(runnable, kind, scope, is_async=False)
    inner = scope.inside(run)
    context = contextvars.copy_context()
    context.run(SCOPE.set, inner)
    tapped: Tapped | None = None
    if value is UNKNOWN:
        first = next(pieces, END)
        if first is END:
            return
        tapped = Tapped(run, _chain(first, pieces))
        pieces = iter(tapped)
    run.start(value)
    released: list[Any] = []
    output = work(pieces, inner)
    try:
        while (piece := context.run(next, output, END)) is not END:
            released.append(piece)
            if pending := run.tell_piece(piece):
                run.block_for(pending)
            yield piece
    except BaseException as error:
        # Inner runs end before the one around them.
        context.run(close_quietly, output)
        close_quietly(pieces)
        if is_cut_short(error, scope.next_deadline(started=bool(released))):
            run.cancelled = True
            run.end(join(released))
        else:
            run.error(error)
        raise
    if tapped is not None:
        run.inputs = join(tapped.read)
    run.end(join(released))


async def aobserve_stream(
    runnable: Any,
    kind: str,
    scope: Scope,
    pieces: AsyncIterator[Any],
    work: Callable[[AsyncIterator[Any], Scope], AsyncIterator[Any]],
    *,
    value: Any = UNKNOWN,
    hands_scope_on: bool = False,
) -> AsyncGenerator[Any, None]:
    """Stream `work` as one observed run on the running loop, as `observe_stream` does.

    Args:
        runnable: Whose run it is.
        kind: The run's kind.
        scope: What the call inherits.
        pieces: The input's pieces.
        work: Turns the pieces, in the given scope, into output pieces.
        value: The whole input, when it is known from the start.
        hands_scope_on: Whether `work` runs no author's code that would not be given its scope: then, in a context
            that is this call's alone, its steps need no other.
    """
    run = open_run(runnable, kind, scope, is_async=True)
    inner = scope.inside(run)
    inner.owns_context = scope.owns_context and hands_scope_on
    tapped: Tapped | None = None
    if value is UNKNOWN:
        first = await anext(pieces, END)
        if first is END:
            return
        tapped = Tapped(run, _achain(first, pieces))
        pieces = aiter(tapped)
    await run.astart(value)
    released: list[Any] = []
    output = work(pieces, inner)
    context = None if inner.owns_context else contextvars.copy_context()
    steps: AsyncIterator[Any] = output if context is None else _in_context(output, context, inner)
    try:
        async for piece in steps:
            released.append(piece)
            if pending := run.tell_piece(piece):
                await run.wait_for(pending)
            yield piece
    except BaseException as error:
        await aclose_quietly(steps)
        await aclose_quietly(pieces)
        if is_cut_short(error, scope.next_deadline(started=bool(released))):
            run.cancelled = True
            await run.aend(join(released))
        else:
            await run.aerror(error)
        raise
    if tapped is not None:
        run.inputs = join(tapped.read)
    await run.aend(join(released))


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    try:
        yield first
        yield from rest
    finally:
        close_quietly(rest)


async def _achain(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await aclose_quietly(rest)


async def _in_context(
    output: AsyncIterator[Any], context: contextvars.Context, scope: Scope
) -> AsyncGenerator[Any, None]:
    """Yield a stream's pieces, each step in a context of its own in which `scope` holds."""
    context.run(SCOPE.set, scope)
    try:
        async for piece in StepsInContext(output, context):
            yield piece
    finally:
        await InContext(aclose_quietly(output), context)
