"""A runnable that is called in attempts: every way to call, for retries and fallbacks alike.

Which attempt follows which failure is said by `Attempts`; here is only the doing, once for sync callers and once for
async ones. A stream is attempted until its first chunk is out: from then on a failure is its consumer's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

from typing_extensions import override

from modelport.engine.bridge_sync import END
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.runnables.attempts import Attempts
from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.item_runs import ItemRuns
from modelport.runnables.joint_batches import JointBatches
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import PiecewiseStreams
from modelport.runnables.replay import Replay
from modelport.runnables.rounds import Rounds
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of


class AttemptedRunnable(JointBatches[In, Out], PiecewiseStreams[In, Out]):
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
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[Any, None, None]:
        replay = Replay(pieces) if value is UNKNOWN else None
        output: Any = None
        try:
            attempts = self.attempts(scope)
            while True:
                attempts.begin()
                try:
                    if replay is None:
                        output = attempts.target.stream(attempts.input_of(value), attempts.config(), **kwargs)
                    else:
                        output = attempts.target.transform(replay.read(), attempts.config(), **kwargs)
                    piece = next(output, END)
                    break
                except BaseException as failure:
                    # Closed before another attempt begins, which may need what this one holds.
                    close_quietly(output)
                    if (replay is not None and replay.failed) or attempts.ends_with(failure):
                        raise
            if replay is not None:
                replay.forget()
            del attempts
            if piece is not END:
                yield piece
                yield from output
        finally:
            close_quietly(output)
            if replay is not None:
                replay.close()

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[Any, None]:
        replay = Replay(pieces) if value is UNKNOWN else None
        output: Any = None
        try:
            attempts = self.attempts(scope)
            while True:
                await attempts.abegin()
                try:
                    if replay is None:
                        output = attempts.target.astream(attempts.input_of(value), attempts.config(), **kwargs)
                    else:
                        output = attempts.target.atransform(replay.aread(), attempts.config(), **kwargs)
                    piece = await anext(output, END)
                    break
                except BaseException as failure:
                    await aclose_quietly(output)
                    if (replay is not None and replay.failed) or attempts.ends_with(failure):
                        raise
            if replay is not None:
                replay.forget()
            del attempts
            if piece is not END:
                yield piece
                async for piece in output:
                    yield piece
        finally:
            await aclose_quietly(output)
            if replay is not None:
                await replay.aclose()

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def _batch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        rounds = Rounds(self, items)
        while rounds.pending:
            rounds.begin()
            one = rounds.next
            rounds.take(items.batch(one.target, one.tag, places=rounds.pending, **kwargs))
        items.settle(rounds.outcomes)

    @override
    async def _abatch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        rounds = Rounds(self, items)
        while rounds.pending:
            await rounds.abegin()
            one = rounds.next
            rounds.take(await items.abatch(one.target, one.tag, places=rounds.pending, **kwargs))
        await items.asettle(rounds.outcomes)
