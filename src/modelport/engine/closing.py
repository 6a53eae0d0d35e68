"""Closing what an author's hook gave us: generators, and iterators that may have no way to close."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

logger = logging.getLogger("modelport.engine")


def close_quietly(iterator: Any) -> None:
    """Close an iterator that has a `close`; an exception of its clean-up is logged, for nobody waits for it."""
    close = getattr(iterator, "close", None)
    if close is None:
        return
    try:
        close()
    except Exception as error:  # noqa: BLE001 - clean-up must not hide why the stream ended
        _report(iterator, error)


def _report(iterator: Any, error: Exception) -> None:
    """Log that clean-up failed, without the exception's text, which may hold a secret."""
    logger.warning("closing %s failed: %s", type(iterator).__name__, type(error).__name__)


async def aclose_quietly(iterator: Any) -> None:
    """Close an async iterator that has an `aclose`; an exception of its clean-up is logged."""
    close = getattr(iterator, "aclose", None)
    if close is None:
        return
    try:
        await close()
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - clean-up must not hide why the stream ended
        _report(iterator, error)
