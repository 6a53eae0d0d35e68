"""`RunnableParallel`: every step reads the whole input stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import (
    Runnable,
    RunnableParallel,
    StrOutputParser,
)
from modelport.runnables.tees import TEE_PIECES
from tests.runnables.letters import CONFIGS, WAIT_SECONDS, given


class Reader(Runnable[Any, Any]):
    """Reads its input stream a piece at a time, each when it is let."""

    def __init__(self) -> None:
        self.turns, self.aturns = threading.Semaphore(0), asyncio.Semaphore(0)
        self.read = 0

    def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
        while self.turns.acquire(timeout=WAIT_SECONDS):
            piece = next(input, None)
            if piece is None:
                return
            self.read += 1
        yield "late"

    async def atransform(self, input: AsyncIterator[Any], config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        await self.aturns.acquire()
        async for _ in input:
            self.read += 1
            await self.aturns.acquire()
        yield "end"

    def let_all(self) -> None:
        for _ in range(1000):
            self.turns.release()
            self.aturns.release()


class TestInput:
    """Every step reads the whole input stream, and none gets far ahead of another."""

    @CONFIGS
    async def test_each_step_gets_every_piece_as_it_comes(self, config: Any) -> None:
        chain = RunnableParallel(a=StrOutputParser(), b=StrOutputParser(), c=str.upper)
        pieces = list(chain.transform(iter("abc"), config))
        apieces = [piece async for piece in chain.atransform(given(*"abc"), config)]
        for found in (pieces, apieces):
            assert [piece["a"] for piece in found if "a" in piece] == list("abc")
            assert [piece["b"] for piece in found if "b" in piece] == list("abc")
            assert [piece["c"] for piece in found if "c" in piece] == ["ABC"]

    def test_a_fast_step_waits_for_a_slow_one(self) -> None:
        pulled: list[int] = []

        def source() -> Iterator[str]:
            for n in range(500):
                pulled.append(n)
                yield "x"

        slow = Reader()
        stream = RunnableParallel(fast=StrOutputParser(), slow=slow).transform(source())
        for _ in range(TEE_PIECES):
            assert next(stream) == {"fast": "x"}
        assert len(pulled) == TEE_PIECES
        later = threading.Timer(0.01, slow.let_all)
        later.start()
        assert next(stream) == {"fast": "x"}
        assert slow.read > 0
        assert len(list(stream)) == 500 - TEE_PIECES - 1
        later.join()
        assert len(pulled) == 500

    async def test_a_fast_async_step_waits_for_a_slow_one(self) -> None:
        pulled: list[int] = []

        async def source() -> AsyncIterator[str]:
            for n in range(500):
                pulled.append(n)
                yield "x"

        slow = Reader()
        stream = RunnableParallel(fast=StrOutputParser(), slow=slow).atransform(source())
        for _ in range(TEE_PIECES):
            assert await anext(stream) == {"fast": "x"}
        one_more = asyncio.ensure_future(anext(stream))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not one_more.done()
        assert len(pulled) == TEE_PIECES
        slow.let_all()
        assert await one_more == {"fast": "x"}
        rest = [piece async for piece in stream]
        assert [piece for piece in rest if "slow" in piece] == [{"slow": "end"}]
        assert len(pulled) == 500

    async def test_a_step_that_reads_nothing_holds_nobody_up(self) -> None:
        class Deaf(Runnable[Any, Any]):
            def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
                yield "deaf"

            async def atransform(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
                yield "deaf"

        chain = RunnableParallel(a=Deaf(), b=StrOutputParser())
        many = TEE_PIECES * 3
        assert len(list(chain.transform(iter("x" * many)))) == many + 1
        assert len([piece async for piece in chain.atransform(given(*"x" * many))]) == many + 1

    @CONFIGS
    async def test_a_failing_input_is_the_callers_to_see_and_no_step_takes_it_for_the_whole(self, config: Any) -> None:
        called: list[Any] = []
        error = RuntimeError("no")

        def source() -> Iterator[str]:
            yield "half"
            raise error

        async def asource() -> AsyncIterator[str]:
            yield "half"
            raise error

        chain = RunnableParallel(a=called.append, b=called.append, c=StrOutputParser())
        with pytest.raises(RuntimeError) as raised:
            list(chain.transform(source(), config))
        assert raised.value is error
        with pytest.raises(RuntimeError) as raised:
            async for _ in chain.atransform(asource(), config):
                pass
        assert raised.value is error
        assert called == []

    @CONFIGS
    async def test_a_step_that_waits_for_the_rest_of_its_input_is_not_run_when_the_consumer_leaves(
        self, config: Any
    ) -> None:
        called: list[Any] = []
        log: list[str] = []
        chain = RunnableParallel(a=StrOutputParser(), b=called.append)

        def source() -> Iterator[str]:
            try:
                yield from "a" * TEE_PIECES * 2
            finally:
                log.append("closed")

        async def asource() -> AsyncIterator[str]:
            try:
                for letter in "a" * TEE_PIECES * 2:
                    yield letter
            finally:
                await asyncio.sleep(0)
                log.append("closed")

        stream = chain.transform(source(), config)
        assert next(stream) == {"a": "a"}
        stream.close()
        pieces = chain.atransform(asource(), config)
        assert await anext(pieces) == {"a": "a"}
        await pieces.aclose()
        assert called == []
        assert log == ["closed"] * 2

    async def test_a_step_that_stops_waiting_for_its_input_does_not_end_it_for_the_others(self) -> None:
        waiting, go_on = asyncio.Event(), asyncio.Event()

        async def source() -> AsyncIterator[str]:
            yield "a"
            waiting.set()
            await go_on.wait()
            yield "b"

        class Impatient(Runnable[Any, Any]):
            async def atransform(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
                await anext(input)
                task = asyncio.ensure_future(anext(input))
                await waiting.wait()
                task.cancel()
                await asyncio.wait([task])
                go_on.set()
                yield "left"

        chain = RunnableParallel(a=Impatient(), b=StrOutputParser())
        pieces = [piece async for piece in chain.atransform(source())]
        assert pieces == [{"b": "a"}, {"a": "left"}, {"b": "b"}]

    async def test_an_empty_input_gives_nothing(self) -> None:
        configs: list[Any] = [None, {"max_concurrency": 1}]
        for chain in (RunnableParallel(a=len, b=len), RunnableParallel(a=len), RunnableParallel()):
            for config in configs:
                assert list(chain.transform(iter([]), config)) == []
                assert [piece async for piece in chain.atransform(given(), config)] == []
