"""`RunnableAssign`: a dict, and more keys computed of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.runnables.interleaving import AsyncMake, Make, ainterleaved, interleaved
from modelport.runnables.item_runs import ItemRuns
from modelport.runnables.joint_batches import JointBatches
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import PiecewiseStreams
from modelport.runnables.parallel import RunnableParallel
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts


class RunnableAssign(
    JointBatches[Mapping[str, Any], dict[str, Any]], PiecewiseStreams[Mapping[str, Any], dict[str, Any]]
):
    """Gives its input dict with more keys, which the steps of a parallel compute of the whole dict.

    A stream yields the input's keys as they come, but not those that are computed, and the pieces of the computed
    ones as soon as those are there.
    """

    __slots__ = ("mapper", "name")

    def __init__(self, mapper: RunnableParallel[Any], *, name: str | None = None) -> None:
        """Make an assign.

        Args:
            mapper: Computes the keys.
            name: The name that events carry.
        """
        self.mapper = mapper
        """Computes the keys."""
        self.name = name
        """The name that events carry; `RunnableAssign<keys>` when None."""

    @override
    def __repr__(self) -> str:
        return f"RunnableAssign({self.mapper!r})"

    @override
    def get_name(self) -> str:
        return self.name or f"RunnableAssign<{','.join(self.mapper.steps)}>"

    @property
    @override
    def scopes_its_code(self) -> bool:
        return self.mapper.scopes_its_code

    @property
    @override
    def batches_at_once(self) -> bool:
        return self.mapper.batches_at_once

    def _checked(self, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise InputError(
                f"assign({', '.join(self.mapper.steps)}) needs a dict as its input, not {type(value).__name__} "
                f"{value!r:.200}"
            )
        return cast("Mapping[str, Any]", value)

    @override
    def __modelport_parts__(self) -> Parts | None:
        from modelport.runnables.parts import Parts

        return Parts.of("assign", *self.mapper.steps.items()) if self.mapper.steps else None

    # ── one value ───────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def invoke(self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        scope = scope_of(config)

        def work(inner: Scope | None) -> dict[str, Any]:
            return {**self._checked(input), **self.mapper.invoke(input, _config(inner))}

        if scope is None or not scope.listeners:
            return work(scope)
        return observe(self, "chain", scope, input, work)

    @override
    async def ainvoke(
        self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        scope = scope_of(config)

        async def work(inner: Scope | None) -> dict[str, Any]:
            return {**self._checked(input), **await self.mapper.ainvoke(input, _config(inner))}

        if scope is None or not scope.listeners:
            return await work(scope)
        return await aobserve(self, "chain", scope, input, work)

    # ── many values ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _refused(self, values: Sequence[Any]) -> list[Any]:
        """Return the values, an error in place of each that is no dict."""
        slots: list[Any] = []
        for value in values:
            try:
                slots.append(self._checked(value))
            except InputError as error:
                slots.append(error)
        return slots

    @override
    def _batch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        items.settle(self._refused(items.values))
        items.settle(_merged(items.values, items.batch(self.mapper, None)))

    @override
    async def _abatch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        await items.asettle(self._refused(items.values))
        await items.asettle(_merged(items.values, await items.abatch(self.mapper, None)))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rest(self, piece: Any) -> dict[str, Any]:
        """Return the keys of an input's piece that are not computed."""
        return {key: value for key, value in self._checked(piece).items() if key not in self.mapper.steps}

    def _given(self, pieces: Iterator[Any]) -> Generator[dict[str, Any], None, None]:
        try:
            for piece in pieces:
                if rest := self._rest(piece):
                    yield rest
        finally:
            close_quietly(pieces)

    async def _agiven(self, pieces: AsyncIterator[Any]) -> AsyncGenerator[dict[str, Any], None]:
        try:
            async for piece in pieces:
                if rest := self._rest(piece):
                    yield rest
        finally:
            await aclose_quietly(pieces)

    @staticmethod
    def _streams_whole(scope: Scope | None) -> bool:
        """Tell whether the parallel streams as one: somebody hears of its run, or it bounds how many steps run.

        Otherwise its steps' streams are taken straight, which saves a hand-over for each piece.
        """
        return scope is not None and (bool(scope.listeners) or scope.max_concurrency is not None)

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[dict[str, Any], None, None]:
        if whole := self._streams_whole(scope):
            makes: list[Make] = [lambda given: self.mapper.transform(given, _config(scope))]
        else:
            makes = self.mapper.streams_in(scope)
        keys = list(self.mapper.steps)
        with closing(interleaved([self._given, *makes], pieces, value=value)) as output:
            for number, piece in output:
                yield piece if whole or not number else {keys[number - 1]: piece}

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[dict[str, Any], None]:
        if whole := self._streams_whole(scope):
            config = _config(scope, owns_context=self.mapper.scopes_its_code)
            makes: list[AsyncMake] = [lambda given: self.mapper.atransform(given, config)]
        else:
            makes = self.mapper.astreams_in(scope)
        keys = list(self.mapper.steps)
        async with aclosing(ainterleaved([self._agiven, *makes], pieces, value=value)) as output:
            async for number, piece in output:
                yield piece if whole or not number else {keys[number - 1]: piece}


def _merged(values: Sequence[Any], outcomes: Sequence[Any]) -> list[Any]:
    """Return each item's dict with its computed keys, or why there is none."""
    return [
        outcome if isinstance(outcome, BaseException) else {**value, **outcome}
        for value, outcome in zip(values, outcomes, strict=True)
    ]


def _config(scope: Scope | None, *, owns_context: bool = False) -> Any:
    if scope is None:
        return None
    inner = scope.inside(None)
    inner.owns_context = owns_context
    return {"callbacks": inner}
