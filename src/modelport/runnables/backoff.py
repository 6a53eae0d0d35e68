"""How long to wait before the next attempt: longer each time, by a random amount, and as a failure's server asks.

The clocks, the waits and the dice are functions of this module, so that a test can put others in their place.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

FIRST_WAIT_SECONDS = 1.0
"""The wait after the first failure, without its random part; each further one is twice as long."""
LONGEST_WAIT_SECONDS = 60.0
"""What the exponential wait grows to at the most."""
JITTER_SECONDS = 1.0
"""How much is added at random, so that clients which failed together do not come back together."""
LONGEST_RETRY_AFTER_SECONDS = 120.0
"""The longest `Retry-After` that is waited for; a longer one counts as not given (as OpenAI's clients do)."""
_DOUBLINGS = 10
"""After so many the exponential wait is past its maximum; more would only overflow."""

monotonic = time.monotonic
"""The clock of deadlines."""
wall_clock = time.time
"""The clock of `Retry-After` dates, in seconds since the epoch."""
sleep = time.sleep
"""Waits in the calling thread."""
asleep = asyncio.sleep
"""Waits on the running loop; cancelling ends the wait."""


def jitter() -> float:
    """Return a random number of seconds, up to `JITTER_SECONDS`."""
    return random.uniform(0, JITTER_SECONDS)  # noqa: S311 - nothing secret depends on it


def wait_after(attempts: int, failure: BaseException, *, exponential_jitter: bool) -> float:
    """Return how many seconds to wait before the next attempt.

    Args:
        attempts: How many attempts there were.
        failure: What the last one failed with; its `Retry-After` is waited for when it is the longer wait.
        exponential_jitter: Whether to wait without being asked to.
    """
    asked = retry_after_seconds(failure) or 0.0
    if not exponential_jitter:
        return asked
    return max(asked, min(FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, _DOUBLINGS) + jitter(), LONGEST_WAIT_SECONDS))


def retry_after_seconds(failure: BaseException) -> float | None:
    """Return how long a failure asks to be left alone; None when it does not say, or says something senseless.

    Read are its attribute `retry_after` and the header `Retry-After` of `failure.response.headers` (httpx, requests,
    OpenAI's client) or `failure.headers` (urllib, aiohttp): seconds, or an HTTP date. What is malformed, negative, not
    finite or over `LONGEST_RETRY_AFTER_SECONDS` counts as not given.
    """
    for value in _asked(failure):
        seconds = _seconds_of(value)
        if seconds is not None and 0 <= seconds <= LONGEST_RETRY_AFTER_SECONDS:
            return float(seconds)
    return None


def _asked(failure: BaseException) -> Iterator[Any]:
    """Yield what may be the wait that a failure asks for; the attributes are foreign and may do anything."""
    try:
        yield getattr(failure, "retry_after", None)
        for holder in (getattr(failure, "response", None), failure):
            headers: Any = getattr(holder, "headers", None)
            if headers is not None:
                # Clients' header maps ignore case, plain dicts do not.
                yield headers.get("retry-after")
                yield headers.get("Retry-After")
    except Exception:  # noqa: BLE001 - whoever asks for a wait in vain is not waited for
        return


def _seconds_of(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(value).timestamp() - wall_clock()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
