"""The face by which the checks call a model: the model itself, or a runnable that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelport.runnables.base import Runnable

Through = Callable[[Any, dict[str, Any]], Runnable[Any, Any]]
"""Returns, of a model and a call's keywords, the runnable that is called in the model's place.

It hands its input to the model and the model's answer to its caller, both unchanged:
`lambda model, kwargs: RunnablePassthrough() | model.bind(**kwargs)`. Then each guarantee that can be seen from there
holds for it as for the model.
"""


class Face:
    """Is called like a model, by whatever runnable `through` makes of it."""

    def __init__(self, model: Any, through: Through) -> None:
        self._model = model
        self._through = through

    def runnable(self, **kwargs: Any) -> Runnable[Any, Any]:
        """Return the runnable that a call with these keywords goes to.

        Raises:
            TypeError: `through` gives something else.
        """
        made: Any = self._through(self._model, kwargs)
        if not isinstance(made, Runnable):
            raise TypeError(
                f"`through` gave {made!r:.200} ({type(made).__name__}), which is no runnable; write, for example, "
                f"`through=lambda model, kwargs: RunnablePassthrough() | model.bind(**kwargs)`"
            )
        return made  # pyright: ignore[reportUnknownVariableType]

    def invoke(self, value: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return the answer to one input."""
        return self.runnable(**kwargs).invoke(value, config)

    async def ainvoke(self, value: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return the answer to one input, on the running loop."""
        return await self.runnable(**kwargs).ainvoke(value, config)

    # The runnable's own iterators: a generator around them would close for them, and hide when they do not.
    def stream(self, value: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return the runnable's stream."""
        return self.runnable(**kwargs).stream(value, config)

    def astream(self, value: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return the runnable's async stream."""
        return self.runnable(**kwargs).astream(value, config)

    def batch(
        self, values: Sequence[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Any]:
        """Return the answers to many inputs."""
        return self.runnable(**kwargs).batch(values, config, return_exceptions=return_exceptions)

    async def abatch(
        self, values: Sequence[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Any]:
        """Return the answers to many inputs, on the running loop."""
        return await self.runnable(**kwargs).abatch(values, config, return_exceptions=return_exceptions)
