"""What every side of the gateway benchmark is asked and answers: the same prompt, tokens and pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

KEY = "sk-bench-0f2d9c1b7a"
"""The only key that may call."""
PROMPT = ("the-quick-brown-fox-jumps-over-the-lazy-dog-" * 5)[:200]
"""The 200 bytes of every request's message, and of its answer; in a stream each character is a token."""
ECHO, SYNC = "echo", "echo-sync"
"""Models that answer with the prompt, without any delay: over an async hook, and over a sync one."""
DELAYS_SECONDS = {"paced-10ms": 0.01, "paced-100ms": 0.1}
"""Models that are asked for a number of tokens and give one at a time, by the seconds between two of them."""
MODELS = (ECHO, SYNC, *DELAYS_SECONDS)


async def paced(tokens: int, delay_seconds: float) -> AsyncIterator[str]:
    """Give tokens on a fixed schedule; each says when it was due, on the clock that all processes share.

    What arrives later than its token says is the side's doing: its loop woke late, or it took long to send.
    """
    due = time.monotonic()
    for _ in range(tokens):
        due += delay_seconds
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        yield f"{due:.6f}"
