"""The printed table of the gateway benchmark: one line a metric, one column a side, targets at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from gateway_sides import FASTAPI, LITELLM, LITSERVE
from table import FLOOR, NAME_WIDTH, OURS, number

RATIOS = (FLOOR, FASTAPI, LITSERVE, LITELLM)
"""The sides over which modelport's values are shown as ratios."""


@dataclass(frozen=True)
class Target:
    """What modelport's value, or its ratio to a side's, should be."""

    bound: float
    side: str | None = None
    """The side whose value ours is divided by; None: the value itself."""
    at_most: bool = False
    """Whether the bound is an upper one."""

    def verdict(self, values: Mapping[str, float]) -> tuple[str, bool] | None:
        """Return the target in words, and whether it is reached; None: what it needs was not measured."""
        if OURS not in values or (self.side is not None and not values.get(self.side)):
            return None
        value = values[OURS] if self.side is None else values[OURS] / values[self.side]
        reached = value <= self.bound if self.at_most else value >= self.bound
        sign = "<=" if self.at_most else ">="
        wanted = f"{sign} {self.bound:,g}" if self.side is None else f"{sign} {self.bound:g}x {self.side}"
        return f"{wanted} {'PASS' if reached else 'MISS'} ({_ratio(value) if self.side else number(value)})", reached


@dataclass(frozen=True)
class Line:
    """A metric of a row, measured."""

    name: str
    unit: str
    values: Mapping[str, float]
    """Medians, by column."""
    targets: Sequence[Target] = ()
    row: str = ""
    """The row that it belongs to."""

    @property
    def verdicts(self) -> list[tuple[str, bool]]:
        """Return those targets that could be measured, in words, and whether they are reached."""
        return [verdict for target in self.targets if (verdict := target.verdict(self.values)) is not None]

    def ratio(self, side: str) -> float | None:
        """Return modelport's value over a side's."""
        return self.values[OURS] / self.values[side] if OURS in self.values and self.values.get(side) else None


def _shown(value: float | None) -> str:
    return "-" if value is None or isnan(value) else number(value)


def _ratio(value: float | None) -> str:
    return "-" if value is None or isnan(value) else f"{value:.2f}x" if value < 10 else f"{value:,.0f}x"


def print_heading(title: str, columns: Sequence[str]) -> None:
    """Print the head of a group of lines."""
    ratios = "".join(f"{'/' + side:>10}" for side in RATIOS if side in columns)
    head = f"{'unit':<9}" + "".join(f"{name:>12}" for name in columns) + ratios
    print(f"\n{title:<{NAME_WIDTH}}{head}  targets")
    print("-" * (NAME_WIDTH + len(head) + 9))


def print_line(line: Line, columns: Sequence[str]) -> None:
    """Print one line."""
    values = "".join(f"{_shown(line.values.get(name)):>12}" for name in columns)
    ratios = "".join(f"{_ratio(line.ratio(side)):>10}" for side in RATIOS if side in columns)
    verdicts = ", ".join(words for words, _ in line.verdicts)
    print(f"{line.name:<{NAME_WIDTH}}{line.unit:<9}{values}{ratios}  {verdicts}".rstrip(), flush=True)


def print_summary(lines: Iterable[Line]) -> None:
    """Print how many targets are reached, which are not, and which could not be measured."""
    lines = list(lines)
    aimed = [(line, words, reached) for line in lines for words, reached in line.verdicts]
    unknown = sum(len(line.targets) - len(line.verdicts) for line in lines)
    print(f"\n{sum(reached for *_, reached in aimed)} of {len(aimed)} targets reached", end="")
    print(f"; {unknown} not measured, for lack of a side." if unknown else ".")
    for line, words, reached in aimed:
        if not reached:
            name = line.name if line.name.startswith(line.row) else f"{line.row}: {line.name.strip()}"
            print(f"MISS  {name}: {words}")
