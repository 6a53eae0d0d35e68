"""A stream's blocks: what is ready shares one, nothing waits, and leaving ends the source as a cancelled task would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from modelport.gateway.blocks import EVENTS_PER_BLOCK, Blocks


def blocks_of(source: AsyncGenerator[Any, None], last: tuple[bytes, ...] = (b"end",)) -> Blocks[Any]:
    return Blocks(source, lambda chunk: [chunk], lambda: last)


async def ready(count: int) -> AsyncGenerator[bytes, None]:
    for _ in range(count):
        yield b"x"


async def test_ready_chunks_share_a_block_and_a_full_one_ends_it() -> None:
    async with blocks_of(ready(EVENTS_PER_BLOCK + 3)) as blocks:
        assert await blocks.take() == b"x" * EVENTS_PER_BLOCK
        assert blocks.count == EVENTS_PER_BLOCK
        assert not blocks.finished
        assert await blocks.take() == b"xxxend"
        assert blocks.finished
        assert await blocks.take() == b""


async def test_after_a_full_block_others_get_a_turn() -> None:
    order: list[str] = []
    async with blocks_of(ready(2 * EVENTS_PER_BLOCK)) as blocks:
        await blocks.take()
        asyncio.get_running_loop().call_soon(order.append, "somebody else")
        await blocks.take()
        order.append("the next block")
    assert order == ["somebody else", "the next block"]


async def test_a_chunk_is_given_before_the_source_waits_for_the_next() -> None:
    go_on = asyncio.Event()

    async def source() -> AsyncGenerator[bytes, None]:
        yield b"a"
        yield b"b"
        await go_on.wait()
        yield b"c"

    async with blocks_of(source()) as blocks:
        assert await blocks.take() == b"ab"
        go_on.set()
        assert await blocks.take() == b"cend"


async def test_a_source_that_gives_way_with_something_to_send_is_sent_first() -> None:
    async def source() -> AsyncGenerator[bytes, None]:
        yield b"a"
        await asyncio.sleep(0)
        yield b"b"

    async with blocks_of(source()) as blocks:
        assert await blocks.take() == b"a"
        assert await blocks.take() == b"bend"


async def test_what_came_before_an_error_is_given_first() -> None:
    async def source() -> AsyncGenerator[bytes, None]:
        yield b"a"
        raise ValueError("broken")

    async with blocks_of(source()) as blocks:
        assert await blocks.take() == b"a"
        assert not blocks.finished
        with pytest.raises(ValueError, match="broken"):
            await blocks.take()
        assert blocks.finished


async def waiting(closed: list[str], started: asyncio.Event | None = None) -> AsyncGenerator[bytes, None]:
    try:
        yield b"a"
        if started is not None:
            started.set()
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        closed.append("cancelled")
        raise
    finally:
        await asyncio.sleep(0)  # cleaning up may wait
        closed.append("closed")


async def full(closed: list[str]) -> AsyncGenerator[bytes, None]:
    try:
        while True:
            yield b"x"
    finally:
        await asyncio.sleep(0)
        closed.append("closed")


Source = Callable[[list[str]], AsyncGenerator[Any, None]]


@pytest.mark.parametrize("source", [waiting, full])
async def test_leaving_after_a_block_closes_the_source_and_waits_for_it(source: Source) -> None:
    closed: list[str] = []
    async with blocks_of(source(closed)) as blocks:
        await blocks.take()
    assert closed[-1] == "closed"


async def test_leaving_before_the_first_block_never_begins_the_source() -> None:
    closed: list[str] = []
    async with blocks_of(waiting(closed)):
        pass
    assert closed == []


async def test_a_cancelled_wait_closes_the_source() -> None:
    closed: list[str] = []
    started = asyncio.Event()

    async def consume() -> None:
        async with blocks_of(waiting(closed, started)) as blocks:
            while await blocks.take():
                pass

    task = asyncio.create_task(consume())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == ["cancelled", "closed"]


async def test_cancelled_while_others_have_their_turn_closes_the_source() -> None:
    closed: list[str] = []

    async def consume() -> None:
        async with blocks_of(full(closed)) as blocks:
            await blocks.take()
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await blocks.take()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(consume())
    assert closed == ["closed"]


async def test_leaving_cancels_the_task_that_the_source_waits_for_and_waits_for_its_end() -> None:
    ended: list[str] = []

    async def upstream() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("upstream")

    async def source() -> AsyncGenerator[bytes, None]:
        try:
            yield b"a"
            await asyncio.create_task(upstream())
        finally:
            ended.append("source")

    async with blocks_of(source()) as blocks:
        assert await blocks.take() == b"a"
        await asyncio.sleep(0)  # the upstream's task begins
    assert ended == ["upstream", "source"]


async def test_a_timeout_inside_the_source_holds() -> None:
    async def source() -> AsyncGenerator[bytes, None]:
        yield b"a"
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            yield b"late"

    async with blocks_of(source()) as blocks:
        assert await blocks.take() == b"a"
        assert await blocks.take() == b"lateend"
