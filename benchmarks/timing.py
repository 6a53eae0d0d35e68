"""The clock: samples of one kind of work, taken in turns from every side."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    import asyncio

Kind = Literal["call", "acall", "stream", "astream"]
"""What a source gives: a value, an awaitable, an iterable or an async iterable."""

Source = Callable[[], Any]
"""Starts the work of one repeat; what it returns is consumed by the same loop for every side."""


@dataclass(frozen=True)
class Pace:
    """How long to measure."""

    rounds: int
    """Samples of every side; the median counts."""
    sample_seconds: float
    """A sample repeats its work until it has lasted about this long."""


def _sample_call(source: Callable[[], object], repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        source()
    return perf_counter() - start


async def _sample_acall(source: Callable[[], Awaitable[object]], repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        await source()
    return perf_counter() - start


def _sample_stream(source: Callable[[], Iterable[object]], repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        for _item in source():
            pass
    return perf_counter() - start


async def _sample_astream(source: Callable[[], AsyncIterator[object]], repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        async for _item in source():
            pass
    return perf_counter() - start


def sample_seconds(runner: asyncio.Runner, kind: Kind, source: Source, repeats: int) -> float:
    """Seconds that `repeats` runs of `source` take; starting the loop is not part of them."""
    match kind:
        case "call":
            return _sample_call(source, repeats)
        case "stream":
            return _sample_stream(source, repeats)
        case "acall":
            return runner.run(_sample_acall(source, repeats))
        case "astream":
            return runner.run(_sample_astream(source, repeats))


async def _collect(source: Callable[[], AsyncIterator[object]]) -> list[object]:
    return [item async for item in source()]


async def _result(source: Callable[[], Awaitable[object]]) -> object:
    return await source()


def items(runner: asyncio.Runner, kind: Kind, source: Source) -> list[object]:
    """What one run of `source` gives: a stream's or a batch's items, or a call's one answer."""
    match kind:
        case "stream":
            return list(source())
        case "astream":
            return runner.run(_collect(source))
        case "call":
            answer = source()
        case "acall":
            answer = runner.run(_result(source))
    return cast("list[object]", answer) if isinstance(answer, list) else [answer]


def median_seconds(runner: asyncio.Runner, kind: Kind, sources: Mapping[str, Source], pace: Pace) -> dict[str, float]:
    """Median seconds of one run of each source, by its name.

    The sides take turns, and another one begins in every round, so that what else the machine does
    falls on all alike. The collector stays on, as in the reader's program: all that lives before
    the row is frozen out of its way, so no side pays for objects of another's modules, and every
    sample starts from a collected heap.
    """
    repeats: dict[str, int] = {}
    for name, source in sources.items():
        sample_seconds(runner, kind, source, 1)
        once = min(sample_seconds(runner, kind, source, 1) for _ in range(3))
        repeats[name] = max(1, round(pace.sample_seconds / max(once, 1e-8)))
    samples: dict[str, list[float]] = {name: [] for name in sources}
    names = list(sources)
    gc.collect()
    gc.freeze()
    for turn in range(pace.rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            seconds = sample_seconds(runner, kind, sources[name], repeats[name])
            samples[name].append(seconds / repeats[name])
    gc.unfreeze()
    return {name: median(taken) for name, taken in samples.items()}
