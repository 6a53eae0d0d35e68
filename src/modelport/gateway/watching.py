"""Notices that the config or a model's file has changed."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from modelport.registry.loaded_files import digest_of
from modelport.values.errors import MissingExtraError

QUIET_MS = 100
"""How long nothing may happen before changes count: editors write a file in several steps."""
LONGEST_MS = 1000
"""How long changes are gathered at most."""


def require_watching() -> None:
    """Find the package that watches files.

    Raises:
        MissingExtraError: It is not installed.
    """
    if importlib.util.find_spec("watchfiles") is None:
        raise MissingExtraError("--reload", "gateway")


async def changes(files: Callable[[], set[Path]]) -> AsyncGenerator[None]:
    """Yield whenever the text of one of these files has changed.

    Their folders are watched, not what is below them: files that are replaced, or are links into a folder that is
    replaced (as Kubernetes does it), are noticed, and a folder full of weights costs nothing.

    Args:
        files: Returns the files; asked again after each change, as a change may bring other files.
    """
    from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType] - it names types of trio, not installed

    # It says of every event that there was one.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    watched = await asyncio.to_thread(files)
    digest = await asyncio.to_thread(digest_of, watched)
    while True:
        folders = {file.parent for file in watched}
        events = awatch(
            *folders,
            watch_filter=None,
            step=QUIET_MS,
            debounce=LONGEST_MS,
            recursive=False,
            ignore_permission_denied=True,
        )
        async with aclosing(events):
            async for _ in events:
                before = digest
                digest = await asyncio.to_thread(digest_of, watched)
                if digest != before:
                    yield
                    break
        watched = await asyncio.to_thread(files)
        digest = await asyncio.to_thread(digest_of, watched)
