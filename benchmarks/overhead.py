"""What modelport costs per call, token and event, beside langchain-core and bare Python.

Both frameworks run the same model code (`subjects.py`), are consumed by the same loops and take
turns in one run (`timing.py`). A target that is missed is printed as such and fails nothing:
benchmarks inform.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import imports
from composition import batching_rows, cache_rows, parallel_rows
from growth import flatness, prompt_rows, token_rows
from rows import COUNTER, TOKENS, Row, batch_rows, call_rows, event_rows, stream_rows
from subjects import Counter, Subject, langchain_subject, modelport_subject
from table import (
    FLOOR,
    OURS,
    THEIRS,
    Line,
    print_flatness,
    print_heading,
    print_line,
    print_setting,
    print_summary,
)
from timing import Pace, Source, items, median_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

FULL = Pace(rounds=15, sample_seconds=0.015)
QUICK = Pace(rounds=5, sample_seconds=0.004)
SLEEPING_ROUNDS = 5
IMPORT_ROUNDS = 9
TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
"""Unset here: a trace sent over the network is not what is compared."""


def _text(given: Sequence[object]) -> str:
    """The text that a run gave; of events, that of the model's chunks."""
    pieces: list[str] = []
    for item in given:
        if isinstance(item, str):
            pieces.append(item)
        elif isinstance(item, dict):
            event = cast("dict[str, Any]", item)
            if event["event"] == "on_llm_stream":
                chunk = event["data"]["chunk"]
                pieces.append(chunk if isinstance(chunk, str) else chunk.text)
    return "".join(pieces)


def _items_checked(runner: asyncio.Runner, row: Row, side: str, source: Source, counter: Counter) -> int:
    """Run once, unmeasured, and return how many items came; a side that does less is refused."""
    before = counter.tokens
    given = items(runner, row.kind, source)
    answer, told = _text(given), counter.tokens - before
    if (answer, told) != (row.answer, row.told):
        raise SystemExit(
            f"{row.name!r} is not comparable: {side} gave {answer[:80]!r} and told its handler of"
            f" {told} tokens, where the row asks for {row.answer[:80]!r} and {row.told}"
        )
    return len(given)


def _measure(runner: asyncio.Runner, row: Row, ours: Subject, theirs: Subject, pace: Pace) -> Line:
    sources = {OURS: row.work(ours), THEIRS: row.work(theirs), FLOOR: row.floor}
    counters = {OURS: ours.counter, THEIRS: theirs.counter, FLOOR: COUNTER}
    counts = {side: _items_checked(runner, row, side, source, counters[side]) for side, source in sources.items()}
    if counts[OURS] != counts[THEIRS]:
        raise SystemExit(f"{row.name!r} is not comparable: the sides give {counts!r} items")
    if row.sleeps:
        pace = Pace(min(pace.rounds, SLEEPING_ROUNDS), pace.sample_seconds)
    seconds = median_seconds(runner, row.kind, sources, pace)
    times = {side: value * row.units_per_second for side, value in seconds.items()}
    return Line(row.name, row.unit, times, row.target)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples: rough")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="only rows whose name contains NAME; may be given several times",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints every row that is asked for."""
    options = _arguments(arguments)
    wanted = [name.lower() for name in options.only or [""]]
    pace = QUICK if options.quick else FULL
    for name in TRACING:
        os.environ.pop(name, None)
    started = perf_counter()
    ours, theirs = modelport_subject(), langchain_subject()
    groups = {
        "calls": call_rows(),
        f"streams of {TOKENS:,} one-character tokens": stream_rows(),
        f"astream_events of {TOKENS:,} tokens": event_rows(),
        "batches (wall time)": batch_rows(),
        "dynamic batching (wall time)": batching_rows(),
        "cache": cache_rows(),
        "steps at once": parallel_rows(),
        "growth with the prompt": prompt_rows(),
        "growth with the answer": token_rows(),
    }
    versions = {side.name: side.version for side in (ours, theirs)}
    print_setting(versions, pace.rounds, pace.sample_seconds)
    lines: list[Line] = []
    with asyncio.Runner() as runner:
        for title, group in groups.items():
            rows = [row for row in group if any(name in row.name.lower() for name in wanted)]
            if rows:
                print_heading(title)
            for row in rows:
                lines.append(_measure(runner, row, ours, theirs, pace))
                print_line(lines[-1])
    costs = {side: {line.name: line.times[side] for line in lines} for side in (OURS, THEIRS)}
    print_flatness(flatness(costs[OURS]), dict(flatness(costs[THEIRS])))
    if any(name in imports.NAME.lower() for name in wanted):
        print_heading("import (a fresh interpreter each)")
        times = imports.import_milliseconds(IMPORT_ROUNDS if not options.quick else 3)
        lines.append(Line(imports.NAME, "ms", times, imports.TARGET))
        print_line(lines[-1])
    print_summary(lines)
    print(f"Took {perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
