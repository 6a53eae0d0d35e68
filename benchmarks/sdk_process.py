"""Each side in a process of its own, which does one sample when it is told to.

So no side pays for the modules, threads and background work of another one, and the memory of each is its own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
import traceback
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from sdk_rows import ROWS, Row, collected, drained
from sdk_subjects import SIDES, Ways
from timing import Pace, Source, items, sample_seconds

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_ROWS = {row.name: row for row in ROWS}
_CONTEXT = get_context("spawn")


def resident_mb() -> float:
    """Memory of this process that is in RAM, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


class _Worker:
    """What the process does: check, repeat, tell."""

    def __init__(self, ways: Ways, runner: asyncio.Runner) -> None:
        self._ways = ways
        self._runner = runner

    def check(self, name: str, way: str) -> str | None:
        """Run once, unmeasured, and return the text that came; None: this side does not do it."""
        row = _ROWS[name]
        source = row.work(self._ways[way]) if way in self._ways else None
        if source is None:
            return None
        given = (
            self._runner.run(collected(source())) if row.kind == "astream" else items(self._runner, row.kind, source)
        )
        return "".join(map(row.read, given))

    def repeats(self, name: str, way: str, seconds: float) -> int:
        """Return how many runs last about so long; from here on all that lives is out of the collector's way."""
        self.sample(name, way, 1)
        once = min(self.sample(name, way, 1) for _ in range(3))
        gc.collect()
        gc.freeze()
        return max(1, round(seconds / max(once, 1e-8)))

    def sample(self, name: str, way: str, repeats: int) -> float:
        """Return the seconds that so many runs take, from a collected heap on."""
        row = _ROWS[name]
        source = row.work(self._ways[way])
        assert source is not None, "it was checked"
        gc.collect()
        if row.kind == "astream":
            return sample_seconds(self._runner, "acall", _read_by_us(source), repeats)
        return sample_seconds(self._runner, row.kind, source, repeats)

    def memory(self) -> float:
        """Return the process's memory in MB."""
        return resident_mb()


def _read_by_us(source: Source) -> Source:
    return lambda: drained(source())


def _serve(connection: Connection, side: str) -> None:
    try:
        # What litellm prints is not for the table.
        with Path(os.devnull).open("w", encoding="utf-8") as sys.stderr, asyncio.Runner() as runner:
            worker = _Worker(SIDES[side][1](), runner)
            connection.send(None)
            while (asked := connection.recv()) is not None:
                method, arguments = asked
                connection.send(getattr(worker, method)(*arguments))
    except Exception:  # noqa: BLE001 - it is told to the one who asked
        connection.send(RuntimeError(traceback.format_exc()))


class Side:
    """One side's process, as the one who asks sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        """The side's name."""
        self._connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, name), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Have a method of the worker called."""
        self._connection.send((method, arguments))
        return self.answer()

    def answer(self) -> Any:
        """Wait for what the process sends next: at first, for it to be ready."""
        answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise SystemExit(f"{self.name} failed:\n{answer}")
        return answer

    def close(self) -> None:
        """End the process."""
        self._connection.send(None)
        self._process.join(5)
        self._process.kill()


def median_seconds(row: Row, sources: Sequence[tuple[Side, str]], pace: Pace) -> dict[tuple[Side, str], float]:
    """Median seconds of one run of each source, which is a way of a side.

    They take turns, and another one begins in every round, so that what else the machine does falls on all alike.
    """
    repeats = {(side, way): side.ask("repeats", row.name, way, pace.sample_seconds) for side, way in sources}
    samples: dict[tuple[Side, str], list[float]] = {source: [] for source in sources}
    for turn in range(pace.rounds):
        first = turn % len(sources)
        for side, way in (*sources[first:], *sources[:first]):
            seconds = side.ask("sample", row.name, way, repeats[side, way])
            samples[side, way].append(seconds / repeats[side, way])
    return {source: median(taken) for source, taken in samples.items()}
