"""`RunnableBranch`: the first step whose condition holds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import TypeVar, override

from modelport.engine.batches import raise_first
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.concurrency import amap_items, map_items
from modelport.runnables.base import Runnable
from modelport.runnables.coercion import as_runnable
from modelport.runnables.item_runs import ItemRuns
from modelport.runnables.joint_batches import JointBatches
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import ObservedStreams
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts

In = TypeVar("In", contravariant=True, default=Any)
Out = TypeVar("Out", covariant=True, default=Any)


class RunnableBranch(JointBatches[In, Out], ObservedStreams[In, Out]):
    """Runs the step of the first condition that holds for the input, else the default, as one run with child runs.

    The conditions are asked in order, one after the other, up to the first that holds. A call's keywords go to the
    chosen step.
    """

    __slots__ = ("branches", "default", "name")

    def __init__(self, *branches: Any, name: str | None = None) -> None:
        """Make a branch.

        Args:
            *branches: `(condition, step)` pairs, at least one, and last the default step. Conditions and steps are
                runnables, functions or dicts of them.
            name: The name that events carry.

        Raises:
            InputError: There is no pair or no default, or one of them can be no step.
        """
        if len(branches) < 2:
            raise InputError(
                f"a branch needs at least one (condition, step) pair and a default, not {len(branches)} of them"
            )
        *pairs, default = branches
        if isinstance(default, (tuple, list)):
            raise InputError("the last argument of a branch is its default, a step of its own, not a pair")
        self.branches: tuple[tuple[Runnable[Any, Any], Runnable[Any, Any]], ...] = tuple(map(_pair, pairs))
        """Conditions and steps, in order."""
        self.default: Runnable[Any, Any] = as_runnable(default, "default of a branch")
        """What runs when no condition holds."""
        self.name = name
        """The name that events carry; RunnableBranch when None."""

    @override
    def __repr__(self) -> str:
        pairs = [f"({condition!r}, {step!r})" for condition, step in self.branches]
        return f"RunnableBranch({', '.join([*pairs, repr(self.default)])})"

    @property
    @override
    def scopes_its_code(self) -> bool:
        parts = [part for pair in self.branches for part in pair]
        return self.default.scopes_its_code and all(part.scopes_its_code for part in parts)

    @property
    @override
    def batches_at_once(self) -> bool:
        return self.default.batches_at_once or any(step.batches_at_once for _, step in self.branches)

    def _choose(self, value: Any, config_of: Callable[[str], Any]) -> tuple[Runnable[Any, Any], str]:
        """Return the step for an input, and the tag of its run."""
        for number, (condition, step) in enumerate(self.branches, 1):
            if condition.invoke(value, config_of(f"condition:{number}")):
                return step, f"branch:{number}"
        return self.default, "branch:default"

    async def _achoose(self, value: Any, config_of: Callable[[str], Any]) -> tuple[Runnable[Any, Any], str]:
        for number, (condition, step) in enumerate(self.branches, 1):
            if await condition.ainvoke(value, config_of(f"condition:{number}")):
                return step, f"branch:{number}"
        return self.default, "branch:default"

    @override
    def __modelport_parts__(self) -> Parts:
        from modelport.runnables.parts import Parts

        arms = [(condition.get_name(), step) for condition, step in self.branches]
        return Parts.of("branch", *arms, ("default", self.default))

    # ── one value ───────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)

        def work(inner: Scope | None) -> Any:
            step, tag = self._choose(input, lambda tag: _config(inner, tag))
            return step.invoke(input, _config(inner, tag), **kwargs)

        if scope is None or not scope.listeners:
            return work(scope)
        return observe(self, "chain", scope, input, work)

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)

        async def work(inner: Scope | None) -> Any:
            step, tag = await self._achoose(input, lambda tag: _config(inner, tag))
            return await step.ainvoke(input, _config(inner, tag), **kwargs)

        if scope is None or not scope.listeners:
            return await work(scope)
        return await aobserve(self, "chain", scope, input, work)

    # ── many values ─────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def _batch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        chosen = _Chosen(items.map(self._choose))
        answer: Callable[[str], Any] = lambda tag: items.batch(  # noqa: E731
            chosen.steps[tag], tag, places=chosen.places[tag], **kwargs
        )
        tags = list(chosen.steps)
        items.settle(chosen.outcomes(map_items(answer, tags, items.limit)))

    @override
    async def _abatch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        chosen = _Chosen(await items.amap(self._achoose))
        answer: Callable[[str], Any] = lambda tag: items.abatch(  # noqa: E731
            chosen.steps[tag], tag, places=chosen.places[tag], **kwargs
        )
        tags = list(chosen.steps)
        await items.asettle(chosen.outcomes(await amap_items(answer, tags, items.limit)))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[Any, None, None]:
        step, tag = self._choose(value, lambda tag: _config(scope, tag))
        output = step.transform(pieces, _config(scope, tag), **kwargs)
        try:
            yield from output
        finally:
            close_quietly(output)

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[Any, None]:
        step, tag = await self._achoose(value, lambda tag: _config(scope, tag))
        owns = scope is not None and scope.owns_context
        output = step.atransform(pieces, _config(scope, tag, owns_context=owns), **kwargs)
        try:
            async for piece in output:
                yield piece
        finally:
            await aclose_quietly(output)


class _Chosen:
    """Is which step each item of a batch goes to."""

    def __init__(self, choices: Sequence[Any]) -> None:
        """Group the items; of an item whose condition failed the choice is the failure."""
        self._outcomes = list(choices)
        self.steps: dict[str, Runnable[Any, Any]] = {}
        """The steps that were chosen, by the tag of their runs."""
        self.places: dict[str, list[int]] = {}
        """The places of the items that a step was chosen for."""
        for place, choice in enumerate(choices):
            if not isinstance(choice, BaseException):
                step, tag = choice
                self.steps[tag] = step
                self.places.setdefault(tag, []).append(place)

    def outcomes(self, answers: Sequence[Any]) -> list[Any]:
        """Return each item's outcome, given each step's answers in the order of `steps`."""
        raise_first(answers)
        for tag, outcomes in zip(self.steps, answers, strict=True):
            for place, outcome in zip(self.places[tag], outcomes, strict=True):
                self._outcomes[place] = outcome
        return self._outcomes


def _pair(given: Any) -> tuple[Runnable[Any, Any], Runnable[Any, Any]]:
    if not isinstance(given, (tuple, list)) or len(cast("Sequence[Any]", given)) != 2:
        raise InputError(f"a branch is a (condition, step) pair, not {given!r:.200}")
    condition, step = cast("tuple[Any, Any]", given)
    return as_runnable(condition, "condition of a branch"), as_runnable(step, "step of a branch")


def _config(scope: Scope | None, tag: str, *, owns_context: bool = False) -> Any:
    if scope is None:
        return None
    inner = scope.inside(None, tag)
    inner.owns_context = owns_context
    return {"callbacks": inner}
