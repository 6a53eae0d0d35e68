"""What a program pays before it calls anything: the import, the first answer, the memory; a fresh interpreter each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sdk_subjects import ANY_LLM, FLOOR, LITELLM, OURS

STATEMENTS = {
    OURS: "from modelport import completion",
    LITELLM: "from litellm import completion",
    ANY_LLM: "from any_llm import completion",
    FLOOR: "from msgspec import Struct",
}
PROGRAM = """
import sys
from time import perf_counter
start = perf_counter()
{statement}
imported = perf_counter() - start
sys.path.insert(0, {folder!r})
from sdk_subjects import SIDES
start = perf_counter()
way = next(iter(SIDES[{side!r}][1]().values()))
way.completion([{{"role": "user", "content": "hello"}}])
answered = imported + perf_counter() - start
from sdk_process import resident_mb
print(imported * 1e3, answered * 1e3, resident_mb(), len(sys.modules))
"""


@dataclass(frozen=True)
class Start:
    """Is what one side's start costs: medians."""

    import_milliseconds: float
    """From nothing to the SDK's `completion`."""
    answer_milliseconds: float
    """From nothing to the first answer, everything that this benchmark uses set up."""
    resident_mb: float
    """Memory after it."""
    modules: float
    """How many modules are loaded after it."""


def starts(sides: Sequence[str], rounds: int) -> dict[str, Start]:
    """Measure the start of each side; the sides take turns.

    As in `imports.py`: one round more is run first and thrown away, and everybody's byte code is kept in a directory
    of the run's own.
    """
    samples: dict[str, list[list[float]]] = {side: [] for side in sides}
    with TemporaryDirectory() as byte_code:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": byte_code, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(rounds + 1):
            for side in sides:
                samples[side].append(_sample(side, environment))
    return {side: Start(*map(median, zip(*taken[1:], strict=True))) for side, taken in samples.items()}


def _sample(side: str, environment: dict[str, str]) -> list[float]:
    program = PROGRAM.format(statement=STATEMENTS[side], folder=str(Path(__file__).parent), side=side)
    child = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment)
    return [float(number) for number in child.stdout.split()[-4:]]
