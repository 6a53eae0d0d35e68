"""One object per event loop, for clients that are bound to the loop they were made on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class LoopLocal(Generic[T]):
    """Gives each event loop its own object, made at the first call on that loop and dropped with it."""

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def __call__(self) -> T:
        """Return the running loop's object.

        Raises:
            RuntimeError: No event loop is running.
        """
        loop = asyncio.get_running_loop()
        made = self._made.get(loop)
        if made is None:
            made = self._made[loop] = self._factory()
        return made

    def __reduce__(self) -> tuple[type[LoopLocal[T]], tuple[Callable[[], T]]]:
        """Pickle and copy the factory only: the objects belong to their loops."""
        return type(self), (self._factory,)


def loop_local(factory: Callable[[], T]) -> LoopLocal[T]:
    """Return a callable that gives each event loop its own object (an HTTP client, a connection pool).

    A model that keeps `client = loop_local(httpx.AsyncClient)` and calls `self.client()` in its async hooks works on
    every loop it is called on, two `asyncio.run` in a row among them; `single_loop = True` is the other way.
    """
    return LoopLocal(factory)
