"""How much one key may ask for: requests and tokens per minute, and requests at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from modelport.gateway.drain_rate import DrainRate
from modelport.values.errors import InputError
from modelport.values.status_errors import RateLimitError

Header = tuple[bytes, bytes]
"""One header's name and value, as ASGI takes them."""

UNKNOWN_WAIT_SECONDS = 1.0
"""What a client is told to wait for one of its own requests to end, before any has ended."""
_MINUTE = 60.0
_TOLERANCE_SECONDS = 1e-6
"""Sums of fractions of a minute are off by less; who waits exactly as long as told gets in."""


class KeyLimitError(RateLimitError):
    """429: the key has used up what it may; `retry_after` is when it may ask again."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: float, limit_headers: list[Header]) -> None:
        super().__init__(message, retry_after=retry_after)
        self.limit_headers = limit_headers
        """The `x-ratelimit-*` headers of the answer."""


class KeyLimits:
    """Counts what one key uses; a full minute's amount may be used at once, and it comes back evenly over a minute.

    Args:
        requests_per_minute: How many requests may begin; None: any number.
        tokens_per_minute: How many tokens of prompts and answers; None: any number. They are known when an answer
            is complete and taken then, also more than are left: the next request waits until they have come back.
        max_parallel_requests: How many requests may be open at once; None: any number.
        workers: How many processes share the load: each gives an equal share of every limit, rounded up.
        clock: Tells the time in seconds.

    Raises:
        InputError: A limit is less than 1.
    """

    __slots__ = ("_clock", "_drain", "_parallel", "_requests", "_share", "_tokens", "amounts", "running")

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_parallel_requests: int | None = None,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._share = f" (its share in one of {workers} worker processes)" if workers > 1 else ""
        requests = _share_of("requests_per_minute", requests_per_minute, workers)
        tokens = _share_of("tokens_per_minute", tokens_per_minute, workers)
        self._requests = None if requests is None else _Budget(requests, clock())
        self._tokens = None if tokens is None else _Budget(tokens, clock())
        self._parallel = _share_of("max_parallel_requests", max_parallel_requests, workers)
        self.amounts = requests, tokens, self._parallel
        """How many requests and tokens per minute, and how many requests at once; None: any number."""
        self._drain = None if self._parallel is None else DrainRate(clock)
        self.running = 0
        """How many of the key's requests are open."""

    def enter(self) -> None:
        """Let a request begin; it ends by `leave`.

        Raises:
            KeyLimitError: A limit is reached. Nothing is counted then, and `leave` must not be called.
        """
        now = self._clock()
        requests, tokens, parallel = self._requests, self._tokens, self._parallel
        if (
            (requests is not None and requests.seconds_until_one(now) > 0.0)
            or (tokens is not None and tokens.seconds_until_one(now) > 0.0)
            or (parallel is not None and self.running >= parallel)
        ):
            raise self._refusal(now)
        if requests is not None:
            requests.take(1, now)
        if not self.running and self._drain is not None:
            self._drain.begin()
        self.running += 1

    def leave(self, tokens: int = 0) -> None:
        """End a request that has entered, and take the tokens of its prompt and its answer."""
        self.running -= 1
        if self._drain is not None:
            self._drain.note()
        if tokens and self._tokens is not None:
            self._tokens.take(tokens, self._clock())

    def headers(self) -> list[Header]:
        """Return what is left as OpenAI's `x-ratelimit-*` headers, of the limits that are set.

        `limit` is what may be used in a minute, `remaining` what may be used now, `reset` when all of it is back.
        """
        return self._headers(self._clock())

    def _headers(self, now: float) -> list[Header]:
        headers: list[Header] = []
        if self._requests is not None:
            headers += self._requests.headers(b"requests", now)
        if self._tokens is not None:
            headers += self._tokens.headers(b"tokens", now)
        return headers

    def _refusal(self, now: float) -> KeyLimitError:
        """Return the error that names the limit which is reached for the longest time."""
        reached: list[tuple[float, str]] = []
        if self._requests is not None:
            reached.append((self._requests.seconds_until_one(now), f"{self._requests.limit} requests per minute"))
        if self._tokens is not None:
            reached.append((self._tokens.seconds_until_one(now), f"{self._tokens.limit} tokens per minute"))
        if self._drain is not None and self._parallel is not None and self.running >= self._parallel:
            measured = self._drain.seconds_for(1)
            wait = UNKNOWN_WAIT_SECONDS if measured is None else max(measured, 0.001)
            reached.append((wait, f"{self._parallel} parallel requests"))
        wait, limit = max(reached)
        return KeyLimitError(
            f"the API key is at its limit of {limit}{self._share}; try again in {_duration(wait)}",
            retry_after=wait,
            limit_headers=self._headers(now),
        )


class _Budget:
    """Is an amount that comes back evenly, a full one within a minute; it may be overdrawn.

    All that is kept is when the whole of it will be back (the generic cell rate algorithm of ATM, ITU-T I.371): with
    time nothing has to be added, and what is left at any moment follows.
    """

    __slots__ = ("_full_at", "_limit_header", "_seconds_each", "limit")

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._seconds_each = _MINUTE / limit
        self._full_at = now
        self._limit_header = str(limit).encode()

    def seconds_until_one(self, now: float) -> float:
        """Return how long it takes until one may be taken; 0 when it may be now."""
        wait = self._full_at - now + self._seconds_each - _MINUTE
        return wait if wait > _TOLERANCE_SECONDS else 0.0

    def take(self, amount: int, now: float) -> None:
        self._full_at = max(self._full_at, now) + amount * self._seconds_each

    def headers(self, what: bytes, now: float) -> list[Header]:
        reset = max(0.0, self._full_at - now)
        remaining = max(0, math.floor((_MINUTE - reset + _TOLERANCE_SECONDS) / self._seconds_each))
        return [
            (b"x-ratelimit-limit-" + what, self._limit_header),
            (b"x-ratelimit-remaining-" + what, str(min(remaining, self.limit)).encode()),
            (b"x-ratelimit-reset-" + what, _duration(reset).encode()),
        ]


def _share_of(name: str, limit: int | None, workers: int) -> int | None:
    if limit is None:
        return None
    if limit < 1:
        raise InputError(f"{name} is {limit!r}; give 1 or more, or leave it out for no limit")
    return math.ceil(limit / workers)


def _duration(seconds: float) -> str:
    """Return a duration as OpenAI's headers have it (`120ms`, `1s`, `8.64s`, `6m0s`), rounded up to milliseconds."""
    milliseconds = math.ceil(seconds * 1000 - _TOLERANCE_SECONDS)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds > 0 else "0s"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    text = f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if not minutes:
        return text
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
