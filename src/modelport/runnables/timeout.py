"""`RunnableWithTimeout`: a runnable with a deadline of its own."""

from __future__ import annotations

import contextvars
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from modelport.engine.bridge_async import until
from modelport.engine.bridge_sync import call_in_seat, iterate_in_seat
from modelport.engine.closing import aclose_quietly
from modelport.engine.contexts import InContext, StepsInContext
from modelport.engine.workers import nothing
from modelport.runnables.base import In, Out, Runnable, configs_for
from modelport.runnables.binding import RunnableBinding
from modelport.runs.config import RunnableConfig, check_seconds
from modelport.runs.scope import SCOPE, Scope, deadline_after, scope_of
from modelport.values.errors import InputError, ModelTimeoutError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts


class RunnableWithTimeout(Runnable[In, Out]):
    """Gives each call of a runnable a deadline; a caller's earlier deadline holds too. It opens no run of its own.

    The deadline counts from the call: for a stream to its last chunk, for a batch, all of whose items share it, to its
    last item. When it passes the caller gets `ModelTimeoutError` at once, whatever the runnable is: work that cannot be
    interrupted goes on in a thread that nobody waits for. In a batch the items that are late have the error in their
    slots.
    """

    __slots__ = ("bound", "first_token_timeout", "timeout")

    def __init__(
        self, bound: Runnable[In, Out], timeout: float | None = None, *, first_token_timeout: float | None = None
    ) -> None:
        """Wrap a runnable; see `Runnable.with_timeout`.

        Raises:
            InputError: A number of seconds is negative or no number, or there is none.
        """
        check_seconds("timeout", timeout)
        check_seconds("first_token_timeout", first_token_timeout)
        if timeout is None and first_token_timeout is None:
            raise InputError("with_timeout needs a number of seconds: timeout, first_token_timeout, or both")
        self.bound: Runnable[In, Out] = bound
        """What is called."""
        self.timeout = timeout
        """Seconds from each call to its last chunk."""
        self.first_token_timeout = first_token_timeout
        """Seconds from each call to its first chunk; of a call that gives no stream, to its answer."""

    @override
    def __repr__(self) -> str:
        first = f", first_token_timeout={self.first_token_timeout!r}" if self.first_token_timeout is not None else ""
        return f"RunnableWithTimeout(bound={self.bound!r}, timeout={self.timeout!r}{first})"

    @override
    def get_name(self) -> str:
        return self.bound.get_name()

    @property
    @override
    def scopes_its_code(self) -> bool:
        # What is called gets its scope in the config, and where that is not enough in the context, too.
        return True

    @property
    @override
    def batches_at_once(self) -> bool:
        return self.bound.batches_at_once

    @override
    def __modelport_parts__(self) -> Parts:
        from modelport.runnables.parts import Parts

        return Parts.of("sequence", self.bound)

    # ── what a call inherits ────────────────────────────────────────────────────────────────────────────────────────

    def _limits(self) -> tuple[float | None, float | None]:
        """Return the deadlines of a call that is made now: of all of it, and of its first chunk."""
        now = time.monotonic()
        return deadline_after(now, self.timeout), deadline_after(now, self.first_token_timeout)

    def _scope(self, config: Any, limits: tuple[float | None, float | None], *, whole: bool) -> Scope:
        """Return the scope of one call, with its deadlines; an answer that comes whole is its own first chunk."""
        scope = (scope_of(config) or Scope()).copy()
        scope.deadline = _earliest(scope.deadline, limits[0])
        scope.first_token_deadline = _earliest(scope.first_token_deadline, limits[1])
        if whole:
            scope.deadline = _earliest(scope.deadline, scope.first_token_deadline)
        return scope

    def _config(self, scope: Scope, config: Any) -> Any:
        """Return the config that hands a scope on; the run's name and id are given to one run only, so once more."""
        given: dict[str, Any] = {"callbacks": scope} if self.bound.scopes_its_code else scope.as_config()
        if isinstance(config, Mapping):
            own = cast("Mapping[str, Any]", config)
            given |= {key: own[key] for key in ("run_name", "run_id") if own.get(key)}
        if scope.max_concurrency is not None:
            given["max_concurrency"] = scope.max_concurrency
        return given

    def _configs(self, inputs: Sequence[Any], config: Any) -> Any:
        """Return what a whole batch is called with: one config for all, or one per input."""
        limits = self._limits()
        if config is None or isinstance(config, Mapping):
            return self._config(self._scope(config, limits, whole=True), config)
        configs, _ = configs_for(inputs, config)
        return [self._config(self._scope(one, limits, whole=True), one) for one in configs]

    @staticmethod
    def _context(scope: Scope) -> contextvars.Context:
        """Return a context in which code that was not given the config finds its scope."""
        context = contextvars.copy_context()
        context.run(SCOPE.set, scope.inside(None))
        return context

    # ── one answer ──────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = self._scope(config, self._limits(), whole=True)
        given = self._config(scope, config)
        if self.bound.scopes_its_code:  # then all in it keeps to the deadline
            return self.bound.invoke(input, given, **kwargs)
        work: Callable[[], Out] = lambda: self.bound.invoke(input, given, **kwargs)  # noqa: E731
        return call_in_seat(work, self._context(scope), scope.deadline, nothing, nothing)

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = self._scope(config, self._limits(), whole=True)
        given = self._config(scope, config)
        if self.bound.scopes_its_code:
            return await self.bound.ainvoke(input, given, **kwargs)
        async with until(scope.deadline, f"{self.get_name()} ran"):
            return await InContext(self.bound.ainvoke(input, given, **kwargs), self._context(scope))

    # ── many ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def batch(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        given = self._configs(inputs, config)
        if not self.bound.scopes_its_code and _batches_plainly(self.bound):
            return super().batch(inputs, given, return_exceptions=return_exceptions, **kwargs)
        work: Callable[[], list[Out]] = lambda: self.bound.batch(  # noqa: E731
            inputs, given, return_exceptions=return_exceptions, **kwargs
        )
        if self.bound.scopes_its_code:
            return work()
        scope = _loosest(given)
        try:
            return call_in_seat(work, self._context(scope), scope.deadline, nothing, nothing)
        except ModelTimeoutError as error:
            if return_exceptions:
                return cast("list[Out]", [error] * len(inputs))
            raise

    @override
    async def abatch(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        given = self._configs(inputs, config)
        if not self.bound.scopes_its_code and _batches_plainly(self.bound):
            return await super().abatch(inputs, given, return_exceptions=return_exceptions, **kwargs)
        work = self.bound.abatch(inputs, given, return_exceptions=return_exceptions, **kwargs)
        if self.bound.scopes_its_code:
            return await work
        scope = _loosest(given)
        try:
            async with until(scope.deadline, f"{self.get_name()} ran"):
                return await InContext(work, self._context(scope))
        except ModelTimeoutError as error:
            if return_exceptions:
                return cast("list[Out]", [error] * len(inputs))
            raise

    @override
    def batch_as_completed(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> Generator[tuple[int, Out], None, None]:
        given = self._configs(inputs, config)
        way = self.bound.batch_as_completed if self.bound.scopes_its_code else super().batch_as_completed
        return way(inputs, given, return_exceptions=return_exceptions, **kwargs)

    @override
    def abatch_as_completed(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> AsyncGenerator[tuple[int, Out], None]:
        given = self._configs(inputs, config)
        way = self.bound.abatch_as_completed if self.bound.scopes_its_code else super().abatch_as_completed
        return way(inputs, given, return_exceptions=return_exceptions, **kwargs)

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Out]:
        scope = self._scope(config, self._limits(), whole=False)
        given = self._config(scope, config)
        return self._pieces(lambda: self.bound.stream(input, given, **kwargs), scope)

    @override
    def transform(self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Out]:
        scope = self._scope(config, self._limits(), whole=False)
        given = self._config(scope, config)
        return self._pieces(lambda: self.bound.transform(input, given, **kwargs), scope)

    def _keeps_time(self, scope: Scope) -> bool:
        """Tell whether all in what is called keeps to the deadlines by itself; the first chunk's only models know."""
        return self.bound.scopes_its_code and (scope.first_token_deadline is None or _is_model(self.bound))

    def _pieces(self, make: Callable[[], Iterator[Out]], scope: Scope) -> Iterator[Out]:
        return make() if self._keeps_time(scope) else _timed(make, self._context(scope), scope)

    @override
    def astream(  # pyright: ignore[reportIncompatibleMethodOverride] - may be the bound one's own generator
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Out]:
        scope = self._scope(config, self._limits(), whole=False)
        given = self._config(scope, config)
        return self._apieces(lambda: self.bound.astream(input, given, **kwargs), scope)

    @override
    def atransform(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Out]:
        scope = self._scope(config, self._limits(), whole=False)
        given = self._config(scope, config)
        return self._apieces(lambda: self.bound.atransform(input, given, **kwargs), scope)

    def _apieces(self, make: Callable[[], AsyncIterator[Out]], scope: Scope) -> AsyncIterator[Out]:
        if self._keeps_time(scope):
            return make()
        return _atimed(make, self._context(scope), scope, f"{self.get_name()} streamed")


def _timed(make: Callable[[], Iterator[Any]], context: contextvars.Context, scope: Scope) -> Generator[Any, None, None]:
    """Yield a stream's pieces from a thread that is left when a deadline passes."""
    started = False
    deadline: Callable[[], float | None] = lambda: (  # noqa: E731
        scope.deadline if started else _earliest(scope.deadline, scope.first_token_deadline)
    )
    with closing(iterate_in_seat(make, context, deadline, nothing, nothing)) as pieces:
        for piece in pieces:
            started = True
            yield piece


async def _atimed(
    make: Callable[[], AsyncIterator[Any]], context: contextvars.Context, scope: Scope, what: str
) -> AsyncGenerator[Any, None]:
    """Yield a stream's pieces; a step that a deadline passes in is cancelled."""
    deadline = _earliest(scope.deadline, scope.first_token_deadline)
    pieces = context.run(make)
    steps = StepsInContext(pieces, context)
    try:
        while True:
            try:
                async with until(deadline, what):
                    piece = await steps
            except StopAsyncIteration:
                return
            yield piece
            deadline = scope.deadline
    finally:
        await InContext(aclose_quietly(pieces), context)


def _earliest(*moments: float | None) -> float | None:
    """Return the first of the moments that are known; None when none is."""
    return min((moment for moment in moments if moment is not None), default=None)


def _loosest(configs: Any) -> Scope:
    """Return, of the scopes of a batch's configs, the one whose deadline is the last."""
    given = cast("list[dict[str, Any]]", configs if isinstance(configs, list) else [configs])
    scopes = [scope_of(one) or Scope() for one in given]
    return max(scopes, key=lambda scope: scope.deadline or 0.0, default=Scope())


def _batches_plainly(runnable: Runnable[Any, Any]) -> bool:
    """Tell whether a runnable's batch is nothing but its invoke, item by item."""
    cls, base = cast("type[Any]", type(runnable)), cast("Any", Runnable)
    return cls.batch is base.batch and cls.abatch is base.abatch


def _is_model(runnable: Any) -> bool:
    while isinstance(runnable, RunnableBinding):
        runnable = cast("Any", runnable).bound
    return runnable.__modelport_kind__ in ("llm", "chat_model")
