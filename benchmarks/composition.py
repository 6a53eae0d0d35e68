"""The rows of what is built around a model: dynamic batching, the cache, steps that run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import floor
from rows import EIGHT, PROMPT, Row, acall, call, slow_acall, slow_call

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = [f"prompt {index}" for index in range(64)]
"""What is asked at once."""


def batching_rows() -> Iterator[Row]:
    """64 concurrent single calls on a device that does one thing at a time; 16 prompts at once cost 1.5 singles."""
    yield slow_acall(
        "64 ainvoke, the model takes 16 at once",
        lambda side: lambda: side.at_once(side.batching_device, MANY),
        lambda: floor.device_batches(MANY),
        "".join(MANY),
        target=8,
    )
    yield slow_acall(
        "64 ainvoke, the model takes one at a time",
        lambda side: lambda: side.at_once(side.device, MANY),
        lambda: floor.device_calls(MANY),
        "".join(MANY),
    )
    yield slow_call(
        "a lone invoke of a model that takes 16",
        lambda side: lambda: side.batching_device.invoke(PROMPT),
        lambda: floor.device_call(PROMPT),
    )


def cache_rows() -> Iterator[Row]:
    """An answer that is in memory."""
    yield call("cache hit, invoke", lambda side: lambda: side.cached.invoke(PROMPT), lambda: floor.cached_call(PROMPT))
    yield acall(
        "cache hit, ainvoke, native",
        lambda side: lambda: side.native_cached.ainvoke(PROMPT),
        lambda: floor.acached_call(PROMPT),
    )


def parallel_rows() -> Iterator[Row]:
    """Steps that run at once."""
    yield call(
        "parallel of two models, invoke",
        lambda side: lambda: side.parallel.invoke(PROMPT),
        lambda: floor.parallel(PROMPT),
        2 * PROMPT,
    )
    yield acall(
        "parallel of two models, ainvoke, native",
        lambda side: lambda: side.native_parallel.ainvoke(PROMPT),
        lambda: floor.aparallel(PROMPT),
        2 * PROMPT,
    )
    yield slow_call(
        "parallel of 8 calls that block 50 ms",
        lambda side: lambda: side.slow_parallel.invoke(EIGHT[0]),
        lambda: floor.batch([EIGHT[0]] * 8),
        8 * EIGHT[0],
    )
