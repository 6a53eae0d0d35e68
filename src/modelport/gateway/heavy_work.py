"""Work that holds the processor for long: it is done in a thread, and the loop answers others meanwhile.

Each step of such work should be short: whatever runs in C keeps all threads waiting until it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from modelport.engine.workers import call_in_worker

T = TypeVar("T")

LIGHT_BYTES = 256 * 1024
"""How much may be read or written on the loop itself: that takes about a millisecond."""


async def worked(work: Callable[[], T], size_bytes: int) -> T:
    """Return what `work` returns; it is done in a thread when it reads or writes much.

    Args:
        work: Needs no loop.
        size_bytes: How much it reads or writes, about.
    """
    return work() if size_bytes <= LIGHT_BYTES else await call_in_worker(work)
