"""Random numbers for ids: of answers, of requests."""

from __future__ import annotations

import os
from os import urandom

_AT_ONCE = 256
_drawn: list[str] = []


def random_hex() -> str:
    """Return 32 hexadecimal digits that nobody else has, or can guess."""
    try:
        return _drawn.pop()
    except IndexError:
        # To ask the system for random bytes takes longer than all the rest of an id: it is asked for many at once.
        drawn = urandom(16 * _AT_ONCE).hex("-", 16).split("-")
        last = drawn.pop()
        _drawn.extend(drawn)
        return last


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)  # else a child gives the ids that its parent gives
