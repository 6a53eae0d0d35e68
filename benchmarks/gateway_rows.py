"""The rows of the gateway benchmark: load, metrics, and what modelport aims at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from statistics import median

from gateway_load import NotComparableError, Pace, Sample, check, closed_loop, timed_streams
from gateway_process import Server
from gateway_sides import LITELLM, LITSERVE, Column
from gateway_table import Line, Target
from gateway_tokens import ECHO
from table import FLOOR

BUSY_CONCURRENCY = 64
"""Where the ratios to the peers are aimed at: one request at a time measures the network as much as the server."""
MIDDLE_STREAMS = 200
"""Where the added latency is aimed at."""

NOISE_PERCENT = 5.0
"""How much of a core others may use before it is said."""


@dataclass(frozen=True)
class Metric:
    """One value of a row's samples, which is one line of the table."""

    key: str
    """Its name in a sample."""
    name: str
    unit: str
    targets: Sequence[Target] = ()


@dataclass(frozen=True)
class Row:
    """One kind of load."""

    name: str
    metrics: Sequence[Metric]
    concurrency: int
    is_stream: bool = False
    timed_model: str | None = None
    """The timed model that is asked; None: the column's."""

    def asks(self, column: Column) -> bool:
        """Whether a column takes part: timed models have no sync twin."""
        return self.timed_model is None or column.model == ECHO


def _json_row(concurrency: int) -> Row:
    rate = [Target(0.7, FLOOR)]
    if concurrency == BUSY_CONCURRENCY:
        rate += [Target(120, LITELLM), Target(20, LITSERVE)]
    metrics = [Metric("rate", "", "req/s", rate), Metric("cpu", "  server CPU a request", "µs")]
    return Row(f"JSON c={concurrency}", metrics, concurrency)


def _sse_row(concurrency: int) -> Row:
    busy = concurrency == BUSY_CONCURRENCY
    metrics = [
        Metric("tokens", "", "tokens/s", [Target(300_000), Target(130, LITELLM)] if busy else []),
        Metric("cpu", "  server CPU a token", "µs"),
        Metric("first_p50", "  first event p50", "ms"),
        Metric("first_p99", "  first event p99", "ms", [Target(25, at_most=True)] if busy else []),
    ]
    return Row(f"SSE 200 tokens c={concurrency}", metrics, concurrency, is_stream=True)


def _timed_row(model: str, what: str, streams: int) -> Row:
    near_floor = [Target(1.3, FLOOR, at_most=True)] if streams == MIDDLE_STREAMS else []
    metrics = [
        Metric("late_p50", ": added p50", "ms"),
        Metric("late_p99", ": added p99", "ms", near_floor),
        Metric("cpu", "  server CPU a token", "µs"),
        Metric("given", "  of the tokens that were due", "%"),
    ]
    return Row(f"{what} a token, {streams:,} streams", metrics, streams, is_stream=True, timed_model=model)


ROWS = [
    *(_json_row(concurrency) for concurrency in (1, 16, 64, 256)),
    *(_sse_row(concurrency) for concurrency in (1, 64)),
    _timed_row("paced-10ms", "10 ms", MIDDLE_STREAMS),
    _timed_row("paced-10ms", "10 ms", 400),
    _timed_row("paced-100ms", "100 ms", 1_000),
]
"""All of them, in the order of the table."""
SERVER_ROWS = [row for row in ROWS if row.concurrency in {1, 16, 64, 400}]
"""Those that tell servers apart."""


async def measured(
    row: Row, columns: Sequence[Column], servers: dict[str, Server], pace: Pace
) -> tuple[list[Line], list[str]]:
    """Sample a row on every side in turns; return its lines, and what is to be said about it.

    Another side begins in every round, so that what else the machine does falls on all alike.
    """
    events: dict[str, int] = {}
    notes: list[str] = []
    for column in columns:
        if not row.asks(column):
            continue
        with servers[column.side].turn():
            try:
                events[column.name] = check(servers[column.side], row.timed_model or column.model, stream=row.is_stream)
            except (NotComparableError, OSError) as error:
                notes.append(f"{row.name}: {column.name} is left out: {error}")
    samples: dict[str, list[Sample]] = {name: [] for name in events}
    for turn in range(pace.rounds):
        sources = [column for column in columns if column.name in samples]
        first = turn % max(len(sources), 1)
        for column in (*sources[first:], *sources[:first]):
            server = servers[column.side]
            with server.turn():
                try:
                    samples[column.name].append(await _sample(row, column, server, pace, events[column.name]))
                except (NotComparableError, OSError) as error:
                    notes.append(f"{row.name}: {column.name} is left out: {error}")
                    del samples[column.name]
    samples = {name: _quieter_half(taken) for name, taken in samples.items()}
    notes += [
        f"{row.name}: the client was what limited {name}"
        for name, taken in samples.items()
        if median(one["client_bound"] for one in taken)
    ]
    others = [one["others"] for taken in samples.values() for one in taken]
    if others and median(others) > NOISE_PERCENT:
        notes.append(f"{row.name}: other processes took {median(others):.0f} % of a core")
    return [_line(row, metric, samples) for metric in row.metrics], notes


def _quieter_half(samples: Sequence[Sample]) -> list[Sample]:
    """Those samples during which other processes were least busy: chosen by the noise, not by the result."""
    return sorted(samples, key=lambda one: one["others"])[: (len(samples) + 1) // 2]


async def _sample(row: Row, column: Column, server: Server, pace: Pace, events: int) -> Sample:
    if row.timed_model is not None:
        return await timed_streams(server, row.timed_model, row.concurrency, pace)
    return await closed_loop(server, column.model, row.concurrency, pace, events)


def _line(row: Row, metric: Metric, samples: dict[str, list[Sample]]) -> Line:
    known = {name: [one[metric.key] for one in taken if not isnan(one[metric.key])] for name, taken in samples.items()}
    values = {name: median(each) for name, each in known.items() if each}
    name = metric.name if metric.name.startswith("  ") else f"{row.name}{metric.name}"
    return Line(name, metric.unit, values, metric.targets, row.name)
