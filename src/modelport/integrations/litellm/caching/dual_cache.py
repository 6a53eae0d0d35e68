"""LiteLLM's `litellm.caching.dual_cache`: the cache that its proxy hooks are given, in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

from modelport.integrations.litellm.names import also_offered

__all__ = ["DualCache"]

MAX_ENTRIES = 10_000
"""How many values a cache keeps; those not used for longest go first."""


class DualCache:
    """Keeps values by key in this process, for as long as each was given; LiteLLM's may also use a server."""

    def __init__(self, *_: Any, default_in_memory_ttl: float | None = None, **__: Any) -> None:
        self.default_ttl_seconds = default_in_memory_ttl
        """How long a value is kept when nothing else is said; None: until there are too many."""
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[Any, float | None]] = OrderedDict()

    def set_cache(self, key: str, value: Any, local_only: bool = False, *, ttl: float | None = None, **_: Any) -> None:
        """Keep a value for `ttl` seconds."""
        with self._lock:
            self._keep(key, value, ttl)

    def get_cache(self, key: str, *_: Any, **__: Any) -> Any:
        """Return a value; None when there is none."""
        with self._lock:
            return self._kept(key)

    def increment_cache(self, key: str, value: float, local_only: bool = False, *, ttl: float | None = None) -> float:
        """Add to a number, which begins at 0; return the sum."""
        with self._lock:
            total: float = (self._kept(key) or 0) + value
            self._keep(key, total, ttl)
            return total

    def delete_cache(self, key: str) -> None:
        """Forget a value."""
        with self._lock:
            self._entries.pop(key, None)

    def flush_cache(self) -> None:
        """Forget all values."""
        with self._lock:
            self._entries.clear()

    async def async_set_cache(self, key: str, value: Any, local_only: bool = False, **options: Any) -> None:
        """Keep a value; see `set_cache`."""
        self.set_cache(key, value, local_only, **options)

    async def async_get_cache(self, key: str, *_: Any, **__: Any) -> Any:
        """Return a value; None when there is none."""
        return self.get_cache(key)

    async def async_increment_cache(
        self, key: str, value: float, *_: Any, ttl: float | None = None, **__: Any
    ) -> float:
        """Add to a number; see `increment_cache`."""
        return self.increment_cache(key, value, ttl=ttl)

    async def async_delete_cache(self, key: str) -> None:
        """Forget a value."""
        self.delete_cache(key)

    def _keep(self, key: str, value: Any, ttl_seconds: float | None) -> None:
        seconds = self.default_ttl_seconds if ttl_seconds is None else ttl_seconds
        self._entries[key] = value, None if seconds is None else time.monotonic() + seconds
        self._entries.move_to_end(key)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def _kept(self, key: str) -> Any:
        value, until = self._entries.get(key, (None, None))
        if until is not None and until <= time.monotonic():
            del self._entries[key]
            return None
        if key in self._entries:
            self._entries.move_to_end(key)
        return value


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
