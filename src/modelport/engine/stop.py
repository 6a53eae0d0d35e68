"""Stop strings, enforced over any chunking (guarantee 3).

The match that starts first wins; of those that start together, the shortest. Only a suffix that may still become a
stop string is held back. Strings are literal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from modelport.values.errors import InputError


def normalise_stop(stop: Any) -> list[str] | None:
    """Return stop strings as a list: one string is a list of one, an empty list is None.

    Raises:
        InputError: It is no string or sequence of strings, or one of them is empty.
    """
    if stop is None:
        return None
    if isinstance(stop, str) or not isinstance(stop, Sequence):
        stop = [stop]
    strings = list(cast("Sequence[Any]", stop))
    for string in strings:
        if not isinstance(string, str):
            raise InputError(f"stop must be a string or a list of strings, not {stop!r}", param="stop")
        if not string:
            raise InputError(f"a stop string must not be empty (in {stop!r}); leave it out", param="stop")
    return strings or None


def find_stop(text: str, stop: Sequence[str]) -> tuple[int, int] | None:
    """Return where the winning stop string starts and ends in a whole text, or None."""
    best: tuple[int, int] | None = None
    for string in stop:
        start = text.find(string)
        if start >= 0 and (best is None or (start, start + len(string)) < best):
            best = (start, start + len(string))
    return best


class StopFilter:
    """Cuts a text that comes in pieces at the first stop string."""

    __slots__ = ("_firsts", "_held", "_include", "_longest", "_stop", "matched")

    def __init__(self, stop: Sequence[str], *, include: bool) -> None:
        self._stop = tuple(stop)
        self._include = include
        self._firsts = frozenset(string[0] for string in stop)
        self._longest = max(map(len, stop))
        self._held = ""
        self.matched = False
        """True once a stop string was met: nothing more is released, and the model can be closed."""

    def push(self, text: str) -> str:
        """Take the next piece; return what may be released now."""
        if not self._held and self._firsts.isdisjoint(text):
            return text
        text = self._held + text
        pending = self._pending_start(text)
        match = find_stop(text, self._stop)
        # A match that starts after the beginning of a still possible longer one must wait for that one.
        if match is not None and match[0] <= pending:
            return self._cut(text, match)
        self._held = text[pending:]
        return text[:pending]

    def finish(self) -> str:
        """Return what is still held, cut at a match that waited for a longer one; nothing more comes."""
        text, self._held = self._held, ""
        match = find_stop(text, self._stop)
        return self._cut(text, match) if match is not None else text

    def _cut(self, text: str, match: tuple[int, int]) -> str:
        self.matched = True
        self._held = ""
        return text[: match[1] if self._include else match[0]]

    def _pending_start(self, text: str) -> int:
        """Return where the earliest suffix starts that is a proper beginning of a stop string; the end if none is."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[start] in self._firsts:
                tail = text[start:]
                if any(len(tail) < len(string) and string.startswith(tail) for string in self._stop):
                    return start
        return len(text)
