"""`RunnableWithFallbacks`: a runnable, and others that are tried in order when it fails."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from modelport.runnables.attempted import AttemptedRunnable
from modelport.runnables.attempts import Attempts, exception_types
from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.coercion import as_runnable
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import Scope
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts

_NOTE = "modelport: its fallback "
"""How the notes begin that say how the fallbacks of a failed call failed."""
_NOTED_CHARACTERS = 200
"""How much of a fallback's failure a note tells."""


class RunnableWithFallbacks(AttemptedRunnable[In, Out]):
    """Calls a runnable and, when it fails, others in order, as one run whose attempts are its children.

    It holds in every way to call. In a batch only the failed items go to the next runnable, together where one of the
    runnables answers many in one call. A stream falls
    back until its first chunk is out, and the failed one is closed before the next begins; the input of a transformed
    stream is kept until then, and a failure of that input itself is nobody's to mend.

    When all fail, the first failure is raised; its notes (`__notes__`) say how the others failed. All share the call's
    deadline: after it nothing is begun, and the call's own timeout is raised at once, as a cancel or an interrupt is.
    """

    __slots__ = ("exception_key", "exceptions_to_handle", "fallbacks", "runnable")

    def __init__(
        self,
        runnable: Runnable[In, Out],
        fallbacks: Sequence[Any],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> None:
        """Wrap runnables; see `Runnable.with_fallbacks`.

        Raises:
            InputError: There is no fallback, one is no runnable, or the types are no exception types.
        """
        given: Any = fallbacks
        if isinstance(given, (str, bytes)) or not isinstance(given, Sequence) or not given:
            raise InputError(f"fallbacks must be a list of at least one runnable, not {given!r}")
        self.runnable: Runnable[In, Out] = runnable
        """What is tried first."""
        self.fallbacks: tuple[Runnable[Any, Any], ...] = tuple(as_runnable(one, "fallback") for one in fallbacks)
        """What is tried next, in order."""
        self.exceptions_to_handle = exception_types("exceptions_to_handle", exceptions_to_handle)
        """Which failures make the next one be tried."""
        self.exception_key = exception_key
        """Under which key of a dict input the next one gets the failure; None: it does not."""

    @override
    def __repr__(self) -> str:
        return f"RunnableWithFallbacks(runnable={self.runnable!r}, fallbacks={list(self.fallbacks)!r})"

    def __getattr__(self, name: str) -> Any:
        """Answer for the first runnable; what a method makes another runnable of, it makes of the fallbacks too.

        So `model.with_fallbacks([other]).bind_tools(tools)` binds the tools to both.
        """
        if name.startswith("__") or name in RunnableWithFallbacks.__slots__:
            raise AttributeError(name)
        attribute = getattr(self.runnable, name)
        return self._for_all(name, attribute) if inspect.ismethod(attribute) else attribute

    def _for_all(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            made = method(*args, **kwargs)
            if not isinstance(made, Runnable):
                return made
            others = [getattr(fallback, name)(*args, **kwargs) for fallback in self.fallbacks]
            return RunnableWithFallbacks(
                cast("Runnable[Any, Any]", made),
                others,
                exceptions_to_handle=self.exceptions_to_handle,
                exception_key=self.exception_key,
            )

        return call

    @override
    def get_name(self) -> str:
        return type(self).__name__

    @property
    def runnables(self) -> tuple[Runnable[Any, Any], ...]:
        """All that are tried, in order."""
        return (self.runnable, *self.fallbacks)

    @property
    @override
    def scopes_its_code(self) -> bool:
        return all(one.scopes_its_code for one in self.runnables)

    @property
    @override
    def batches_at_once(self) -> bool:
        return any(one.batches_at_once for one in self.runnables)

    @override
    def __modelport_parts__(self) -> Parts:
        from modelport.runnables.parts import Parts

        others = [(f"fallback:{number}", one) for number, one in enumerate(self.fallbacks, 1)]
        return Parts.of("branch", ("first", self.runnable), *others)

    @property
    @override
    def InputType(self) -> Any:
        return self.runnable.InputType

    @property
    @override
    def OutputType(self) -> Any:
        return self.runnable.OutputType

    @property
    @override
    def first(self) -> Runnable[In, Out]:
        return self.runnable

    @override
    def attempts(self, scope: Scope | None) -> Attempts:
        return _Choices(self, scope)

    @override
    def check_input(self, value: Any) -> None:
        if self.exception_key is not None and not isinstance(value, Mapping):
            raise InputError(
                f"with exception_key={self.exception_key!r} the input must be a dict, for the failure is put into it; "
                f"got {value!r:.200}"
            )

    @override
    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Out, None, None]:
        self.check_input(input)
        return super().stream(input, config, **kwargs)

    @override
    def astream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncGenerator[Out, None]:
        self.check_input(input)
        return super().astream(input, config, **kwargs)

    # With an exception_key each attempt's input is another one, so it has to be whole before the first.
    @override
    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Out, None, None]:
        way = Runnable[In, Out].transform if self.exception_key is not None else AttemptedRunnable[In, Out].transform
        return cast("Generator[Out, None, None]", way(self, input, config, **kwargs))

    @override
    def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        way = Runnable[In, Out].atransform if self.exception_key is not None else AttemptedRunnable[In, Out].atransform
        return cast("AsyncGenerator[Out, None]", way(self, input, config, **kwargs))


class _Choices(Attempts):
    """Is the attempts of one call: each time the next runnable, without waiting."""

    __slots__ = ("_choice", "_failures", "_last", "_whole")

    def __init__(self, whole: RunnableWithFallbacks[Any, Any], scope: Scope | None) -> None:
        super().__init__(scope)
        self._whole = whole
        self._failures: list[BaseException] = []

    @property
    @override
    def target(self) -> Runnable[Any, Any]:
        return self._whole.runnables[self.number - 1]

    @override
    def input_of(self, value: Any) -> Any:
        key = self._whole.exception_key
        return value if key is None or not self._failures else {**value, key: self._failures[-1]}

    @override
    def ends_with(self, failure: BaseException) -> bool:
        whole = self._whole
        if self.is_from_outside(failure) or not isinstance(failure, whole.exceptions_to_handle):
            return True
        self._failures.append(failure)
        if self.number <= len(whole.fallbacks) and self.can_wait(0):
            self.number += 1
            return False
        self.over = self._failures[0] is not failure
        return not self.over

    @override
    def take_failure(self) -> BaseException:
        first, *others = self._failures
        self._failures = []
        # One exception object may be raised by many calls, and by many items of one.
        notes = [note for note in getattr(first, "__notes__", ()) if not str(note).startswith(_NOTE)]
        for fallback, failure in zip(self._whole.fallbacks, others, strict=False):
            told = f"{type(failure).__name__}: {failure}"[:_NOTED_CHARACTERS]
            notes.append(f"{_NOTE}{fallback.get_name()} failed too, with {told}")
        first.__notes__ = notes
        return first
