"""Many requests and many streams at once: none is lost, nothing is left behind. The long run is a benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[3] / "benchmarks" / "gateway_soak.py"


def test_after_thousands_of_requests_and_streams_nothing_is_lost_and_nothing_is_left() -> None:
    amount = ["--requests", "3000", "--streams", "200", "--tokens", "20", "--pause", "0.02"]
    # So short a run has not filled every cache yet: the memory may grow a little.
    ended = subprocess.run(
        [sys.executable, str(SOAK), *amount, "--growth", "1.25"],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert figures["faults"] == []
    assert sum(figures["done"].values()) == 3000
    assert figures["after"]["tasks"] <= figures["idle"]["tasks"]
