"""One sample of load on one server: closed loops of requests, or many timed streams at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from statistics import quantiles
from typing import Any

from gateway_client import (
    JSONConnection,
    PacedConnection,
    SSEConnection,
    Tally,
    connected,
    disconnect,
    request_bytes,
)
from gateway_process import Server
from gateway_tokens import DELAYS_SECONDS, KEY, PROMPT

TOKENS = len(PROMPT)
BUSY, FREE = 0.97, 0.9
"""A client that uses more of its core than the one while the server uses less than the other measures itself."""
LOOK_SECONDS = 0.05
"""How often it is looked whether enough has come."""
_PATH = "/v1/chat/completions"

Sample = Mapping[str, float]
"""Values by their metric's name."""


@dataclass(frozen=True)
class Pace:
    """How long to measure."""

    rounds: int
    """Samples of every side; the median counts."""
    warm_seconds: float
    """Load before the sample."""
    sample_seconds: float
    """The sample of a closed loop."""
    longest_seconds: float
    """A sample goes on until each connection has seen a first byte, but not longer than this."""
    ramp_seconds: float
    """Timed streams are opened evenly over this time."""
    window_seconds: float
    """How long they are watched when all are open."""


class NotComparableError(Exception):
    """Says that a side does not answer what the row asks."""


def check(server: Server, model: str, *, stream: bool) -> int:
    """Ask once, unmeasured; return how many events the right answer has.

    Raises:
        NotComparableError: The answer is another one.
    """
    text = "3" if model in DELAYS_SECONDS else PROMPT
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    asked = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}", "x-api-key": KEY}
    connection.request("POST", _PATH, json.dumps(asked), headers)
    response = connection.getresponse()
    raw = response.read().decode()
    connection.close()
    try:
        tokens = _deltas(raw) if stream else [json.loads(raw)["choices"][0]["message"]["content"]]
        right = len(tokens) == 3 if model in DELAYS_SECONDS else "".join(tokens) == text
        right = right and (not stream or model in DELAYS_SECONDS or len(tokens) == TOKENS)
    except (ValueError, LookupError, TypeError):
        right = False
    if response.status != 200 or not right:
        raise NotComparableError(f"{server.side.name} answered {model!r} with {response.status}: {raw[:300]}")
    return raw.count("data: ")


def _deltas(raw: str) -> list[str]:
    """The texts of a stream that are not empty."""
    events = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: {")]
    texts: list[Any] = [choice["delta"].get("content") for event in events for choice in event["choices"]]
    return [text for text in texts if text]


@dataclass(frozen=True)
class _Usage:
    """What clock and processors showed at one moment."""

    clock: float
    server: float
    client: float
    cores: tuple[float, float]
    """What the server's core and the client's did, for whomever."""

    @classmethod
    def now(cls, server: Server) -> _Usage:
        return cls(time.perf_counter(), server.cpu_seconds(), time.process_time(), server.cores_seconds())


async def closed_loop(server: Server, model: str, concurrency: int, pace: Pace, events: int = 0) -> Sample:
    """Keep so many requests going; with `events`, streams that have so many each.

    Raises:
        NotComparableError: An answer was wrong, or a connection ended.
    """
    tally = Tally()
    request = request_bytes(model, PROMPT, stream=bool(events))
    make: Callable[[], Any] = (
        (lambda: SSEConnection(request, tally, events)) if events else lambda: JSONConnection(request, tally)
    )
    transports = await connected(server.port, make, concurrency)
    await asyncio.sleep(pace.warm_seconds)
    before, answers, seen = _Usage.now(server), tally.answers, tally.events
    tally.first_seconds.clear()
    await asyncio.sleep(pace.sample_seconds)
    while events and len(tally.first_seconds) < concurrency and not tally.failures:
        if time.perf_counter() - before.clock > pace.longest_seconds:
            break
        await asyncio.sleep(LOOK_SECONDS)
    after = _Usage.now(server)
    answers, seen = tally.answers - answers, tally.events - seen
    await disconnect(transports, tally)
    _refuse(server, tally)
    seconds = after.clock - before.clock
    shares = _shares(before, after)
    if not events:
        return {"rate": answers / seconds, "cpu": (after.server - before.server) / max(answers, 1) * 1e6, **shares}
    p50, p99 = _percentiles(tally.first_seconds)
    tokens = seen * TOKENS / events
    cpu = (after.server - before.server) / max(tokens, 1) * 1e6
    return {"tokens": tokens / seconds, "cpu": cpu, "first_p50": p50, "first_p99": p99, **shares}


async def requests(server: Server, model: str, concurrency: int, count: int, longest_seconds: float) -> int:
    """Make so many requests, or as many as fit into the time; return how many.

    Raises:
        NotComparableError: An answer was wrong, or a connection ended.
    """
    tally = Tally()
    request = request_bytes(model, PROMPT, stream=False)
    transports = await connected(server.port, lambda: JSONConnection(request, tally), concurrency)
    for _ in range(round(longest_seconds / LOOK_SECONDS)):
        if tally.answers >= count or tally.failures:
            break
        await asyncio.sleep(LOOK_SECONDS)
    await disconnect(transports, tally)
    _refuse(server, tally)
    return tally.answers


async def timed_streams(server: Server, model: str, streams: int, pace: Pace) -> Sample:
    """Hold so many timed streams; how late their tokens come, and the memory while they are open.

    Raises:
        NotComparableError: An answer was wrong, or a connection ended.
    """
    tally = Tally()
    delay = DELAYS_SECONDS[model]
    tokens = int((pace.ramp_seconds + pace.warm_seconds + pace.window_seconds + 1) / delay)
    request = request_bytes(model, str(tokens), stream=True)
    transports = await connected(server.port, lambda: PacedConnection(request, tally), streams, pace.ramp_seconds)
    await asyncio.sleep(pace.warm_seconds)
    tally.late_seconds.clear()
    before = _Usage.now(server)
    await asyncio.sleep(pace.window_seconds)
    after = _Usage.now(server)
    late, memory = list(tally.late_seconds), server.resident_mb()
    await disconnect(transports, tally)
    _refuse(server, tally)
    p50, p99 = _percentiles(late)
    given = len(late) / (streams * (after.clock - before.clock) / delay)
    cpu = (after.server - before.server) / max(len(late), 1) * 1e6
    return {
        "late_p50": p50,
        "late_p99": p99,
        "cpu": cpu,
        "given": 100 * given,
        "memory": memory,
        **_shares(before, after),
    }


def _refuse(server: Server, tally: Tally) -> None:
    if tally.failures:
        raise NotComparableError(f"{server.side.name} failed {len(tally.failures)} times, first: {tally.failures[0]}")


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th, in milliseconds; not a number where there are no values."""
    if len(seconds) < 2:
        value = seconds[0] * 1e3 if seconds else float("nan")
        return value, value
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1e3, cuts[98] * 1e3


def _shares(before: _Usage, after: _Usage) -> Sample:
    """Whether the client was what was measured, and how much of the busier core others used, in per cent."""
    seconds = after.clock - before.clock
    own = (after.server - before.server) / seconds, (after.client - before.client) / seconds
    others = max((now - then) / seconds - used for now, then, used in zip(after.cores, before.cores, own, strict=True))
    return {"client_bound": float(own[1] > BUSY and own[0] < FREE), "others": 100 * max(0.0, others)}
