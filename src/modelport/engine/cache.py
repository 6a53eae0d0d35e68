"""`Cache`: where answers are kept. Anything with `get`, `set` and `clear` over bytes can be one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar


class Cache(ABC):
    """Is a store of answers by key; subclass it to keep answers elsewhere.

    Keys are short ASCII texts that tell nothing of what was asked. Values are opaque: what `get` gives must be, byte
    for byte, what `set` was given, or None. Any thread may call any method at any time.
    """

    blocks: ClassVar[bool] = True
    """Whether `get` and `set` may block (a disk, a network): async calls then make them in a worker thread."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """Return the value of a key; None when it is not kept."""

    @abstractmethod
    def set(self, key: str, value: bytes) -> None:
        """Keep a value, in place of the key's earlier one; a bounded cache may drop others, or this one, at once."""

    @abstractmethod
    def clear(self) -> None:
        """Drop every value."""
