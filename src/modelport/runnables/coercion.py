"""What may stand in a pipe: runnables, functions, and dicts of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from modelport.runnables.base import Runnable
from modelport.values.errors import InputError
from modelport.values.foreign import adapter_for


def as_runnable(value: Any, place: str = "step of a sequence") -> Runnable[Any, Any]:
    """Return a runnable of a runnable, a function, or a dict of them (which runs them all on the same input).

    Args:
        value: What was given.
        place: What it is to be, for the error.

    Raises:
        InputError: The value can be no step.
    """
    if isinstance(value, Runnable):
        return value  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Mapping):
        from modelport.runnables.parallel import RunnableParallel

        return RunnableParallel(cast("Mapping[str, Any]", value))
    adapter = adapter_for(value) if not isinstance(value, type) else None
    step = adapter.step_of(value) if adapter is not None else None
    if step is not None:
        return step
    if _is_runnable_class(value):
        raise InputError(f"{value.__name__} is a class and can be no {place}; write {value.__name__}(…)")
    if callable(value):
        from modelport.runnables.function import RunnableLambda

        return RunnableLambda(value)
    raise InputError(
        f"{value!r:.200} ({type(value).__name__}) can be no {place}; give a runnable or a function, or a dict of them"
    )


def _is_runnable_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Runnable)
