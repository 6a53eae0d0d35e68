"""The attempts of one call: what is tried next, whether a failure leaves anything to try, and what is waited before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from modelport.engine.telling import is_cut_short
from modelport.runnables import backoff
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.base import Runnable
    from modelport.runs.run import Run
    from modelport.runs.scope import Scope

NEVER_TRIED_AGAIN = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a call from outside: no attempt follows, whatever types of failures are named."""


class Attempts:
    """Is one call's attempts; a subclass says what each one is, and which failures are followed by another.

    It knows nothing of how a runnable is called: invoked, streamed or as one of a batch, sync or async.
    """

    __slots__ = ("deadline", "number", "over", "run", "scope", "wait_seconds")

    def __init__(self, scope: Scope | None) -> None:
        """Begin with the first attempt; `scope` is what the attempts inherit, None when nobody asked for anything."""
        self.scope = scope
        """What the attempts inherit."""
        self.number: int = 1
        """Which attempt is next, counted from 1."""
        self.wait_seconds = 0.0
        """How long to wait before it."""
        self.over = False
        """Whether none is left, and the call ends with another failure than the last one."""
        self.run: Run | None = scope.parent if scope is not None and scope.listeners else None
        """The observed run of the whole call; None when nobody listens."""
        self.deadline = deadline_of(scope)
        """When the whole call ends at the latest, on `time.monotonic()`'s clock."""

    # ── what a subclass says ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def target(self) -> Runnable[Any, Any]:
        """What the next attempt calls."""
        raise NotImplementedError

    @property
    def tag(self) -> str | None:
        """The tag of the next attempt's run."""
        return None

    def input_of(self, value: Any) -> Any:
        """Return the next attempt's input, made of the call's."""
        return value

    def ends_with(self, failure: BaseException) -> bool:
        """Take the failure of an attempt; return whether the call ends with just this one.

        Otherwise another attempt is next, unless `over`.
        """
        raise NotImplementedError

    def take_failure(self) -> BaseException:
        """Return what a call that is `over` ends with; it is not kept."""
        raise NotImplementedError

    def tell(self) -> None:
        """Tell the listeners that another attempt is made."""

    async def atell(self) -> None:
        """Tell the listeners that another attempt is made."""

    # ── what all have ───────────────────────────────────────────────────────────────────────────────────────────────

    def config(self) -> Any:
        """Return the config that the next attempt is called with."""
        if self.scope is None:
            return None
        inner = self.scope.inside(None, self.tag)
        # Other people's runnables may read a config's own keys; ours find all in the scope.
        return {"callbacks": inner} if self.target.scopes_its_code else inner.as_config()

    def is_from_outside(self, failure: BaseException) -> bool:
        """Tell whether a failure means that this call was ended, not that the attempt went wrong."""
        return isinstance(failure, NEVER_TRIED_AGAIN) or is_cut_short(failure, self.deadline)

    def can_wait(self, seconds: float) -> bool:
        """Take it as the wait before the next attempt, when that is then not too late to begin."""
        self.wait_seconds = seconds
        return self.deadline is None or backoff.monotonic() + seconds < self.deadline

    def begin(self) -> None:
        """Wait until the next attempt is due.

        Raises:
            BaseException: None is left, and the call ends with another failure than the last one.
        """
        if self.number > 1:
            self.end_if_over()
            self.tell()
            if self.wait_seconds:
                backoff.sleep(self.wait_seconds)

    async def abegin(self) -> None:
        """Wait on the running loop until the next attempt is due; raises as `begin` does."""
        if self.number > 1:
            self.end_if_over()
            await self.atell()
            if self.wait_seconds:
                await backoff.asleep(self.wait_seconds)

    def end_if_over(self) -> None:
        """Raise what the call ends with, when no attempt is left."""
        if self.over:
            raise self.take_failure()


def deadline_of(scope: Scope | None) -> float | None:
    """Return when a call must have given its first chunk at the latest."""
    return scope.next_deadline(started=False) if scope is not None else None


def exception_types(name: str, value: Any) -> tuple[type[BaseException], ...]:
    """Return a tuple of exception types that a caller gave.

    Raises:
        InputError: It is none, or empty.
    """
    if isinstance(value, type):
        raise InputError(f"{name} must be a tuple of exception types; write ({value.__name__},)")
    types = tuple(cast("Sequence[Any]", value)) if isinstance(value, (tuple, list)) else ()
    if not types or not all(isinstance(one, type) and issubclass(one, BaseException) for one in types):
        raise InputError(f"{name} must be a tuple of exception types, not {value!r}")
    return types
