"""Answers of one turn of the loop are written together, in order, and never later than anything after them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from modelport.gateway.ending import LingeringTransport
from modelport.gateway.turn_writes import MOST_ANSWERS, MOST_PARTS, SOON_SECONDS, TurnWrites


class Transport:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    abort = get_extra_info = close


class Protocol:
    def is_sending(self) -> bool:
        return False

    def is_lingering(self) -> bool:
        return False


def lingering(transport: Any, writes: TurnWrites) -> LingeringTransport:
    protocol: Any = Protocol()
    return LingeringTransport(transport, protocol, writes)


async def test_what_waits_is_written_in_order_when_the_turn_ends() -> None:
    one, two, writes = Transport(), Transport(), TurnWrites()
    writes.add(one.write, b"a")
    writes.add(two.write, b"b")
    writes.add(one.write, b"c")
    assert one.written == two.written == []
    await asyncio.sleep(0)
    assert (one.written, two.written) == ([b"a", b"c"], [b"b"])


@pytest.mark.parametrize("most", [MOST_ANSWERS, MOST_PARTS])
async def test_no_more_wait_than_a_few(most: int) -> None:
    transport, writes = Transport(), TurnWrites()
    for _ in range(most - 1):
        writes.add(transport.write, b"x", most)
    assert transport.written == []
    writes.add(transport.write, b"x", most)
    assert len(transport.written) == most


async def test_a_client_that_has_gone_takes_nothing_from_the_others() -> None:
    gone, there, writes = Transport(), Transport(), TurnWrites()
    writes.add(gone.write, b"a")
    writes.add(there.write, b"b")
    gone.close()
    await asyncio.sleep(0)
    assert there.written == [b"b"]


async def test_a_write_or_an_end_on_the_same_connection_comes_after_what_waits() -> None:
    transport, writes = Transport(), TurnWrites()
    connection = lingering(transport, writes)
    writes.add(transport.write, b"first")
    connection.write(b"second")
    assert transport.written == [b"first", b"second"]
    writes.add(transport.write, b"last")
    connection.close()
    assert (transport.written[-1], transport.closed) == (b"last", True)


async def test_a_lone_part_is_written_at_once_and_those_soon_after_it_together() -> None:
    now = [1.0]
    transport, writes = Transport(), TurnWrites(clock=lambda: now[0])
    writes.add_part(transport.write, b"a")
    assert transport.written == [b"a"]
    now[0] += SOON_SECONDS / 2
    writes.add_part(transport.write, b"b")
    now[0] += 2 * SOON_SECONDS
    writes.add_part(transport.write, b"c")  # after what waits, however late
    assert transport.written == [b"a"]
    await asyncio.sleep(0)
    assert transport.written == [b"a", b"b", b"c"]
    now[0] += SOON_SECONDS / 2
    writes.add_part(transport.write, b"d")  # soon after the others
    assert transport.written == [b"a", b"b", b"c"]
    await asyncio.sleep(0)
    now[0] += 2 * SOON_SECONDS
    writes.add_part(transport.write, b"e")
    assert transport.written == [b"a", b"b", b"c", b"d", b"e"]
