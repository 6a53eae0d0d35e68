"""What may stand in a pipe: runnables, functions, and whatever else has `invoke`."""

from __future__ import annotations

from typing import Any

from modelport.runnables.base import Runnable
from modelport.values.errors import InputError


def as_runnable(value: Any) -> Runnable[Any, Any]:
    """Return a runnable of a runnable or a function.

    Raises:
        InputError: The value can be no step.
    """
    if isinstance(value, Runnable):
        return value  # pyright: ignore[reportUnknownVariableType]
    if callable(value):
        from modelport.runnables.function import RunnableLambda

        return RunnableLambda(value)
    raise InputError(f"{value!r} ({type(value).__name__}) can be no step of a sequence; give a runnable or a function")
