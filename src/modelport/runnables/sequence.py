"""`RunnableSequence`: what `|` makes. Each step's output is the next one's input; streams go through every step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, cast

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.coercion import as_runnable
from modelport.runnables.joining import aonce, once
from modelport.runnables.observed import aobserve, aobserve_stream, observe, observe_stream
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError


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
