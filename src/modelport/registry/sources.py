"""Who is asked for a provider that nobody registered: sources that name things elsewhere (`custom_provider_map`).

This file imports nothing of the models, so that an integration can add itself without loading them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from modelport.values.foreign import add_adapter

__all__ = ["Find", "add_adapter", "add_source", "sources"]

Find = Callable[[str], "Any | None"]
"""Returns what a provider's name stands for: a model or a handler, or the class of either; None: it is not known."""

_lock = threading.Lock()
_sources: tuple[Find, ...] = ()


def add_source(find: Find) -> None:
    """Ask `find` for names that are not registered, at every call; the source added last is asked first.

    Adding the same one again changes nothing.
    """
    global _sources
    with _lock:
        if find not in _sources:
            _sources = (find, *_sources)


def sources() -> Sequence[Find]:
    """Return the sources in the order in which they are asked."""
    return _sources
