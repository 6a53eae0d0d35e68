"""Running async code in a context of its own, in its caller's task: single awaits, and the steps of an iterator."""

from __future__ import annotations

import contextvars
from collections.abc import AsyncIterator, Generator
from typing import Any


class InContext:
    """Is an awaitable that runs each step of a coroutine in a context of its own.

    A generator's step otherwise runs in its consumer's context: what it sets would leak there, and what it resets in
    another task would raise.
    """

    __slots__ = ("_context", "_step")

    def __init__(self, step: Any, context: contextvars.Context) -> None:
        self._step = step
        self._context = context

    def __await__(self) -> Generator[Any, Any, Any]:
        step, run = self._step, self._context.run
        value: Any = None
        try:
            waiting_for = run(step.send, None)
        except StopIteration as stop:
            return stop.value
        while True:
            try:
                value = yield waiting_for
            except GeneratorExit:
                step.close()
                raise
            except BaseException as error:  # noqa: BLE001 - a cancel goes to the step, in its context
                try:
                    waiting_for = run(step.throw, error)
                except StopIteration as stop:
                    return stop.value
                continue
            try:
                waiting_for = run(step.send, value)
            except StopIteration as stop:
                return stop.value


class StepsInContext:
    """Gives an async iterator's next item each time it is awaited; every step runs in a context of its own.

    One object serves all steps of a stream, and is the iterator that `await` drives: a generator per step would cost
    more than the step.
    """

    __slots__ = ("_anext", "_run", "_step")

    def __init__(self, iterator: AsyncIterator[Any], context: contextvars.Context) -> None:
        self._anext = iterator.__anext__
        self._run = context.run
        self._step: Any = None

    def __aiter__(self) -> StepsInContext:
        return self

    def __anext__(self) -> StepsInContext:
        return self

    def __await__(self) -> StepsInContext:
        step: Any = self._anext()
        self._step = step if hasattr(step, "send") else step.__await__()
        return self

    def __iter__(self) -> StepsInContext:
        return self

    def __next__(self) -> Any:
        return self._run(self._step.send, None)

    def send(self, value: Any) -> Any:
        """Go on with a step that waited."""
        return self._run(self._step.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with a step that waited, raising in it (a cancel)."""
        return self._run(self._step.throw, *error)

    def close(self) -> None:
        """End a step that waited and is not gone on with."""
        self._step.close()
