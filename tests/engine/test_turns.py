"""A hook that is always ready leaves the loop to others: to ready tasks, and to timers and sockets (guarantee 14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from modelport import LLM, BaseCallbackHandler

MANY_CHUNKS = 2_000_000
LISTENED = [None, {"callbacks": [BaseCallbackHandler()]}]


class Endless(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        while True:
            yield prompt


@pytest.mark.parametrize("config", LISTENED, ids=["bare", "listened"])
async def test_a_timer_fires_while_nothing_but_a_ready_hook_runs(config) -> None:
    fired = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, fired.set)
    count = 0
    async with aclosing(Endless().astream("x", config)) as pieces:
        async for _ in pieces:
            count += 1
            if fired.is_set() or count == MANY_CHUNKS:
                break
    assert fired.is_set()


@pytest.mark.parametrize("config", LISTENED, ids=["bare", "listened"])
async def test_a_socket_is_read_while_nothing_but_a_ready_hook_runs(config) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.set()
        writer.close()

    got = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        count = 0
        async with aclosing(Endless().astream("x", config)) as pieces:
            async for _ in pieces:
                count += 1
                if got.is_set() or count == MANY_CHUNKS:
                    break
        writer.close()
        assert got.is_set()


@pytest.mark.parametrize("config", LISTENED, ids=["bare", "listened"])
async def test_a_ready_task_has_its_turn_every_sixteen_chunks(config) -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count_turns())
    async with aclosing(Endless().astream("x", config)) as pieces:
        chunks = 0
        async for _ in pieces:
            chunks += 1
            if chunks == 160:
                break
    other.cancel()
    assert turns >= 9
