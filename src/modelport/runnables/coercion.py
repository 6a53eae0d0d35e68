"""What may stand in a pipe: runnables, functions, and dicts of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from modelport.runnables.base import Runnable
from modelport.values.errors import InputError


def as_runnable(value: Any) -> Runnable[Any, Any]:
    """Return a runnable of a runnable, a function, or a dict of them (which runs them all on the same input).

    Raises:
        InputError: The value can be no step.
    """
    if isinstance(value, Runnable):
        return value  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Mapping):
        from modelport.runnables.parallel import RunnableParallel

        return RunnableParallel(cast("Mapping[str, Any]", value))
    if _is_runnable_class(value):
        raise InputError(f"{value.__name__} is a class and can be no step of a sequence; write {value.__name__}(…)")
    if callable(value):
        from modelport.runnables.function import RunnableLambda

        return RunnableLambda(value)
    raise InputError(
        f"{value!r:.200} ({type(value).__name__}) can be no step of a sequence; give a runnable or a function, "
        f"or a dict of them"
    )


def _is_runnable_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Runnable)
