"""Start-up time and memory: each side alone, from fresh processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from gateway_load import NotComparableError, Pace, requests, timed_streams
from gateway_process import NotServingError, Server
from gateway_table import Line, Target
from gateway_tokens import ECHO

START, MEMORY = "start", "memory"
"""The names of the two rows."""
CONCURRENCY, STREAMS, STREAM_MODEL = 64, 1_000, "paced-100ms"


@dataclass(frozen=True)
class Amount:
    """How much to do."""

    starts: int
    """Fresh processes; the median counts."""
    requests: int
    """How many requests the memory is measured after."""
    longest_seconds: float
    """Sides that are slower make fewer."""


def measured(
    names: Sequence[str],
    start: Callable[[str], Server],
    run: Callable[..., object],
    amount: Amount,
    pace: Pace,
    *,
    with_load: bool,
) -> tuple[list[Line], list[str]]:
    """Start every side alone, and put it under load.

    Args:
        names: The sides.
        start: Starts the server of a side.
        run: Runs a coroutine to its end.
        amount: How much to do.
        pace: How the streams are opened and watched.
        with_load: Whether the memory after requests and with open streams is wanted too.
    """
    values: dict[str, dict[str, float]] = {}
    notes: list[str] = []
    for name in names:
        try:
            found = _of_side(name, start, run, amount, pace, notes, with_load=with_load)
        except (NotServingError, NotComparableError, OSError) as error:
            notes.append(f"{name} is left out: {error}")
            continue
        for metric, value in found.items():
            values.setdefault(metric, {})[name] = value
    targets = {"ready": [Target(1, at_most=True)], "idle": [Target(80, at_most=True)]}
    growth = {name: values["after"][name] / early for name, early in values.get("early", {}).items()}
    lines = [
        Line("ready (process start to the first 200)", "s", values.get("ready", {}), targets["ready"], START),
        Line("  server CPU until then", "s", values.get("cpu", {}), (), START),
        Line("RSS idle", "MB", values.get("idle", {}), targets["idle"], START),
    ]
    if with_load:
        count, few = f"{amount.requests:,}", f"{amount.requests // 10:,}"
        lines += [
            Line(f"RSS after {few} requests", "MB", values.get("early", {}), (), MEMORY),
            Line(f"RSS after {count} requests", "MB", values.get("after", {}), (), MEMORY),
            Line("  growth between the two", "x", growth, [Target(1.1, at_most=True)], MEMORY),
            Line(f"RSS with {STREAMS:,} open streams", "MB", values.get("open", {}), (), MEMORY),
            Line("RSS when they have left", "MB", values.get("left", {}), (), MEMORY),
        ]
    return lines, notes


def _of_side(
    name: str,
    start: Callable[[str], Server],
    run: Callable[..., object],
    amount: Amount,
    pace: Pace,
    notes: list[str],
    *,
    with_load: bool,
) -> dict[str, float]:
    ready: list[float] = []
    cpu: list[float] = []
    idle: list[float] = []
    found: dict[str, float] = {}
    for turn in range(amount.starts):
        server = start(name)
        try:
            cpu.append(server.cpu_seconds())
            ready.append(server.ready_seconds)
            server.settle()
            idle.append(server.resident_mb())
            if with_load and turn == amount.starts - 1:
                found = _under_load(server, run, amount, pace, notes)
        finally:
            server.stop()
    return {"ready": median(ready), "cpu": median(cpu), "idle": median(idle), **found}


def _under_load(
    server: Server, run: Callable[..., object], amount: Amount, pace: Pace, notes: list[str]
) -> dict[str, float]:
    found: dict[str, float] = {}

    async def work() -> None:
        few = amount.requests // 10
        done = await requests(server, ECHO, CONCURRENCY, few, amount.longest_seconds / 10)
        server.settle()
        found["early"] = server.resident_mb()
        done += await requests(server, ECHO, CONCURRENCY, amount.requests - few, amount.longest_seconds)
        server.settle()
        found["after"] = server.resident_mb()
        if done < amount.requests:
            notes.append(f"{server.side.name} made {done:,} requests in the time, not {amount.requests:,}")
        found["open"] = (await timed_streams(server, STREAM_MODEL, STREAMS, pace))["memory"]
        server.settle()
        found["left"] = server.resident_mb()

    run(work())
    return found
