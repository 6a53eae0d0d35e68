"""Patterns of models' names, in which `*` stands for any text."""

from __future__ import annotations

from collections.abc import Sequence


def matches(pattern: str, name: str) -> bool:
    """Tell whether a name is one that a pattern stands for; without a `*` that is the pattern itself."""
    return name == pattern if "*" not in pattern else has_pieces(name, pattern.split("*"))


def has_pieces(name: str, pieces: Sequence[str]) -> bool:
    """Tell whether a name has the pieces of a pattern, split at each `*`, in their order.

    Unlike a regular expression it never goes back: a name made for that cannot make it slow.
    """
    first, *middle, last = pieces
    end = len(name) - len(last)
    at = len(first)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
