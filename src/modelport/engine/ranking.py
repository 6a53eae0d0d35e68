"""Rankings: what a `_rerank` hook returns, checked where the hook ran."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from modelport.engine.hook_sets import HookForm, HookSet
from modelport.engine.reading import hint_for, shown
from modelport.values.errors import HookError
from modelport.values.usage import Usage


class Ranking(msgspec.Struct, frozen=True):
    """Is documents in the order in which they fit a query."""

    results: list[tuple[int, float]]
    """Each document's index with its score, the best first."""
    usage: Usage | None = None
    """The tokens that it took."""


def read_ranking(value: Any, _: Any, label: str) -> Ranking:
    """Return what a `_rerank` hook gave, the best first.

    Args:
        value: `(index, score)` pairs, or dicts with `index` and `relevance_score` (or `score`).
        label: `Class._hook`, for the error.

    Raises:
        HookError: It is something else.
    """
    if not isinstance(value, (list, tuple)):
        raise HookError(f"{label} returned {shown(value)}; it must return (index, score) pairs{hint_for(value)}")
    pairs = [_pair(one, label) for one in cast("Sequence[Any]", value)]
    return Ranking(sorted(pairs, key=lambda pair: -pair[1]))


def _pair(value: Any, label: str) -> tuple[int, float]:
    if isinstance(value, Mapping):
        entry = cast("Mapping[str, Any]", value)
        value = entry.get("index"), entry.get("relevance_score", entry.get("score"))
    if not isinstance(value, (list, tuple)) or len(cast("Sequence[Any]", value)) != 2:
        raise HookError(f"{label} gave {shown(value)} as a result; a result is an (index, score) pair")
    index, score = cast("tuple[Any, Any]", value)
    if isinstance(index, bool) or not isinstance(index, int) or index < 0 or not hasattr(score, "__float__"):
        raise HookError(f"{label} gave a result that is no pair of a document's index and a score")
    value = float(score)
    if not math.isfinite(value):
        raise HookError(f"{label} gave the score {value!r}; a score must be finite")
    return index, value


RERANK_HOOKS = HookSet(
    forms=(
        HookForm("_rerank", ("query", "documents"), "top_n=None, **kwargs"),
        HookForm("_arerank", ("query", "documents"), "top_n=None, **kwargs", is_async=True),
    ),
    answer=("_rerank", "_arerank"),
    async_answer=("_arerank", "_rerank"),
    read=read_ranking,
)
"""The hooks that rank; any model may have one."""
