"""`RunnableSequence`: what `|` makes. Each step's output is the next one's input; streams go through every step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.coercion import as_runnable
from modelport.runnables.item_runs import ItemRuns
from modelport.runnables.joint_batches import JointBatches
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import PiecewiseStreams
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts


class RunnableSequence(JointBatches[In, Out], PiecewiseStreams[In, Out]):
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
    def _batch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        for first, steps in self._stretches():
            given = kwargs if first == 1 else {}
            if steps[0].batches_at_once:
                items.settle(items.batch(steps[0], f"seq:step:{first}", **given))
            else:
                items.settle(items.map(_through(first, steps, given)))

    @override
    async def _abatch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        for first, steps in self._stretches():
            given = kwargs if first == 1 else {}
            if steps[0].batches_at_once:
                await items.asettle(await items.abatch(steps[0], f"seq:step:{first}", **given))
            else:
                await items.asettle(await items.amap(_athrough(first, steps, given)))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Iterator[Any]:
        for number, step in enumerate(self.steps, 1):
            config = None if scope is None else _config(scope, number)
            pieces = step.transform(pieces, config, **(kwargs if number == 1 else {}))
        return pieces

    @override
    def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncIterator[Any]:
        for number, step in enumerate(self.steps, 1):
            config = (
                None
                if scope is None
                else _config(scope, number, owns_context=scope.owns_context and step is self.steps[-1])
            )
            pieces = step.atransform(pieces, config, **(kwargs if number == 1 else {}))
        return pieces


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
