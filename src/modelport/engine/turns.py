"""Giving the event loop a turn: a hook that is always ready must not keep everybody else waiting (guarantee 14).

Every 16 chunks a stream looks whether anything waits for the loop; if so, the loop gets a turn. When nothing does, a
turn would only ask the operating system for news: that is done when it was last done `POLL_SECONDS` ago, so a socket
or a timer waits no longer than that. A turn costs as much as four chunks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

TURN_EVERY = 16
"""After how many chunks a ready async stream looks whether the loop needs a turn."""


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
POLL_SECONDS = 0.0001
"""How long a ready stream leaves the loop without a look at sockets and timers."""


class Turns:
    """Says for one ready stream, asked every `TURN_EVERY` chunks, whether the running loop needs a turn now."""

    __slots__ = ("_others", "_poll_at")

    def __init__(self) -> None:
        # asyncio's own loops show their queue of ready callbacks; of other loops it is not known who waits.
        ready = getattr(asyncio.get_running_loop(), "_ready", None)
        self._others: Collection[object] = cast("deque[object]", ready) if isinstance(ready, deque) else (None,)
        self._poll_at = monotonic() + POLL_SECONDS

    def due(self) -> bool:
        """Tell whether somebody waits for the loop, or its sockets and timers have not been looked at for a while."""
        if not self._others and monotonic() < self._poll_at:
            return False
        self._poll_at = monotonic() + POLL_SECONDS
        return True
