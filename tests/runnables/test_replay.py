"""The input of a transformed stream, kept for another attempt: read once, given anew, closed in the end."""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport.runnables.replay import Replay
from modelport.testing.gates import Gate


class Piece:
    """Is a piece that a weak reference can watch."""


def source(count: int, log: list[Any]) -> Iterator[Any]:
    try:
        for number in range(count):
            log.append(number)
            yield number
    finally:
        log.append("closed")


async def asource(count: int, log: list[Any]) -> AsyncIterator[Any]:
    for piece in source(count, log):
        yield piece


def test_each_reader_gets_all_pieces_and_the_source_is_read_once() -> None:
    log: list[Any] = []
    replay = Replay(source(3, log))
    first = replay.read()
    assert [next(first), next(first)] == [0, 1]
    second = replay.read()
    replay.forget()
    assert list(second) == [0, 1, 2]
    assert list(first) == []
    assert log == [0, 1, 2, "closed"]


async def test_each_async_reader_gets_all_pieces_and_the_source_is_read_once() -> None:
    log: list[Any] = []
    replay = Replay(asource(3, log))
    first: Any = replay.aread()
    assert [await anext(first), await anext(first)] == [0, 1]
    await first.aclose()
    second = replay.aread()
    assert await anext(second) == 0
    replay.forget()
    assert [piece async for piece in second] == [1, 2]
    assert log == [0, 1, 2, "closed"]


async def test_what_no_other_reader_will_need_is_not_kept() -> None:
    watched: list[weakref.ref[Piece]] = []

    def pieces() -> Iterator[Piece]:
        for _ in range(3):
            piece = Piece()
            watched.append(weakref.ref(piece))
            yield piece
            del piece

    async def apieces() -> AsyncIterator[Piece]:
        for _ in range(3):
            piece = Piece()
            watched.append(weakref.ref(piece))
            yield piece
            del piece

    replay = Replay(pieces())
    for _ in replay.read():
        replay.forget()
    assert [one() is None for one in watched[:2]] == [False, True]
    watched.clear()
    replay = Replay(apieces())
    async for _ in replay.aread():
        replay.forget()
    assert [one() is None for one in watched[:2]] == [False, True]


def test_closing_a_reader_leaves_the_source_open_and_closing_the_replay_closes_it() -> None:
    log: list[Any] = []
    replay = Replay(source(3, log))
    reader = replay.read()
    next(reader)
    reader.close()
    assert log == [0]
    replay.close()
    assert log == [0, "closed"]


async def test_closing_the_replay_closes_an_async_source() -> None:
    log: list[Any] = []
    replay = Replay(asource(3, log))
    await anext(replay.aread())
    await replay.aclose()
    assert not replay.failed


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
async def test_a_source_that_failed_is_known(error: type[BaseException]) -> None:
    def fails() -> Iterator[Any]:
        raise error
        yield

    async def afails() -> AsyncIterator[Any]:
        raise error
        yield

    replay = Replay(fails())
    with pytest.raises(error):
        next(replay.read())
    assert replay.failed
    replay = Replay(afails())
    with pytest.raises(error):
        await anext(replay.aread())
    assert replay.failed


class Held:
    """Is a source whose pieces come from another thread's reading, when the gate opens."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.reached, self.log, self.left = gate, Gate(), [], 3

    def __iter__(self) -> Held:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        self.reached.open()
        self.gate.wait()
        return 3 - self.left

    def close(self) -> None:
        self.log.append("closed")


def test_what_an_abandoned_reader_still_reads_is_the_next_ones() -> None:
    with Gate() as gate:
        held = Held(gate)
        replay = Replay(held)
        abandoned, taken = replay.read(), []
        thread = threading.Thread(target=lambda: taken.extend(abandoned))
        thread.start()
        held.reached.wait()
        reader = replay.read()
        replay.forget()
        gate.open()
        # The abandoned one has its piece, but asks for no other.
        thread.join(10)
        assert list(reader) == [1, 2, 3]
        assert taken in ([], [1])


def test_a_source_that_a_thread_is_reading_is_closed_by_that_thread() -> None:
    with Gate() as gate:
        held = Held(gate)
        replay = Replay(held)
        reader = replay.read()
        thread = threading.Thread(target=lambda: list(reader))
        thread.start()
        held.reached.wait()
        replay.close()
        assert held.log == []
        gate.open()
        thread.join(10)
        assert held.log == ["closed"]
