"""`RunnableParallel`: one input for several steps at once, a dict of their outputs. In a pipe a dict becomes one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeVar, override

from modelport.engine.batches import raise_first
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.concurrency import amap_items, ends_the_task, map_items
from modelport.runnables.base import Runnable
from modelport.runnables.coercion import as_runnable
from modelport.runnables.interleaving import AsyncMake, Make, ainterleaved, interleaved
from modelport.runnables.item_runs import ItemRuns
from modelport.runnables.joining import ajoined, joined
from modelport.runnables.joint_batches import JointBatches
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import PiecewiseStreams
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import SCOPE, Scope, scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts

In = TypeVar("In", contravariant=True, default=Any)


class RunnableParallel(JointBatches[In, dict[str, Any]], PiecewiseStreams[In, dict[str, Any]]):
    """Gives its input to every step at once, and a dict of what they give, as one run with a child run for each.

    A failing step is raised when the others have ended: async ones are cancelled, sync ones cannot be, and run to
    their end. A stream yields `{key: piece}`, the pieces of all steps as they come. Of a call's config
    `max_concurrency` bounds how many steps run at once. A call's keywords go to no step: bind them to the step.
    """

    __slots__ = ("name", "steps")

    def __init__(self, steps: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Make a parallel.

        Args:
            steps: Under each key a runnable, a function, or a dict of such.
            **more: Further steps. `name`, when it is a text, is the name that events carry.

        Raises:
            InputError: A key is no text, or a value can be no step.
        """
        name = more.get("name")
        if name is None or isinstance(name, str):
            more.pop("name", None)
        else:
            name = None
        given: dict[Any, Any] = {**(steps or {}), **more}
        for key in given:
            if not isinstance(key, str):
                raise InputError(f"the keys of a parallel are texts, not {key!r}")
        self.steps: dict[str, Runnable[Any, Any]] = {
            key: as_runnable(step, f"step of a parallel (its key {key!r})") for key, step in given.items()
        }
        """The steps, by the keys of their outputs."""
        self.name: str | None = name
        """The name that events carry; `RunnableParallel<keys>` when None."""

    @override
    def __repr__(self) -> str:
        return f"{{{', '.join(f'{key!r}: {step!r}' for key, step in self.steps.items())}}}"

    @override
    def get_name(self) -> str:
        return self.name or f"RunnableParallel<{','.join(self.steps)}>"

    @property
    @override
    def scopes_its_code(self) -> bool:
        return all(step.scopes_its_code for step in self.steps.values())

    @property
    @override
    def batches_at_once(self) -> bool:
        return any(step.batches_at_once for step in self.steps.values())

    @override
    def __modelport_parts__(self) -> Parts | None:
        from modelport.runnables.parts import Parts

        return Parts.of("parallel", *self.steps.items()) if self.steps else None

    # ── one value ───────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._run(input, scope)
        return observe(self, "chain", scope, input, lambda inner: self._run(input, inner))

    def _run(self, value: Any, scope: Scope | None) -> dict[str, Any]:
        keys = list(self.steps)
        limit = scope.max_concurrency if scope is not None else None
        failed = False

        def work(key: str) -> Any:
            nonlocal failed
            if failed and limit is not None:  # a step that waits for its turn need not start any more
                return None
            step = self.steps[key]
            try:
                return step.invoke(value, _enter(scope, key, step))
            except BaseException:
                failed = True
                raise

        outcomes = map_items(work, keys, limit or len(keys))
        raise_first(outcomes)
        return dict(zip(keys, outcomes, strict=True))

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return await self._arun(input, scope)
        return await aobserve(self, "chain", scope, input, lambda inner: self._arun(input, inner))

    async def _arun(self, value: Any, scope: Scope | None) -> dict[str, Any]:
        def work(key: str) -> Awaitable[Any]:
            step = self.steps[key]
            return step.ainvoke(value, _enter(scope, key, step))

        return await _all_of(work, list(self.steps), scope.max_concurrency if scope is not None else None)

    # ── many values ─────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def _batch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        keys = list(self.steps)
        answer: Callable[[str], Any] = lambda key: items.batch(self.steps[key], f"map:key:{key}")  # noqa: E731
        items.settle(_rows(keys, map_items(answer, keys, items.limit or len(keys))))

    @override
    async def _abatch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        keys = list(self.steps)
        answer: Callable[[str], Any] = lambda key: items.abatch(self.steps[key], f"map:key:{key}")  # noqa: E731
        await items.asettle(_rows(keys, await amap_items(answer, keys, items.limit)))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def streams_in(self, scope: Scope | None) -> list[Make]:
        """Return what makes each step's stream, in the steps' order, to be run in a context of its own."""
        return [
            lambda pieces, key=key, step=step: step.transform(pieces, _enter(scope, key, step))
            for key, step in self.steps.items()
        ]

    def astreams_in(self, scope: Scope | None) -> list[AsyncMake]:
        """Return what makes each step's async stream, as `streams_in` does."""
        return [
            lambda pieces, key=key, step=step: step.atransform(pieces, _enter(scope, key, step, owns_context=True))
            for key, step in self.steps.items()
        ]

    def _runs_here(self, scope: Scope | None) -> Runnable[Any, Any] | None:
        """Return the only step, when it needs no thread, task or context of its own."""
        if len(self.steps) != 1:
            return None
        step = next(iter(self.steps.values()))
        return step if scope is None or step.scopes_its_code else None

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[dict[str, Any], None, None]:
        keys = list(self.steps)
        if not keys:
            if value is not UNKNOWN or joined(pieces)[0]:
                yield {}
        elif (only := self._runs_here(scope)) is not None:
            output = only.transform(pieces, _enter(scope, keys[0], only))
            try:
                for piece in output:
                    yield {keys[0]: piece}
            finally:
                close_quietly(output)
                close_quietly(pieces)
        else:
            limit = scope.max_concurrency if scope is not None else None
            with closing(interleaved(self.streams_in(scope), pieces, value=value, limit=limit)) as output:
                for number, piece in output:
                    yield {keys[number]: piece}

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[dict[str, Any], None]:
        keys = list(self.steps)
        if not keys:
            if value is not UNKNOWN or (await ajoined(pieces))[0]:
                yield {}
        elif (only := self._runs_here(scope)) is not None:
            owns = scope is not None and scope.owns_context
            output = only.atransform(pieces, _enter(scope, keys[0], only, owns_context=owns))
            try:
                async for piece in output:
                    yield {keys[0]: piece}
            finally:
                await aclose_quietly(output)
                await aclose_quietly(pieces)
        else:
            limit = scope.max_concurrency if scope is not None else None
            async with aclosing(ainterleaved(self.astreams_in(scope), pieces, value=value, limit=limit)) as output:
                async for number, piece in output:
                    yield {keys[number]: piece}


def _enter(scope: Scope | None, key: str, step: Runnable[Any, Any], *, owns_context: bool = False) -> Any:
    """Return a step's config; called in a context of the step's own, in which its author's code finds its scope.

    Args:
        scope: What the steps inherit.
        key: The step's key.
        step: The step.
        owns_context: Whether nothing else runs in that context.
    """
    if scope is None:
        return None
    inner = scope.inside(None, f"map:key:{key}")
    if step.scopes_its_code:
        inner.owns_context = owns_context
    else:
        SCOPE.set(inner)
    return {"callbacks": inner}


async def _all_of(work: Callable[[str], Awaitable[Any]], keys: Sequence[str], limit: int | None) -> dict[str, Any]:
    """Do `work` for each key in a task of its own.

    Raises:
        BaseException: The first failure that happens, once the other tasks are cancelled and have ended.
    """
    results: dict[str, Any] = dict.fromkeys(keys)
    failures: list[BaseException] = []
    turn = asyncio.Semaphore(limit) if limit is not None else contextlib.nullcontext()

    async def serve(key: str) -> None:
        async with turn:
            try:
                results[key] = await work(key)
            except BaseException as error:
                if ends_the_task(error):
                    raise
                failures.append(error)
                for task in tasks:
                    if task is not asyncio.current_task():
                        task.cancel()

    tasks = [asyncio.create_task(serve(key)) for key in keys]
    try:
        # Not a TaskGroup: when a task of it fails, Python 3.11 leaves its caller looking cancelled.
        if tasks:
            await asyncio.wait(tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    if failures:
        raise failures[0]
    return results


def _rows(keys: Sequence[str], columns: Sequence[Any]) -> list[Any]:
    """Return of each step's outcomes each item's dict, or its first failure in the order of the steps."""
    raise_first(columns)
    rows: list[Any] = []
    for outcomes in zip(*columns, strict=True):
        failure = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
        rows.append(dict(zip(keys, outcomes, strict=True)) if failure is None else failure)
    return rows
