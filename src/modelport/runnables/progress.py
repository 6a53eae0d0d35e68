"""`batch(progress=True)`: a bar on stderr that counts items as they end, failures too.

On a terminal it moves; anywhere else its last line is written when the batch is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from modelport.engine.concurrency import amap_items, map_items
from modelport.values.errors import MissingExtraError

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def progress_bar(name: str, total: int) -> Generator[Callable[[int], None], None, None]:
    """Show a bar while the body runs.

    Args:
        name: What stands before the bar.
        total: How many items there are.

    Yields:
        A function that counts this many more items, from any thread.

    Raises:
        MissingExtraError: rich is not installed.
    """
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
    except ImportError as error:
        raise MissingExtraError("a progress bar", "cli") from error
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Standard output and error stay as they are: other code writes there meanwhile.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(escape(name), total=total)
        yield lambda more: bar.advance(task, more)


def map_counted(
    work: Callable[[T], R],
    items: Sequence[T],
    max_concurrency: int | None,
    advance: Callable[[int], None],
    weight: Callable[[T], int] = lambda _: 1,
) -> list[R | BaseException]:
    """Do `work` for each item as `map_items` does, and count each by its weight when it ends, well or not."""

    def counting(item: T) -> R:
        try:
            return work(item)
        finally:
            advance(weight(item))

    return map_items(counting, items, max_concurrency)


async def amap_counted(
    work: Callable[[T], Awaitable[R]],
    items: Sequence[T],
    max_concurrency: int | None,
    advance: Callable[[int], None],
    weight: Callable[[T], int] = lambda _: 1,
) -> list[R | BaseException]:
    """Do `work` for each item as `amap_items` does, and count as `map_counted` does."""

    async def counting(item: T) -> R:
        try:
            return await work(item)
        finally:
            advance(weight(item))

    return await amap_items(counting, items, max_concurrency)
