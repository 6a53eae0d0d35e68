"""`RunnablePassthrough`: the input as it is; with `assign` some computed keys more, with `pick` some keys only."""

from __future__ import annotations

import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeVar, override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.runnables.assign import RunnableAssign
from modelport.runnables.base import Runnable
from modelport.runnables.function import RunnableLambda
from modelport.runnables.joining import aonce, join, once
from modelport.runnables.observed import aobserve, aobserve_stream, observe, observe_stream
from modelport.runnables.parallel import RunnableParallel
from modelport.runnables.pick import RunnablePick
from modelport.runnables.sequence import RunnableSequence
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import SCOPE, Scope, scope_of

Same = TypeVar("Same", default=Any)


class _OfClassOrInstance:
    """Is a method of the class `RunnablePassthrough`; of an instance that calls a function, what follows that one."""

    def __init__(self, make: Callable[..., Runnable[Any, Any]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, instance: RunnablePassthrough[Any] | None, owner: Any) -> Callable[..., Runnable[Any, Any]]:
        if instance is None or not instance.calls_function:
            return self._make

        def follow(*args: Any, **kwargs: Any) -> Runnable[Any, Any]:
            return RunnableSequence(instance, self._make(*args, **kwargs))

        return follow


def _assign(**steps: Any) -> RunnableAssign:
    """Return what adds keys to a dict: each value is a runnable or a function of the whole dict, or a dict of such.

    Raises:
        InputError: A value can be no step.
    """
    return RunnableAssign(RunnableParallel(steps))


def _pick(keys: str | Sequence[str]) -> RunnablePick:
    """Return what keeps of a dict one key's value, or a dict of several keys.

    Raises:
        InputError: `keys` is neither a text nor a list of texts.
    """
    return RunnablePick(keys)


class RunnablePassthrough(Runnable[Same, Same]):
    """Gives its input as it is, and streams it piece by piece; may call a function with it on the way.

    What the function returns is not looked at; what it raises is the call's failure. It is called before the call's
    run starts, of a stream when all pieces were given. A sync function never runs on the loop of an async call.
    """

    __slots__ = ("_function", "name")

    def __init__(
        self,
        func: Callable[..., Any] | None = None,
        afunc: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        """Make a passthrough.

        Args:
            func: Takes the input, and `config` when it names that parameter. May be async.
            afunc: The async twin, used in async calls.
            name: The name that events carry.

        Raises:
            InputError: `func` or `afunc` is no function.
        """
        function = func or afunc
        self._function = None if function is None else _Function(function, afunc)
        self.name = name
        """The name that events carry; RunnablePassthrough when None."""

    @override
    def __repr__(self) -> str:
        return f"RunnablePassthrough({'' if self._function is None else self._function.name or '...'})"

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    if TYPE_CHECKING:

        @staticmethod
        def assign(**steps: Any) -> RunnableAssign:  # pyright: ignore[reportIncompatibleMethodOverride]
            """Return what adds keys to a dict; see `_assign`."""
            ...

        @staticmethod
        def pick(keys: str | Sequence[str]) -> RunnablePick:  # pyright: ignore[reportIncompatibleMethodOverride]
            """Return what keeps of a dict one key's value, or a dict of several keys; see `_pick`."""
            ...

    else:
        assign = _OfClassOrInstance(_assign)
        pick = _OfClassOrInstance(_pick)

    @property
    def calls_function(self) -> bool:
        """Whether a function is called with the input."""
        return self._function is not None

    # ── one value ───────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def invoke(self, input: Same, config: RunnableConfig | None = None, **kwargs: Any) -> Same:
        scope = scope_of(config)
        if self._function is not None:
            self._function.call(input, scope, kwargs)
        if scope is None or not scope.listeners:
            return input
        return observe(self, "chain", scope, input, lambda _: input)

    @override
    async def ainvoke(self, input: Same, config: RunnableConfig | None = None, **kwargs: Any) -> Same:
        scope = scope_of(config)
        if self._function is not None:
            await self._function.acall(input, scope, kwargs)
        if scope is None or not scope.listeners:
            return input

        async def work(_: Scope) -> Same:
            return input

        return await aobserve(self, "chain", scope, input, work)

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[Any, None, None]:
        output = _same(pieces)
        if scope is not None and scope.listeners:
            output = observe_stream(self, "chain", scope, pieces, lambda given, _: _same(given), value=value)
        if self._function is None:
            yield from output
            return
        given: list[Any] = []
        try:
            for piece in output:
                given.append(piece)
                yield piece
        finally:
            close_quietly(output)
        if given:
            self._function.call(join(given), scope, kwargs)

    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[Any, None]:
        output = _asame(pieces)
        if scope is not None and scope.listeners:
            output = aobserve_stream(
                self, "chain", scope, pieces, lambda given, _: _asame(given), value=value, hands_scope_on=True
            )
        given: list[Any] = []
        try:
            async for piece in output:
                if self._function is not None:
                    given.append(piece)
                yield piece
        finally:
            await aclose_quietly(output)
        if self._function is not None and given:
            await self._function.acall(join(given), scope, kwargs)

    @override
    def stream(self, input: Same, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Same, None, None]:
        return self._pieces(once(input), scope_of(config), kwargs, input)

    @override
    def astream(self, input: Same, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncGenerator[Same, None]:
        return self._apieces(aonce(input), scope_of(config), kwargs, input)

    @override
    def transform(
        self, input: Iterator[Same], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Same, None, None]:
        return self._pieces(input, scope_of(config), kwargs)

    @override
    def atransform(
        self, input: AsyncIterator[Same], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Same, None]:
        return self._apieces(input, scope_of(config), kwargs)


class _Function(RunnableLambda[Any, Any]):
    """Is a passthrough's function: it is called in the call's scope, as a function in a chain is, without a run."""

    __slots__ = ()

    def call(self, value: Any, scope: Scope | None, kwargs: dict[str, Any]) -> None:
        if scope is None:
            self._run(value, None, kwargs)
            return
        inner = scope.inside(None)
        context = contextvars.copy_context()
        context.run(SCOPE.set, inner)
        context.run(self._run, value, inner, kwargs)

    async def acall(self, value: Any, scope: Scope | None, kwargs: dict[str, Any]) -> None:
        if scope is None:
            await self._arun(value, None, kwargs)
            return
        inner = scope.inside(None)
        token = SCOPE.set(inner)
        try:
            await self._arun(value, inner, kwargs)
        finally:
            SCOPE.reset(token)


def _same(pieces: Iterator[Any]) -> Generator[Any, None, None]:
    try:
        yield from pieces
    finally:
        close_quietly(pieces)


async def _asame(pieces: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    try:
        async for piece in pieces:
            yield piece
    finally:
        await aclose_quietly(pieces)
