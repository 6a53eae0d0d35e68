"""The rows of what is built around a model: dynamic batching, the cache, steps that run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import floor
from rows import EIGHT, PROMPT, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = [f"prompt {index}" for index in range(64)]
"""What is asked at once."""


def batching_rows() -> Iterator[Row]:
    """64 concurrent single calls on a device that does one thing at a time; 16 prompts at once cost 1.5 singles."""
    yield Row(
        "64 ainvoke, the model takes 16 at once",
        "acall",
        lambda side: lambda: side.at_once(side.batching_device, MANY),
        lambda: floor.device_batches(MANY),
        "".join(MANY),
        target=8,
        sleeps=True,
    )
    yield Row(
        "64 ainvoke, the model takes one at a time",
        "acall",
        lambda side: lambda: side.at_once(side.device, MANY),
        lambda: floor.device_calls(MANY),
        "".join(MANY),
        sleeps=True,
    )
    yield Row(
        "a lone invoke of a model that takes 16",
        "call",
        lambda side: lambda: side.batching_device.invoke(PROMPT),
        lambda: floor.device_call(PROMPT),
        sleeps=True,
    )


def cache_rows() -> Iterator[Row]:
    """An answer that is in memory."""
    yield Row(
        "cache hit, invoke",
        "call",
        lambda side: lambda: side.cached.invoke(PROMPT),
        lambda: floor.cached_call(PROMPT),
    )
    yield Row(
        "cache hit, ainvoke, native",
        "acall",
        lambda side: lambda: side.native_cached.ainvoke(PROMPT),
        lambda: floor.acached_call(PROMPT),
    )


def parallel_rows() -> Iterator[Row]:
    """Steps that run at once."""
    yield Row(
        "parallel of two models, invoke",
        "call",
        lambda side: lambda: side.parallel.invoke(PROMPT),
        lambda: floor.parallel(PROMPT),
        2 * PROMPT,
    )
    yield Row(
        "parallel of two models, ainvoke, native",
        "acall",
        lambda side: lambda: side.native_parallel.ainvoke(PROMPT),
        lambda: floor.aparallel(PROMPT),
        2 * PROMPT,
    )
    yield Row(
        "parallel of 8 calls that block 50 ms",
        "call",
        lambda side: lambda: side.slow_parallel.invoke(EIGHT[0]),
        lambda: floor.batch([EIGHT[0]] * 8),
        8 * EIGHT[0],
        sleeps=True,
    )
