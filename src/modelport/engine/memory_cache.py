"""`LRUCache`: answers in this process's memory, bounded in entries and bytes."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Any, ClassVar

from typing_extensions import override

from modelport.engine.cache import Cache
from modelport.values.errors import InputError

MAX_ENTRIES = 1024
"""How many entries an `LRUCache` keeps by default."""
MAX_BYTES = 64 * 1024 * 1024
"""How many bytes of values an `LRUCache` keeps by default."""

_generation = 0


def check_bounds(kind: str, max_entries: int, max_bytes: int) -> None:
    """Refuse bounds that are no ints of at least 1.

    Raises:
        InputError: One is not.
    """
    for name, value in (("max_entries", max_entries), ("max_bytes", max_bytes)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"{kind}({name}=…) must be an int of at least 1, not {value!r}")


class LRUCache(Cache):
    """Keeps answers in memory; when a bound is passed, the least recently used go first.

    One cache serves any number of threads and models. A copy of a model shares it; a pickle carries its bounds and
    none of its answers, and a forked child goes on with the answers that were there.
    """

    blocks: ClassVar[bool] = False

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        """Make an empty cache.

        Args:
            max_entries: How many values are kept at most.
            max_bytes: How long the kept values are together at most; a longer value is not kept at all.

        Raises:
            InputError: A bound is no int of at least 1.
        """
        check_bounds(type(self).__name__, max_entries, max_bytes)
        self.max_entries = max_entries
        """How many values are kept at most."""
        self.max_bytes = max_bytes
        """How many bytes the kept values have together at most."""
        self._values: OrderedDict[str, bytes] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._generation = _generation

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_entries={self.max_entries}, max_bytes={self.max_bytes})"

    @property
    def entries(self) -> int:
        """How many values are kept now."""
        return len(self._values)

    @property
    def size_bytes(self) -> int:
        """How many bytes the kept values have together now."""
        with self._guard():
            return self._size_bytes

    @override
    def get(self, key: str) -> bytes | None:
        with self._guard():
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    @override
    def set(self, key: str, value: bytes) -> None:
        with self._guard():
            earlier = self._values.pop(key, None)
            if earlier is not None:
                self._size_bytes -= len(earlier)
            if len(value) > self.max_bytes:
                return
            self._values[key] = value
            self._size_bytes += len(value)
            while len(self._values) > self.max_entries or self._size_bytes > self.max_bytes:
                _, dropped = self._values.popitem(last=False)
                self._size_bytes -= len(dropped)

    @override
    def clear(self) -> None:
        with self._guard():
            self._values.clear()
            self._size_bytes = 0

    def __copy__(self) -> LRUCache:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> LRUCache:
        return self

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.max_entries, self.max_bytes)

    def _guard(self) -> threading.Lock:
        """Return the lock; in a forked child a new one, for a thread of the parent may have held the old one."""
        if self._generation != _generation:
            with _lock:
                if self._generation != _generation:
                    # That thread may also have been between a change of the values and of their size.
                    self._size_bytes = sum(map(len, self._values.values()))
                    self._lock = threading.Lock()
                    self._generation = _generation
        return self._lock


_lock = threading.Lock()
_process_cache = LRUCache()


def process_cache() -> LRUCache:
    """Return the one cache that `cache=True` means in this process."""
    return _process_cache


def _forget_after_fork() -> None:
    """Make every cache's lock stale."""
    global _generation, _lock
    _generation += 1
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
