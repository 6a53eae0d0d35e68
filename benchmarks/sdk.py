"""What a call of the SDK costs beside litellm, any-llm and building the results alone.

    pip install litellm any-llm-sdk
    python benchmarks/sdk.py [--quick] [--only stream]

Every side echoes the last message: modelport with a model of its own kind and with a LiteLLM handler, litellm with
that handler, any-llm with a provider class. Each runs in a process of its own and they take turns, sample by sample; a
side that is not installed is left out. modelport alone also counts the tokens that its answers report. A target that
is missed is printed as such and fails nothing: benchmarks inform.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

from sdk_imports import Start, starts
from sdk_process import Side, median_seconds
from sdk_rows import ROWS, Row
from sdk_subjects import ANY_LLM, FLOOR, HANDLER, LITELLM, MODEL, OURS, SIDES, release_of
from timing import Pace

FULL = Pace(rounds=15, sample_seconds=0.03)
QUICK = Pace(rounds=5, sample_seconds=0.01)
START_ROUNDS = 3
NAME_WIDTH = 44
WAY_OF = {LITELLM: HANDLER, ANY_LLM: MODEL, FLOOR: MODEL}
"""How the other sides write the echo."""


@dataclass(frozen=True)
class Line:
    """A row for one way of ours."""

    row: Row
    way: str
    times: dict[str, float]
    """Median time in the row's unit, by side; sides that do not do it are missing."""

    @property
    def name(self) -> str:
        """What stands in the table."""
        return f"{self.row.name}, {self.way}"

    def ratio(self, side: str) -> float | None:
        """How many times faster than a side modelport is."""
        return self.times[side] / self.times[OURS] if side in self.times else None

    @property
    def verdicts(self) -> list[tuple[str, bool]]:
        """Each target that is set and could be measured, in words, and whether it is reached."""
        targets = {LITELLM: self.row.litellm_target, ANY_LLM: self.row.any_llm_target}
        return [
            (f"{side} >= {target:g}x {'ok' if ratio >= target else 'MISS'}", ratio >= target)
            for side, target in targets.items()
            if target is not None and (ratio := self.ratio(side)) is not None
        ]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}x"


def _installed() -> dict[str, str]:
    """The versions of the sides that are installed; says of the others that they are left out."""
    found: dict[str, str] = {}
    for side, (distribution, _) in SIDES.items():
        try:
            found[side] = release_of(side)
        except PackageNotFoundError:
            print(f"{side} is left out: it is not installed (pip install {distribution}).")
    return found


def _print_setting(versions: dict[str, str], pace: Pace) -> None:
    peers = {side: release for side, release in versions.items() if side != FLOOR}
    below = {name: version(name) for name in ("pydantic", "msgspec")}
    print(", ".join(f"{name} {release}" for name, release in {**peers, **below}.items()))
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} cores, asyncio's own loop"
    )
    print(
        f"Medians of {pace.rounds} rounds, a process for each side, the sides in turns, samples of"
        f" {pace.sample_seconds * 1e3:g} ms; gc on, collected before every sample."
    )
    print("floor = the result built as a struct, by no framework; a ratio is the side's time over modelport's.")


def _print_heading() -> None:
    columns = "".join(f"{name:>10}" for name in (OURS, LITELLM, ANY_LLM, FLOOR))
    columns = f"{'unit':<9}{columns}{'vs litellm':>12}{'vs any-llm':>12}{'x floor':>9}  targets"
    print(f"\n{'modelport with':<{NAME_WIDTH}}{columns}")
    print("-" * (NAME_WIDTH + len(columns) + 26))


def _print_line(line: Line) -> None:
    times = "".join(f"{_number(line.times.get(side)):>10}" for side in (OURS, LITELLM, ANY_LLM, FLOOR))
    floor = line.ratio(FLOOR)
    over_floor = f"{1 / floor:,.1f}x" if floor else "-"
    verdicts = ", ".join(words for words, _ in line.verdicts)
    print(
        f"{line.name:<{NAME_WIDTH}}{line.row.unit:<9}{times}{_ratio(line.ratio(LITELLM)):>12}"
        f"{_ratio(line.ratio(ANY_LLM)):>12}{over_floor:>9}  {verdicts}".rstrip(),
        flush=True,
    )


def _does(row: Row, side: Side, way: str) -> bool:
    """Run once, unmeasured: whether this way does it; a side whose answer is another one is refused."""
    text = side.ask("check", row.name, way)
    if text is not None and text != row.answer:
        raise SystemExit(f"{row.name!r} is not comparable: {side.name} with {way} gave {text[:80]!r}")
    return text is not None


def _measure(row: Row, sides: dict[str, Side], pace: Pace) -> list[Line]:
    wanted = [(sides[OURS], way) for way in row.ours]
    wanted += [(side, WAY_OF[name]) for name, side in sides.items() if name != OURS]
    sources = [(side, way) for side, way in wanted if _does(row, side, way)]
    seconds = median_seconds(row, sources, pace)
    times = {(side.name, way): value * row.units_per_second for (side, way), value in seconds.items()}
    others = {name: value for (name, _), value in times.items() if name != OURS}
    return [Line(row, way, {OURS: value, **others}) for (name, way), value in times.items() if name == OURS]


def _print_starts(measured: dict[str, Start], after: dict[str, float]) -> None:
    heading = f"{'import':>12}{'first answer':>15}{'RSS then':>12}{'modules':>10}{'RSS at the end':>17}"
    print(f"\n{'start (a fresh interpreter each)':<{NAME_WIDTH}}{heading}")
    print("-" * (NAME_WIDTH + len(heading)))
    for side, start in measured.items():
        times = f"{start.import_milliseconds:>9,.0f} ms{start.answer_milliseconds:>12,.0f} ms"
        memory = f"{start.resident_mb:>9,.0f} MB{start.modules:>10,.0f}{after[side]:>14,.0f} MB"
        print(f"{side:<{NAME_WIDTH}}{times}{memory}", flush=True)


def _print_summary(lines: Sequence[Line]) -> None:
    aimed = [(line, words, reached) for line in lines for words, reached in line.verdicts]
    reached_count = sum(reached for *_, reached in aimed)
    print(f"\n{reached_count} of {len(aimed)} targets reached." if aimed else "\nNo target could be measured.")
    for line, words, reached in aimed:
        if not reached:
            print(f"MISS  {line.name}: {words.split()[0]} {_ratio(line.ratio(words.split()[0]))}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints every row that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples: rough")
    parser.add_argument("--only", action="append", metavar="NAME", help="only rows whose name contains NAME, or start")
    options = parser.parse_args(arguments)
    names: list[str] = options.only or [""]
    pace, started = QUICK if options.quick else FULL, perf_counter()
    versions = _installed()
    _print_setting(versions, pace)
    sides = {name: Side(name) for name in versions}
    for side in sides.values():
        side.answer()
    _print_heading()
    lines: list[Line] = []
    for row in (row for row in ROWS if any(name in row.name for name in names)):
        for line in _measure(row, sides, pace):
            _print_line(line)
            lines.append(line)
    after = {name: side.ask("memory") for name, side in sides.items()}
    for side in sides.values():
        side.close()
    if any(name in "start" for name in names):
        _print_starts(starts(list(versions), 1 if options.quick else START_ROUNDS), after)
    _print_summary(lines)
    print(f"Took {perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
