"""A model's `batch(progress=True)`: items are counted as they end, those of one hook call together."""

from __future__ import annotations

from collections.abc import Sequence

from modelport.engine.batches import Outcome, arun_many, run_many
from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.runnables.progress import amap_counted, map_counted, progress_bar


def run_many_counted(name: str, total: int, calls: Sequence[Call], max_concurrency: int | None) -> list[Outcome]:
    """Answer many calls of one model as `run_many` does, behind a bar.

    Args:
        name: What stands before the bar.
        total: How many items the batch has; those without a call have failed already.
        calls: The calls.
        max_concurrency: How many of them run at once.
    """
    with progress_bar(name, total) as advance:
        advance(total - len(calls))
        if not calls:
            return []
        parts, limit = _parts(calls, calls[0].hooks.many, max_concurrency)
        return _joined(map_counted(run_many, parts, limit, advance, len))


async def arun_many_counted(name: str, total: int, calls: Sequence[Call], max_concurrency: int | None) -> list[Outcome]:
    """Answer many calls of one model on the running loop, as `run_many_counted` does."""
    with progress_bar(name, total) as advance:
        advance(total - len(calls))
        if not calls:
            return []
        parts, limit = _parts(calls, calls[0].hooks.async_many, max_concurrency)
        return _joined(await amap_counted(arun_many, parts, limit, advance, len))


def _parts(
    calls: Sequence[Call], hook: Hook | None, max_concurrency: int | None
) -> tuple[list[Sequence[Call]], int | None]:
    """Return what ends together, and how many such parts run at once: one per hook call, or one per call."""
    if hook is None:
        return [[call] for call in calls], max_concurrency
    model = calls[0].model
    size = model.max_batch_size or len(calls)
    return [calls[start : start + size] for start in range(0, len(calls), size)], model.max_concurrency or 1


def _joined(parts: Sequence[list[Outcome] | BaseException]) -> list[Outcome]:
    """Return the outcomes of all parts, in order; a part's exception is that of the whole batch."""
    outcomes: list[Outcome] = []
    for part in parts:
        if isinstance(part, BaseException):
            raise part
        outcomes += part
    return outcomes
