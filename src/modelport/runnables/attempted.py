"""A runnable that is called in attempts: every way to call, for retries and fallbacks alike.

Which attempt follows which failure is said by `Attempts`; here is only the doing, once for sync callers and once for
async ones. A stream is attempted until its first chunk is out: from then on a failure is its consumer's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import Any

from typing_extensions import override

from modelport.engine.bridge_sync import END
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.runnables.attempts import Attempts
from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.item_runs import ItemRuns, abatch_together, batch_together
from modelport.runnables.joining import aonce, once
from modelport.runnables.observed import aobserve, aobserve_stream, observe, observe_stream
from modelport.runnables.replay import Replay
from modelport.runnables.rounds import Rounds
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import Scope, scope_of

Streams = Callable[[Attempts, Replay | None], Any]
"""Makes one attempt's output stream."""


class AttemptedRunnable(Runnable[In, Out]):
    """Calls one of its runnables, and after a failure perhaps again, or another."""

    __slots__ = ()

    def attempts(self, scope: Scope | None) -> Attempts:
        """Return the attempts of one call that inherits `scope`."""
        raise NotImplementedError

    @property
    def first(self) -> Runnable[In, Out]:
        """What the first attempt calls."""
        raise NotImplementedError

    def check_input(self, value: Any) -> None:
        """Refuse an input that none of the attempts could take; everything is fine here.

        Raises:
            InputError: The input is wrong.
        """

    # ── one answer ──────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        self.check_input(input)
        scope = scope_of(config)
        if scope is None:
            try:
                return self.first.invoke(input, None, **kwargs)
            except BaseException as failure:
                attempts = self.attempts(None)
                if attempts.ends_with(failure):
                    raise
            return self._answer(input, attempts, kwargs)
        work: Callable[[Scope], Out] = lambda inner: self._answer(input, self.attempts(inner), kwargs)  # noqa: E731
        return observe(self, "chain", scope, input, work) if scope.listeners else work(scope)

    def _answer(self, value: Any, attempts: Attempts, kwargs: dict[str, Any]) -> Any:
        while True:
            attempts.begin()
            try:
                return attempts.target.invoke(attempts.input_of(value), attempts.config(), **kwargs)
            except BaseException as failure:
                if attempts.ends_with(failure):
                    raise

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        self.check_input(input)
        scope = scope_of(config)
        if scope is None:
            try:
                return await self.first.ainvoke(input, None, **kwargs)
            except BaseException as failure:
                attempts = self.attempts(None)
                if attempts.ends_with(failure):
                    raise
            return await self._aanswer(input, attempts, kwargs)
        if not scope.listeners:
            return await self._aanswer(input, self.attempts(scope), kwargs)
        work: Callable[[Scope], Any] = lambda inner: self._aanswer(input, self.attempts(inner), kwargs)  # noqa: E731
        return await aobserve(self, "chain", scope, input, work)

    async def _aanswer(self, value: Any, attempts: Attempts, kwargs: dict[str, Any]) -> Any:
        while True:
            await attempts.abegin()
            try:
                return await attempts.target.ainvoke(attempts.input_of(value), attempts.config(), **kwargs)
            except BaseException as failure:
                if attempts.ends_with(failure):
                    raise

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Out, None, None]:
        self.check_input(input)
        scope = scope_of(config)

        def one(attempts: Attempts, _: Replay | None) -> Iterator[Any]:
            return attempts.target.stream(attempts.input_of(input), attempts.config(), **kwargs)

        if scope is None or not scope.listeners:
            return self._pieces(one, scope)
        return observe_stream(self, "chain", scope, once(input), lambda _, inner: self._pieces(one, inner), value=input)

    @override
    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Out, None, None]:
        scope = scope_of(config)

        def one(attempts: Attempts, replay: Replay | None) -> Iterator[Any]:
            assert replay is not None
            return attempts.target.transform(replay.read(), attempts.config(), **kwargs)

        if scope is None or not scope.listeners:
            return self._pieces(one, scope, Replay(input))
        return observe_stream(
            self, "chain", scope, input, lambda pieces, inner: self._pieces(one, inner, Replay(pieces))
        )

    def _pieces(self, make: Streams, scope: Scope | None, replay: Replay | None = None) -> Generator[Any, None, None]:
        pieces: Any = None
        try:
            attempts = self.attempts(scope)
            while True:
                attempts.begin()
                try:
                    pieces = make(attempts, replay)
                    piece = next(pieces, END)
                    break
                except BaseException as failure:
                    # Closed before another attempt begins, which may need what this one holds.
                    close_quietly(pieces)
                    if (replay is not None and replay.failed) or attempts.ends_with(failure):
                        raise
            if replay is not None:
                replay.forget()
            del attempts
            if piece is not END:
                yield piece
                yield from pieces
        finally:
            close_quietly(pieces)
            if replay is not None:
                replay.close()

    @override
    def astream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncGenerator[Out, None]:
        self.check_input(input)
        scope = scope_of(config)

        def one(attempts: Attempts, _: Replay | None) -> AsyncIterator[Any]:
            return attempts.target.astream(attempts.input_of(input), attempts.config(), **kwargs)

        if scope is None or not scope.listeners:
            return self._apieces(one, scope)
        return aobserve_stream(
            self,
            "chain",
            scope,
            aonce(input),
            lambda _, inner: self._apieces(one, inner),
            value=input,
            hands_scope_on=self.scopes_its_code,
        )

    @override
    def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        scope = scope_of(config)

        def one(attempts: Attempts, replay: Replay | None) -> AsyncIterator[Any]:
            assert replay is not None
            return attempts.target.atransform(replay.aread(), attempts.config(), **kwargs)

        if scope is None or not scope.listeners:
            return self._apieces(one, scope, Replay(input))
        return aobserve_stream(
            self, "chain", scope, input, lambda pieces, inner: self._apieces(one, inner, Replay(pieces))
        )

    async def _apieces(
        self, make: Streams, scope: Scope | None, replay: Replay | None = None
    ) -> AsyncGenerator[Any, None]:
        pieces: Any = None
        try:
            attempts = self.attempts(scope)
            while True:
                await attempts.abegin()
                try:
                    pieces = make(attempts, replay)
                    piece = await anext(pieces, END)
                    break
                except BaseException as failure:
                    await aclose_quietly(pieces)
                    if (replay is not None and replay.failed) or attempts.ends_with(failure):
                        raise
            if replay is not None:
                replay.forget()
            del attempts
            if piece is not END:
                yield piece
                async for piece in pieces:
                    yield piece
        finally:
            await aclose_quietly(pieces)
            if replay is not None:
                await replay.aclose()

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────

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
        """Call with many inputs: where one call can answer many, those that fail go into the next one together.

        Elsewhere each item is called by itself, and waits for no other.

        Args:
            inputs: One per output.
            config: One for all, or one per input; `max_concurrency` bounds the batch.
            return_exceptions: True: a failure stays in its slot. False: the first one, in order, is raised at the end.
            progress: Whether to show a bar on stderr that counts the items that have ended (extra `cli`).
            **kwargs: For what is called.
        """
        if not self.batches_at_once or len(inputs) < 2:
            return super().batch(inputs, config, return_exceptions=return_exceptions, progress=progress, **kwargs)

        def work(items: ItemRuns) -> None:
            rounds = Rounds(self, items)
            while rounds.pending:
                rounds.begin()
                one = rounds.next
                rounds.take(items.batch(one.target, one.tag, places=rounds.pending, **kwargs))
            items.settle(rounds.outcomes)

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
        """Call with many inputs on the running loop; see `batch`."""
        if not self.batches_at_once or len(inputs) < 2:
            return await super().abatch(
                inputs, config, return_exceptions=return_exceptions, progress=progress, **kwargs
            )

        async def work(items: ItemRuns) -> None:
            rounds = Rounds(self, items)
            while rounds.pending:
                await rounds.abegin()
                one = rounds.next
                rounds.take(await items.abatch(one.target, one.tag, places=rounds.pending, **kwargs))
            await items.asettle(rounds.outcomes)

        return await abatch_together(self, inputs, config, return_exceptions, work, progress)
