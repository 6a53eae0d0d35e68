"""Giving the event loop a turn: a hook that is always ready must not keep everybody else waiting (guarantee 14)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

TURN_EVERY = 16
"""After how many chunks a ready async stream gives the loop a turn."""


class _Turn:
    """Is an awaitable that lets the loop run once, as `asyncio.sleep(0)` does without its two Python frames."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, None, None]: ...

    else:
        # A bare `yield None` is what a task takes as "call me again soon"; the tuple's iterator yields it, in C.
        __await__ = (None,).__iter__


TURN = _Turn()
"""`await TURN` gives the loop one turn."""
