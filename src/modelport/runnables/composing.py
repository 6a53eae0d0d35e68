"""What every runnable can be made into: piped, bound, retried, given a fallback, a timeout, or types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, overload

if TYPE_CHECKING:
    from modelport.runnables.base import Runnable
    from modelport.runnables.binding import RunnableBinding
    from modelport.runnables.fallbacks import RunnableWithFallbacks
    from modelport.runnables.retry import RunnableRetry
    from modelport.runnables.sequence import RunnableSequence
    from modelport.runnables.timeout import RunnableWithTimeout
    from modelport.runnables.typed import RunnableWithTypes
    from modelport.runs.config import RunnableConfig

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
Other = TypeVar("Other")


class ForeignStep(Protocol):
    """Is a runnable of another framework, as LangChain's are: it becomes a step of ours."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """Turn one input into one output."""
        ...


class Composing(Generic[In, Out]):
    """Is the part of `Runnable` that makes other runnables of it; each is imported when it is first made."""

    __slots__ = ()

    @property
    def _self(self) -> Runnable[In, Out]:
        return cast("Runnable[In, Out]", self)

    def bind(self, **kwargs: Any) -> RunnableBinding[In, Out]:
        """Return this runnable with keywords that every call gets."""
        from modelport.runnables.binding import RunnableBinding

        return RunnableBinding(self._self, kwargs=kwargs)

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> RunnableBinding[In, Out]:
        """Return this runnable with a config that every call's own config is merged over."""
        from modelport.runnables.binding import RunnableBinding
        from modelport.runs.config import merge_configs

        return RunnableBinding(self._self, config=merge_configs(config, kwargs))

    def with_retry(
        self,
        *,
        retry_if_exception_type: tuple[type[BaseException], ...] = (Exception,),
        wait_exponential_jitter: bool = True,
        stop_after_attempt: int = 3,
    ) -> RunnableRetry[In, Out]:
        """Return this runnable tried again when it fails: in every way to call, a stream until its first chunk.

        Args:
            retry_if_exception_type: Which failures are tried again; any other is raised at once.
            wait_exponential_jitter: Whether to wait longer before each new attempt, by a random amount; a failure's
                `Retry-After` is waited for in any case.
            stop_after_attempt: How many attempts there are at the most, the first one included.

        Raises:
            InputError: `stop_after_attempt` is no int of at least 1, or the types are no exception types.
        """
        from modelport.runnables.retry import RunnableRetry

        return RunnableRetry(
            self._self,
            retry_if_exception_type=retry_if_exception_type,
            wait_exponential_jitter=wait_exponential_jitter,
            stop_after_attempt=stop_after_attempt,
        )

    def with_fallbacks(
        self,
        fallbacks: Sequence[Runnable[Any, Any] | Callable[..., Any] | ForeignStep],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> RunnableWithFallbacks[In, Out]:
        """Return this runnable with others that are tried in order when it fails, a stream until its first chunk.

        Args:
            fallbacks: At least one runnable or function, in the order in which they are tried.
            exceptions_to_handle: Which failures make the next one be tried; any other is raised at once.
            exception_key: When given, a dict input gets the last failure under this key.

        Raises:
            InputError: There is no fallback, or one is no runnable.
        """
        from modelport.runnables.fallbacks import RunnableWithFallbacks

        return RunnableWithFallbacks(
            self._self, fallbacks, exceptions_to_handle=exceptions_to_handle, exception_key=exception_key
        )

    def with_timeout(
        self, timeout: float | None = None, *, first_token_timeout: float | None = None
    ) -> RunnableWithTimeout[In, Out]:
        """Return this runnable with a deadline of its own; a caller's earlier deadline holds too.

        Args:
            timeout: Seconds from each call to its last chunk.
            first_token_timeout: Seconds from each call to its first chunk.

        Raises:
            InputError: A number of seconds is negative or no number, or there is none at all.
        """
        from modelport.runnables.timeout import RunnableWithTimeout

        return RunnableWithTimeout(self._self, timeout, first_token_timeout=first_token_timeout)

    def with_types(self, *, input_type: Any = None, output_type: Any = None) -> RunnableWithTypes[Any, Any]:
        """Return this runnable with types of its input and output, for schemas and graphs; calls stay as they are."""
        from modelport.runnables.typed import RunnableWithTypes

        return RunnableWithTypes(self._self, input_type=input_type, output_type=output_type)

    def assign(self, **steps: Any) -> RunnableSequence[In, dict[str, Any]]:
        """Return a sequence that adds keys to this runnable's dict output; each value is a runnable or a function."""
        from modelport.runnables.passthrough import RunnablePassthrough
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(self, RunnablePassthrough.assign(**steps))

    def pick(self, keys: str | Sequence[str]) -> RunnableSequence[In, Any]:
        """Return a sequence that keeps of this runnable's dict output one key's value, or a dict of several keys."""
        from modelport.runnables.passthrough import RunnablePassthrough
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(self, RunnablePassthrough.pick(keys))

    def pipe(self, *others: Any) -> RunnableSequence[Any, Any]:
        """Return a sequence of this runnable and others."""
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(self, *others)

    @overload
    def __or__(self, other: Runnable[Any, Other]) -> RunnableSequence[In, Other]: ...
    @overload
    def __or__(self, other: Mapping[str, Any]) -> RunnableSequence[In, dict[str, Any]]: ...
    @overload
    def __or__(self, other: Callable[..., Any] | ForeignStep) -> RunnableSequence[In, Any]: ...
    def __or__(self, other: Any) -> RunnableSequence[In, Any]:
        """Return a sequence: this output is the other's input; a function or a dict becomes a runnable."""
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(self, other)

    def __ror__(self, other: Callable[..., Any] | Mapping[str, Any]) -> RunnableSequence[Any, Out]:
        """Return a sequence that starts with a function or a dict."""
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(other, self)
