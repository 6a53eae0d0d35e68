"""Joining the pieces of a stream into the whole that they make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from functools import reduce
from operator import add
from typing import Any

from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly


class Snapshot:
    """Marks a piece that holds all that came before it: joined, the last one counts."""

    __slots__ = ()

    def whole(self) -> Any:
        """Return the piece as what it is without the mark."""
        raise NotImplementedError


class _DictSnapshot(Snapshot, dict[Any, Any]):
    __slots__ = ()

    @override
    def whole(self) -> Any:
        return dict(self)


class _ListSnapshot(Snapshot, list[Any]):
    __slots__ = ()

    @override
    def whole(self) -> Any:
        return list(self)


def snapshot(value: Any) -> Any:
    """Return a dict or list as a piece that holds all that came before it; anything else as it is."""
    if isinstance(value, dict):
        return _DictSnapshot(value)  # pyright: ignore[reportUnknownArgumentType]
    return _ListSnapshot(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType]


def join(pieces: list[Any]) -> Any:
    """Add pieces up; texts are joined in one go, and of pieces that cannot be added the last counts."""
    if not pieces:
        return None
    if isinstance(last := pieces[-1], Snapshot):
        return last.whole()
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
