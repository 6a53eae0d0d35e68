"""The printed table: one line a row, as soon as it is measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from growth import FLAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OURS, THEIRS, FLOOR = "modelport", "langchain-core", "floor"
"""The three sides, by the name under which their times are kept."""
NAME_WIDTH = 46


@dataclass(frozen=True)
class Line:
    """A measured row."""

    name: str
    unit: str
    times: Mapping[str, float]
    """Median time in the row's unit, by side."""
    target: float | None = None

    @property
    def ratio(self) -> float:
        """How many times faster than langchain-core modelport is."""
        return self.times[THEIRS] / self.times[OURS]

    @property
    def verdict(self) -> str:
        """The target beside the ratio: `ok` or `MISS`, nothing where none is set."""
        if self.target is None:
            return ""
        return f">= {self.target:g}x {'ok' if self.ratio >= self.target else 'MISS'}"


def number(value: float) -> str:
    """A value with the digits that matter."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def print_setting(versions: Mapping[str, str], rounds: int, sample_seconds: float) -> None:
    """What was measured, on what, and how."""
    below = {name: version(name) for name in ("pydantic", "msgspec")}
    print(", ".join(f"{name} {release}" for name, release in (*versions.items(), *below.items())))
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}"
        f" {platform.machine()}, {os.cpu_count()} cores, asyncio's own loop"
    )
    print(
        f"Medians of {rounds} rounds in one process, the sides in turns, samples of"
        f" {sample_seconds * 1e3:g} ms; gc on, collected before every sample."
    )
    print("floor = bare Python without any framework; 'x floor' = modelport over the floor.")


def print_heading(title: str) -> None:
    """The head of a group of rows."""
    columns = f"{'unit':<9}{OURS:>10}{THEIRS:>16}{FLOOR:>9}{'ratio':>9}{'x floor':>9}  target"
    print(f"\n{title:<{NAME_WIDTH}}{columns}")
    print("-" * (NAME_WIDTH + len(columns) + 8))


def print_line(line: Line) -> None:
    """One row."""
    ours, theirs, floor = (number(line.times[side]) for side in (OURS, THEIRS, FLOOR))
    over_floor = line.times[OURS] / line.times[FLOOR]
    print(
        f"{line.name:<{NAME_WIDTH}}{line.unit:<9}{ours:>10}{theirs:>16}{floor:>9}"
        f"{line.ratio:>8.1f}x{over_floor:>8.1f}x  {line.verdict}".rstrip(),
        flush=True,
    )


def print_flatness(ours: Iterable[tuple[str, float]], theirs: Mapping[str, float]) -> None:
    """Cost per token of a long stream over that of a short one."""
    for shape, factor in ours:
        verdict = "ok" if factor <= FLAT else "MISS"
        print(
            f"{shape}: a token of 10,000 costs {factor:.2f}x a token of 100"
            f" (<= {FLAT}x {verdict}); {THEIRS} {theirs[shape]:.2f}x"
        )


def print_summary(lines: Iterable[Line]) -> None:
    """How many targets were reached, and which were not."""
    aimed = [line for line in lines if line.target is not None]
    missed = [line for line in aimed if line.ratio < (line.target or 0)]
    print(f"\n{len(aimed) - len(missed)} of {len(aimed)} targets reached.")
    for line in missed:
        print(f"MISS  {line.name}: {line.ratio:.1f}x, aimed at {line.target:g}x")
