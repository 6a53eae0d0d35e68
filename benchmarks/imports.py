"""How long `LLM` takes to import, in a fresh interpreter for every sample."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

NAME = "import of LLM"
TARGET = 3.0
STATEMENTS = {
    "modelport": "from modelport import LLM",
    "langchain-core": "from langchain_core.language_models.llms import LLM",
    "floor": "from pydantic import BaseModel\nclass Model(BaseModel): n: int",
}
"""The floor is what any author class needs: pydantic, and one model of it."""
PROGRAM = """
from time import perf_counter
start = perf_counter()
{statement}
print((perf_counter() - start) * 1e3)
"""


def _import_milliseconds(statement: str, environment: dict[str, str]) -> float:
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return float(child.stdout)


def import_milliseconds(rounds: int) -> dict[str, float]:
    """Median milliseconds of each import, by side; the sides take turns.

    One round more is run first and thrown away: it writes everybody's byte code to a directory of
    the run's own (where Python is told to write none, a source tree would be compiled in every
    sample, an installed package in none). The interpreter's own start is not part of the time.
    """
    samples: dict[str, list[float]] = {side: [] for side in STATEMENTS}
    with TemporaryDirectory() as byte_code:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": byte_code}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(rounds + 1):
            for side, statement in STATEMENTS.items():
                samples[side].append(_import_milliseconds(statement, environment))
    return {side: median(taken[1:]) for side, taken in samples.items()}
