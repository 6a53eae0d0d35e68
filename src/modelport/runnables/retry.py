"""`RunnableRetry`: a runnable that is tried again when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from modelport.runnables import backoff
from modelport.runnables.attempted import AttemptedRunnable
from modelport.runnables.attempts import Attempts, exception_types
from modelport.runnables.base import In, Out, Runnable
from modelport.runs.scope import Scope
from modelport.values.errors import InputError, MissingExtraError
from modelport.values.status_errors import (
    AuthenticationError,
    BadRequestError,
    ContentTooLargeError,
    NotFoundError,
    PermissionDeniedError,
    UnprocessableEntityError,
)

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts

HOPELESS = (
    BadRequestError,
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    ContentTooLargeError,
    UnprocessableEntityError,
    MissingExtraError,
)
"""Failures that another attempt cannot mend; tried again only where one of these types itself is named."""


class FailedOutcome:
    """Is how an attempt ended, in the shape in which handlers written for LangChain (tenacity) read it."""

    __slots__ = ("_failure",)

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    @property
    def failed(self) -> bool:
        """True: only failures are told."""
        return True

    def exception(self) -> BaseException:
        """Return what the attempt failed with."""
        return self._failure

    def result(self) -> Any:
        """Raise what the attempt failed with."""
        raise self._failure


class RetryState(msgspec.Struct, frozen=True):
    """Says that an attempt failed and another one follows: what `on_retry` of a callback handler is given."""

    attempt_number: int
    """Which attempt failed, counted from 1."""
    exception: BaseException
    """What it failed with."""
    upcoming_sleep: float
    """How many seconds are waited before the next attempt."""
    idle_for: float
    """How many seconds the call has waited between attempts, those included."""

    @property
    def outcome(self) -> FailedOutcome:
        """How the attempt ended: `.failed`, `.exception()`."""
        return FailedOutcome(self.exception)


class RunnableRetry(AttemptedRunnable[In, Out]):
    """Tries a runnable again when it fails, as one run whose attempts are its children, tagged `retry:attempt:2` on.

    It holds in every way to call. In a batch only the failed items are tried again, by one call where one call can
    answer many. A stream is tried again
    until its first chunk is out; the input of a transformed stream is kept until then, and a failure of that input
    itself is not tried again. The last failure is raised unchanged.

    Between attempts it waits 1 s, 2 s, 4 s, … up to 60 s, each with up to a second more by chance, or as long as the
    failure's `Retry-After` says when that is longer. Where the wait would outlast the call's deadline, which all
    attempts share, the failure is raised at once. Never tried again are a cancel, an interrupt, the call's own timeout,
    and mistakes of the caller that no attempt can mend, unless their own type is named.
    """

    __slots__ = ("bound", "retry_if_exception_type", "stop_after_attempt", "wait_exponential_jitter")

    def __init__(
        self,
        bound: Runnable[In, Out],
        *,
        retry_if_exception_type: tuple[type[BaseException], ...] = (Exception,),
        wait_exponential_jitter: bool = True,
        stop_after_attempt: int = 3,
    ) -> None:
        """Wrap a runnable; see `Runnable.with_retry`.

        Raises:
            InputError: `stop_after_attempt` is no int of at least 1, or the types are no exception types.
        """
        limit: Any = stop_after_attempt
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InputError(f"stop_after_attempt must be an int of at least 1, not {limit!r}")
        self.bound: Runnable[In, Out] = bound
        """What is tried."""
        self.retry_if_exception_type = exception_types("retry_if_exception_type", retry_if_exception_type)
        """Which failures are tried again."""
        self.wait_exponential_jitter = wait_exponential_jitter
        """Whether to wait before another attempt without being asked to."""
        self.stop_after_attempt = stop_after_attempt
        """How many attempts there are at the most."""

    @override
    def __repr__(self) -> str:
        return f"RunnableRetry(bound={self.bound!r}, stop_after_attempt={self.stop_after_attempt})"

    @override
    def get_name(self) -> str:
        """Return the wrapped runnable's name, as LangChain does; the attempts are told apart by their tags."""
        return self.bound.get_name()

    @property
    @override
    def scopes_its_code(self) -> bool:
        return self.bound.scopes_its_code

    @property
    @override
    def batches_at_once(self) -> bool:
        return self.bound.batches_at_once

    @override
    def __modelport_parts__(self) -> Parts:
        from modelport.runnables.parts import Parts

        return Parts.of("sequence", self.bound)

    @property
    @override
    def first(self) -> Runnable[In, Out]:
        return self.bound

    @override
    def attempts(self, scope: Scope | None) -> Attempts:
        return _Retries(self, scope)

    def tries_again_after(self, failure: BaseException) -> bool:
        """Tell whether a failure is of the kind that another attempt may mend."""
        types = self.retry_if_exception_type
        if not isinstance(failure, HOPELESS):
            return isinstance(failure, types)
        return any(isinstance(failure, named) and issubclass(named, HOPELESS) for named in types)


class _Retries(Attempts):
    """Is the attempts of one call: always the same runnable, after longer and longer waits."""

    __slots__ = ("_failure", "_idle_seconds", "_policy")

    def __init__(self, policy: RunnableRetry[Any, Any], scope: Scope | None) -> None:
        super().__init__(scope)
        self._policy = policy
        self._idle_seconds = 0.0
        self._failure: BaseException | None = None

    @property
    @override
    def target(self) -> Runnable[Any, Any]:
        return self._policy.bound

    @property
    @override
    def tag(self) -> str | None:
        return f"retry:attempt:{self.number}" if self.number > 1 else None

    @override
    def ends_with(self, failure: BaseException) -> bool:
        policy = self._policy
        if self.number >= policy.stop_after_attempt or self.is_from_outside(failure):
            return True
        if not policy.tries_again_after(failure):
            return True
        wait = backoff.wait_after(self.number, failure, exponential_jitter=policy.wait_exponential_jitter)
        if not self.can_wait(wait):
            return True
        self.number += 1
        self._failure = failure if self.run is not None else None
        return False

    def _state(self) -> RetryState | None:
        """Return what is told of the last failure, once."""
        failure, self._failure = self._failure, None
        self._idle_seconds += self.wait_seconds
        if failure is None:
            return None
        return RetryState(self.number - 1, failure, self.wait_seconds, self._idle_seconds)

    @override
    def tell(self) -> None:
        if self.run is not None and (state := self._state()) is not None:
            self.run.retry(state)

    @override
    async def atell(self) -> None:
        if self.run is not None and (state := self._state()) is not None:
            await self.run.aretry(state)
