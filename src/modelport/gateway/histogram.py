"""A histogram of durations, cheap enough for every token: two additions and a search in a short tuple."""

from __future__ import annotations

from bisect import bisect_left

FIRST_TOKEN_SECONDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0),
)
"""The upper bounds of the time to the first token: vLLM's, but for the last."""
INTER_TOKEN_SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
"""The upper bounds of the time between two tokens: vLLM's, and finer ones below for models that are quick."""
REQUEST_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5),
    *(5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0),
)
"""The upper bounds of a request's time, whole or in the queue: vLLM's, and finer ones below; without the last."""


class Histogram:
    """Counts durations by how long they are; used on one loop, so without a lock."""

    __slots__ = ("bounds", "counts", "sum_seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        """The longest duration of each bucket but the last, ascending."""
        self.counts = [0] * (len(bounds) + 1)
        """How many are in each bucket, those of the shorter ones not included; the last takes what is longer."""
        self.sum_seconds = 0.0
        """All durations together."""

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_seconds += seconds
