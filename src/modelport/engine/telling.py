"""Telling an attempt's run to its listeners: its start, its tokens, and exactly one end (guarantees 4 and 6).

`with Telling(attempt)` for sync callers, `async with` for async ones. A body that fails is told as an error; one that
is cut short from outside (its consumer left, it was cancelled, the deadline passed) is told as an end, marked, with
what was produced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

from modelport.engine.attempt import Attempt
from modelport.values.errors import ModelTimeoutError
from modelport.values.generations import Generation

_CLOCK_SECONDS = 0.002
"""How much earlier than its deadline a timer may fire."""


def is_cut_short(error: BaseException, deadline: float | None) -> bool:
    """Tell whether an exception means that this call was ended from outside, not that its work failed.

    A consumer that leaves, a cancel of the task and this call's own deadline are from outside. A timeout or a cancel
    of something that the work called by itself is a failure of the work.
    """
    if isinstance(error, (GeneratorExit, KeyboardInterrupt)):
        return True
    if isinstance(error, ModelTimeoutError):
        return deadline is not None and time.monotonic() >= deadline - _CLOCK_SECONDS
    return isinstance(error, asyncio.CancelledError) and _is_being_cancelled()


def _is_being_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return False
    return task is not None and task.cancelling() > 0


class Telling:
    """Pairs the start and the end of one attempt's run; does nothing when nobody listens."""

    __slots__ = ("_attempt", "answers", "run", "token")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.run = attempt.run
        """The observed run; None when nobody listens."""
        self.token: Callable[[Any], list[Awaitable[Any]] | None] | None = None
        """Tells one released chunk and returns what has to be waited for; None when nobody wants tokens."""
        self.answers: Sequence[Generation] = ()
        """The whole answers, set by the body before it ends."""

    def _outcome(self, error: BaseException | None) -> Any:
        """Return what the end event carries; None when it is an error event."""
        run = self.run
        assert run is not None
        cut_short = error is not None and is_cut_short(error, self._attempt.deadline())
        if error is None or (self.answers and cut_short):
            return self._attempt.llm_result(*self.answers)
        if not cut_short:
            return None
        run.cancelled = True
        return self._attempt.partial_result()

    def __enter__(self) -> Self:
        if self.run is not None:
            self.run.start(self._attempt.call.argument)
            self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is not None:
            outcome = self._outcome(error)
            if outcome is None and error is not None:
                self.run.error(error, self._attempt.partial_result())
            else:
                self.run.end(outcome)

    async def __aenter__(self) -> Self:
        if self.run is not None:
            await self.run.astart(self._attempt.call.argument)
            self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is not None:
            outcome = self._outcome(error)
            if outcome is None and error is not None:
                await self.run.aerror(error, self._attempt.partial_result())
            else:
                await self.run.aend(outcome)

    def _listen(self) -> None:
        """Look who wants tokens, once the run has started: a listener may decide it then."""
        if self.run is not None and self.run.token_listeners:
            self.token = self.run.tell_token

    async def wait_for(self, pending: list[Awaitable[Any]]) -> None:
        """Wait, on the running loop, for what `token` returned."""
        for awaitable in pending:
            await awaitable

    def tell(self, chunk: Any) -> None:
        """Tell one released chunk, waiting in this thread."""
        if self.token is not None and self.run is not None and (pending := self.token(chunk)):
            self.run.block_for(pending)

    async def atell(self, chunk: Any) -> None:
        """Tell one released chunk, waiting on the running loop."""
        if self.token is not None and self.run is not None and (pending := self.token(chunk)):
            await self.wait_for(pending)
