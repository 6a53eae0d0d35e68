"""`RunnableLambda`: a function as a step. Sync or async, with or without `config`; a generator function streams."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any, cast

from typing_extensions import override

from modelport.engine.bridge_async import until
from modelport.engine.bridge_sync import END, call_in_seat, iterate_in_seat, iterate_on_loop
from modelport.engine.contexts import InContext, StepsInContext
from modelport.engine.read_ahead import ReadAhead
from modelport.engine.workers import call_in_worker, nothing
from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.joining import ajoined, aonce, join, joined, once
from modelport.runnables.observed import aobserve, aobserve_stream, observe, observe_stream
from modelport.runs.config import RunnableConfig
from modelport.runs.loops import background_loop, run_on_background_loop
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError


class RunnableLambda(Runnable[In, Out]):
    """Runs a function of one input as a step of a chain.

    A function that returns a runnable has that runnable invoked with the same input. A sync function never runs on
    the loop of an async call.
    """

    __slots__ = ("_afunc", "_func", "_takes_config", "name")

    def __init__(
        self, func: Callable[..., Any], afunc: Callable[..., Any] | None = None, name: str | None = None
    ) -> None:
        """Wrap a function.

        Args:
            func: Takes the input, and `config` when it names that parameter. May be async, or a generator function.
            afunc: The async twin, used in async calls.
            name: The name that events carry; the function's own by default.

        Raises:
            InputError: `func` is no function of one input.
        """
        if not callable(func):
            raise InputError(f"RunnableLambda needs a function, not {func!r}")
        is_async = inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func)
        self._func = None if is_async else func
        self._afunc = afunc or (func if is_async else None)
        self._takes_config = "config" in _parameters(func)
        given = getattr(func, "__name__", None)
        self.name: str | None = name or (given if given and given != "<lambda>" else None)
        """The name that events carry."""

    @override
    def __repr__(self) -> str:
        return f"RunnableLambda({self.name or '...'})"

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    @property
    @override
    def InputType(self) -> Any:
        return self._types()[0]

    @property
    @override
    def OutputType(self) -> Any:
        return self._types()[1]

    def _types(self) -> tuple[Any, Any]:
        from modelport.runnables.type_hints import types_of_function

        function = self._func or self._afunc
        assert function is not None
        return types_of_function(function)

    def _apply(self, function: Callable[..., Any], value: Any, scope: Scope | None, kwargs: dict[str, Any]) -> Any:
        if self._takes_config:
            kwargs = {**kwargs, "config": scope.as_config() if scope is not None else {}}
        return function(value, **kwargs)

    # ── one value ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _result(self, value: Any, scope: Scope | None, kwargs: dict[str, Any]) -> Any:
        """Return what the sync function gives, in this thread, or in one that its caller can leave at the deadline."""
        function = self._func
        assert function is not None
        work = lambda: _drained(self._apply(function, value, scope, kwargs))  # noqa: E731
        deadline = scope.next_deadline(started=False) if scope is not None else None
        if deadline is None:
            return work()
        return call_in_seat(work, contextvars.copy_context(), deadline, nothing, nothing)

    async def _aresult(self, value: Any, scope: Scope | None, kwargs: dict[str, Any]) -> Any:
        """Return what the function gives, on the running loop; a sync function runs in a worker thread."""
        async with until(scope.next_deadline(started=False) if scope is not None else None, f"{self.get_name()} ran"):
            if self._afunc is None:
                function = self._func
                assert function is not None
                return await call_in_worker(lambda: _drained(self._apply(function, value, scope, kwargs)))
            result = self._apply(self._afunc, value, scope, kwargs)
            if inspect.isasyncgen(result):
                return (await ajoined(result))[1]
            return await result if inspect.isawaitable(result) else result

    def _run(self, value: Any, scope: Scope | None, kwargs: dict[str, Any]) -> Any:
        """Return the function's value; an async function runs on the background loop."""
        if self._func is None:
            deadline = scope.next_deadline(started=False) if scope is not None else None
            return run_on_background_loop(self._arun(value, scope, kwargs), deadline=deadline)
        result = self._result(value, scope, kwargs)
        if isinstance(result, Runnable):
            return cast("Runnable[Any, Any]", result).invoke(value, _config(scope))
        return result

    async def _arun(self, value: Any, scope: Scope | None, kwargs: dict[str, Any]) -> Any:
        """Return the function's value; a runnable that it returns is called in its own async way."""
        result = await self._aresult(value, scope, kwargs)
        if isinstance(result, Runnable):
            return await cast("Runnable[Any, Any]", result).ainvoke(value, _config(scope))
        return result

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None:
            return self._run(input, scope, kwargs)
        return observe(self, "chain", scope, input, lambda inner: self._run(input, inner, kwargs))

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None:
            return await self._arun(input, scope, kwargs)
        return await aobserve(self, "chain", scope, input, lambda inner: self._arun(input, inner, kwargs))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pieces(self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any]) -> Generator[Any, None, None]:
        """Yield what a generator function yields, else the function's value."""
        present, value = joined(pieces)
        if not present:
            return
        function = self._func or self._afunc
        assert function is not None
        make = lambda: self._apply(function, value, scope, kwargs)  # noqa: E731
        due = _Due(scope)
        if inspect.isgeneratorfunction(function):
            if scope is None:
                yield from make()
            elif due() is not None:
                yield from due.noting(iterate_in_seat(make, contextvars.copy_context(), due, nothing, nothing))
            else:
                yield from _steps(make(), contextvars.copy_context())
        elif self._func is None and inspect.isasyncgenfunction(function):
            context = contextvars.copy_context()
            yield from due.noting(iterate_on_loop(background_loop(), make, context, due, nothing))
        elif self._func is not None:
            result = self._result(value, scope, kwargs)
            if isinstance(result, Runnable):
                yield from cast("Runnable[Any, Any]", result).stream(value, _config(scope))
            else:
                yield result
        else:
            yield self._run(value, scope, kwargs)

    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        present, value = await ajoined(pieces)
        if not present:
            return
        function = self._afunc or self._func
        assert function is not None
        make = lambda: self._apply(function, value, scope, kwargs)  # noqa: E731
        if inspect.isasyncgenfunction(function):
            own = make() if scope is None else _asteps(make(), scope, f"{self.get_name()} streamed")
            async with aclosing(own):
                async for piece in own:
                    yield piece
        elif self._afunc is None and inspect.isgeneratorfunction(function):
            source, due = ReadAhead(make, contextvars.copy_context(), nothing), _Due(scope)
            try:
                while ready := await source.take_before(due):
                    due.started = True
                    for piece in ready:
                        yield piece
            finally:
                source.close()
        else:
            result = await self._aresult(value, scope, kwargs)
            if not isinstance(result, Runnable):
                yield result
                return
            async with aclosing(cast("Any", result).astream(value, _config(scope))) as own:
                async for piece in own:
                    yield piece

    @override
    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Out, None, None]:
        scope = scope_of(config)
        if scope is None:
            return self._pieces(once(input), scope, kwargs)
        return observe_stream(
            self, "chain", scope, once(input), lambda pieces, inner: self._pieces(pieces, inner, kwargs), value=input
        )

    @override
    def astream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncGenerator[Out, None]:
        scope = scope_of(config)
        if scope is None:
            return self._apieces(aonce(input), scope, kwargs)
        return aobserve_stream(
            self, "chain", scope, aonce(input), lambda pieces, inner: self._apieces(pieces, inner, kwargs), value=input
        )

    @override
    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Out, None, None]:
        scope = scope_of(config)
        if scope is None:
            return self._pieces(input, scope, kwargs)
        return observe_stream(self, "chain", scope, input, lambda pieces, inner: self._pieces(pieces, inner, kwargs))

    @override
    def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        scope = scope_of(config)
        if scope is None:
            return self._apieces(input, scope, kwargs)
        return aobserve_stream(self, "chain", scope, input, lambda pieces, inner: self._apieces(pieces, inner, kwargs))


def _drained(result: Any) -> Any:
    """Return what a sync function gave; of a generator its joined pieces."""
    return join(list(result)) if inspect.isgenerator(result) else result


class _Due:
    """Says until when a stream's next piece must come; of the first one it may be earlier."""

    __slots__ = ("_scope", "started")

    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope
        self.started = False

    def __call__(self) -> float | None:
        return self._scope.next_deadline(started=self.started) if self._scope is not None else None

    def noting(self, pieces: Generator[Any, None, None]) -> Generator[Any, None, None]:
        """Yield pieces, and note the first one."""
        with closing(pieces):
            for piece in pieces:
                self.started = True
                yield piece


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # builtins without a signature
        return set()


def _steps(pieces: Generator[Any, Any, Any], context: contextvars.Context) -> Iterator[Any]:
    """Yield a generator's pieces, each step in its own context."""
    try:
        while (piece := context.run(next, pieces, END)) is not END:
            yield piece
    finally:
        context.run(pieces.close)


async def _asteps(pieces: AsyncGenerator[Any, Any], scope: Scope, what: str) -> AsyncGenerator[Any, None]:
    """Yield an async generator's pieces, each step in its own context and before the deadline."""
    context, due = contextvars.copy_context(), _Due(scope)
    steps = StepsInContext(pieces, context)
    try:
        while True:
            try:
                async with until(due(), what):
                    piece = await steps
            except StopAsyncIteration:
                return
            due.started = True
            yield piece
    finally:
        await InContext(pieces.aclose(), context)


def _config(scope: Scope | None) -> Any:
    return {"callbacks": scope.inside(None)} if scope is not None else None
