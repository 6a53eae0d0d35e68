"""Joining the pieces of a stream into the whole that they make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from functools import reduce
from operator import add
from typing import Any

from modelport.engine.closing import aclose_quietly, close_quietly


def join(pieces: list[Any]) -> Any:
    """Add pieces up; texts are joined in one go, and of pieces that cannot be added the last counts."""
    if not pieces:
        return None
    if len(pieces) == 1:
        return pieces[0]
    if all(type(piece) is str for piece in pieces):
        return "".join(pieces)
    if all(isinstance(piece, dict) for piece in pieces):
        return reduce(_join_dicts, pieces)
    try:
        return reduce(add, pieces)
    except TypeError:
        return pieces[-1]


def _join_dicts(left: dict[Any, Any], right: dict[Any, Any]) -> dict[Any, Any]:
    return {key: _value_of(left, right, key) for key in [*left, *(key for key in right if key not in left)]}


def _value_of(left: dict[Any, Any], right: dict[Any, Any], key: Any) -> Any:
    if key not in right:
        return left[key]
    return join([left[key], right[key]]) if key in left and left[key] is not None else right[key]


def joined(pieces: Iterable[Any]) -> tuple[bool, Any]:
    """Read a stream to its end; return whether anything came, and the whole."""
    try:
        whole = list(pieces)
    finally:
        close_quietly(pieces)
    return bool(whole), join(whole)


async def ajoined(pieces: AsyncIterator[Any]) -> tuple[bool, Any]:
    """Read an async stream to its end; return whether anything came, and the whole."""
    try:
        whole: list[Any] = [piece async for piece in pieces]
    finally:
        await aclose_quietly(pieces)
    return bool(whole), join(whole)


def once(value: Any) -> Iterator[Any]:
    """Yield one value."""
    yield value


async def aonce(value: Any) -> AsyncIterator[Any]:
    """Yield one value."""
    yield value
