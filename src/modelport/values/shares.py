"""Sharing out one count over several answers, so that they add up to it again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole parts of a total in proportion to weights; their sum is the total.

    Args:
        total: What is shared out.
        weights: One for each part, none negative; all zero means equal parts.
    """
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    bounds = [0]
    seen = 0
    for weight in weights:
        seen += weight
        bounds.append(total * seen // whole)
    return [end - start for start, end in pairwise(bounds)]
