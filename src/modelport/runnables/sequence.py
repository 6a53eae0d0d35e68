"""`RunnableSequence`: what `|` makes. Each step's output is the next one's input; streams go through every step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.coercion import as_runnable
from modelport.runnables.item_runs import ItemRuns, abatch_together, batch_together
from modelport.runnables.joining import aonce, once
from modelport.runnables.observed import aobserve, aobserve_stream, observe, observe_stream
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts


class RunnableSequence(Runnable[In, Out]):
    """Runs steps one after the other, as one run with a child run for each step."""

    __slots__ = ("name", "steps")

    def __init__(self, *steps: Any, name: str | None = None) -> None:
        """Make a sequence.

        Args:
            *steps: At least two runnables or functions; sequences among them are flattened.
            name: The name that events carry.

        Raises:
            InputError: There are fewer than two steps, or one can be no step.
        """
        flat: list[Runnable[Any, Any]] = []
        for step in steps:
            runnable = as_runnable(step)
            if isinstance(runnable, RunnableSequence) and runnable.name is None:
                flat.extend(runnable.steps)
            else:
                flat.append(runnable)
        if len(flat) < 2:
            raise InputError(f"a sequence needs at least two steps, not {len(flat)}")
        self.steps: tuple[Runnable[Any, Any], ...] = tuple(flat)
        """The steps, in order."""
        self.name = name
        """The name that events carry; RunnableSequence when None."""

    @override
    def __repr__(self) -> str:
        return " | ".join(repr(step) for step in self.steps)

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None:
            value: Any = input
            first, *rest = self.steps
            value = first.invoke(value, None, **kwargs) if kwargs else first.invoke(value)
            for step in rest:
                value = step.invoke(value)
            return value

        def work(inner: Scope) -> Any:
            value: Any = input
            for number, step in enumerate(self.steps, 1):
                value = step.invoke(value, _config(inner, number), **(kwargs if number == 1 else {}))
            return value

        return observe(self, "chain", scope, input, work) if scope.listeners else work(scope.inside(None))

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None:
            value: Any = input
            first, *rest = self.steps
            value = await first.ainvoke(value, None, **kwargs)
            for step in rest:
                value = await step.ainvoke(value)
            return value

        async def work(inner: Scope) -> Any:
            value: Any = input
            for number, step in enumerate(self.steps, 1):
                value = await step.ainvoke(value, _config(inner, number), **(kwargs if number == 1 else {}))
            return value

        if scope.listeners:
            return await aobserve(self, "chain", scope, input, work)
        return await work(scope.inside(None))

    @property
    @override
    def scopes_its_code(self) -> bool:
        return all(step.scopes_its_code for step in self.steps)

    @override
    def __modelport_parts__(self) -> Parts:
        from modelport.runnables.parts import Parts

        return Parts.of("sequence", *self.steps)

    # ── many values ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    @override
    def batches_at_once(self) -> bool:
        return any(step.batches_at_once for step in self.steps)

    def _stretches(self) -> list[tuple[int, list[Runnable[Any, Any]]]]:
        """Return each step that answers many at once, alone, and the steps between those, with the first's number."""
        stretches: list[tuple[int, list[Runnable[Any, Any]]]] = []
        for at_once, steps in groupby(enumerate(self.steps, 1), lambda numbered: numbered[1].batches_at_once):
            numbered = list(steps)
            if at_once:
                stretches.extend((number, [step]) for number, step in numbered)
            else:
                stretches.append((numbered[0][0], [step for _, step in numbered]))
        return stretches

    @override
    def batch(
        self,
        inputs: Sequence[In],
        config: Any = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Run many inputs: a step that answers many at once gets all of them in one batch, others item by item.

        Args:
            inputs: One per output.
            config: One for all, or one per input; `max_concurrency` bounds the batch.
            return_exceptions: True: a failure stays in its slot. False: the first one, in order, is raised at the end.
            progress: Whether to show a bar on stderr that counts the items that have ended (extra `cli`).
            **kwargs: Given to the first step.
        """
        if not self.batches_at_once or len(inputs) < 2:
            return super().batch(inputs, config, return_exceptions=return_exceptions, progress=progress, **kwargs)

        def work(items: ItemRuns) -> None:
            for first, steps in self._stretches():
                given = kwargs if first == 1 else {}
                if steps[0].batches_at_once:
                    items.settle(items.batch(steps[0], f"seq:step:{first}", **given))
                else:
                    items.settle(items.map(_through(first, steps, given)))

        return batch_together(self, inputs, config, return_exceptions, work, progress)

    @override
    async def abatch(
        self,
        inputs: Sequence[In],
        config: Any = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Run many inputs on the running loop; see `batch`."""
        if not self.batches_at_once or len(inputs) < 2:
            return await super().abatch(
                inputs, config, return_exceptions=return_exceptions, progress=progress, **kwargs
            )

        async def work(items: ItemRuns) -> None:
            for first, steps in self._stretches():
                given = kwargs if first == 1 else {}
                if steps[0].batches_at_once:
                    await items.asettle(await items.abatch(steps[0], f"seq:step:{first}", **given))
                else:
                    await items.asettle(await items.amap(_athrough(first, steps, given)))

        return await abatch_together(self, inputs, config, return_exceptions, work, progress)

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pieces(self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any]) -> Iterator[Any]:
        for number, step in enumerate(self.steps, 1):
            config = None if scope is None else _config(scope, number)
            pieces = step.transform(pieces, config, **(kwargs if number == 1 else {}))
        return pieces

    def _apieces(self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        for number, step in enumerate(self.steps, 1):
            config = (
                None
                if scope is None
                else _config(scope, number, owns_context=scope.owns_context and step is self.steps[-1])
            )
            pieces = step.atransform(pieces, config, **(kwargs if number == 1 else {}))
        return pieces

    @override
    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Out, None, None]:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return cast("Generator[Out, None, None]", self._pieces(once(input), scope, kwargs))
        return observe_stream(
            self, "chain", scope, once(input), lambda pieces, inner: self._pieces(pieces, inner, kwargs), value=input
        )

    @override
    def astream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncGenerator[Out, None]:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return cast("AsyncGenerator[Out, None]", self._apieces(aonce(input), scope, kwargs))
        return aobserve_stream(
            self,
            "chain",
            scope,
            aonce(input),
            lambda pieces, inner: self._apieces(pieces, inner, kwargs),
            value=input,
            hands_scope_on=self.scopes_its_code,
        )

    @override
    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Out, None, None]:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return cast("Generator[Out, None, None]", self._pieces(input, scope, kwargs))
        return observe_stream(self, "chain", scope, input, lambda pieces, inner: self._pieces(pieces, inner, kwargs))

    @override
    def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return cast("AsyncGenerator[Out, None]", self._apieces(input, scope, kwargs))
        return aobserve_stream(self, "chain", scope, input, lambda pieces, inner: self._apieces(pieces, inner, kwargs))


def _config(scope: Scope, number: int, *, owns_context: bool = False) -> Any:
    inner = scope.inside(None, f"seq:step:{number}")
    inner.owns_context = owns_context
    return {"callbacks": inner}


def _through(first: int, steps: Sequence[Runnable[Any, Any]], kwargs: dict[str, Any]) -> Callable[..., Any]:
    """Return what takes one item of a batch through some steps; the first one's number is `first`."""

    def work(value: Any, config_of: Callable[[str], Any]) -> Any:
        for number, step in enumerate(steps, first):
            value = step.invoke(value, config_of(f"seq:step:{number}"), **(kwargs if number == first else {}))
        return value

    return work


def _athrough(first: int, steps: Sequence[Runnable[Any, Any]], kwargs: dict[str, Any]) -> Callable[..., Any]:
    """Return what takes one item of a batch through some steps on the running loop."""

    async def work(value: Any, config_of: Callable[[str], Any]) -> Any:
        for number, step in enumerate(steps, first):
            value = await step.ainvoke(value, config_of(f"seq:step:{number}"), **(kwargs if number == first else {}))
        return value

    return work
