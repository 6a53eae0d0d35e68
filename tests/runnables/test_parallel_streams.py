"""`RunnableParallel`: pieces of all steps as they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import pytest

from modelport import (
    PromptTemplate,
    Runnable,
    RunnableLambda,
    RunnableParallel,
    StrOutputParser,
)
from tests.runnables.letters import CONFIGS, WAIT_SECONDS, Letters, closed, letters

LONG = "x" * 100_000
"""A stream that is not over before it is closed."""


class TestStreams:
    @CONFIGS
    async def test_tokens_come_before_a_slow_step_is_done(self, config: Any) -> None:
        seen, aseen = threading.Event(), asyncio.Event()

        def slow(value: Any) -> str:
            assert seen.wait(WAIT_SECONDS)
            return "slow"

        async def aslow(value: Any) -> str:
            async with asyncio.timeout(WAIT_SECONDS):
                await aseen.wait()
            return "slow"

        chain = PromptTemplate("{x}") | {"tokens": letters(), "slow": RunnableLambda(slow, aslow)}
        pieces: list[Any] = []
        for piece in chain.stream({"x": "abc"}, config):
            pieces.append(piece)
            if len(pieces) == 3:
                seen.set()
        assert pieces == [{"tokens": "a"}, {"tokens": "b"}, {"tokens": "c"}, {"slow": "slow"}]
        pieces = []
        async for piece in chain.astream({"x": "abc"}, config):
            pieces.append(piece)
            if len(pieces) == 3:
                aseen.set()
        assert pieces == [{"tokens": "a"}, {"tokens": "b"}, {"tokens": "c"}, {"slow": "slow"}]

    @CONFIGS
    @pytest.mark.parametrize("tail", [None, StrOutputParser()], ids=["model", "parsed"])
    async def test_closing_a_stream_closes_its_models_at_once(self, config: Any, tail: Any) -> None:
        models = letters(), letters()
        first, second = (model if tail is None else model | tail for model in models)
        chain = PromptTemplate("{x}") | RunnableParallel(a=first, b=second)
        stream = chain.stream({"x": LONG}, config)
        seen: set[str] = set()
        while seen != {"a", "b"}:
            seen.update(next(stream))
        stream.close()
        for model in models:
            await closed(model, ["sync"], config)
        pieces = chain.astream({"x": LONG}, config)
        assert {key for piece in [await anext(pieces) for _ in range(3)] for key in piece} == {"a", "b"}
        await pieces.aclose()
        for model in models:
            await closed(model, ["sync", "async"], None)

    @CONFIGS
    def test_a_step_runs_no_piece_further_than_its_consumer(self, config: Any) -> None:
        """As a stream of one model is pulled, so are those of many: each makes one piece, and waits."""
        made: list[str] = []
        waiting = threading.Semaphore(0)

        class Counting(Letters):
            def _stream(self, prompt: str) -> Iterator[str]:
                for letter in prompt:
                    made.append(letter)
                    waiting.release()
                    yield letter

        stream = RunnableParallel(a=Counting(), b=Counting()).stream("abcdef", config)
        next(stream)
        for _ in range(2):
            assert waiting.acquire(timeout=WAIT_SECONDS)
        assert made == ["a", "a"]
        next(stream)
        assert waiting.acquire(timeout=WAIT_SECONDS)
        assert sorted(made) == ["a", "a", "b"]
        stream.close()

    @CONFIGS
    async def test_an_async_step_runs_no_piece_further_than_its_consumer(self, config: Any) -> None:
        made: list[str] = []

        class Counting(Letters):
            async def _astream(self, prompt: str) -> AsyncIterator[str]:
                for letter in prompt:
                    made.append(letter)
                    yield letter

        pieces = RunnableParallel(a=Counting(), b=Counting()).astream("abcdef", config)
        await anext(pieces)
        for _ in range(20):
            await asyncio.sleep(0)
        assert made == ["a", "a"]
        await anext(pieces)
        for _ in range(20):
            await asyncio.sleep(0)
        assert sorted(made) == ["a", "a", "b"]
        await pieces.aclose()

    def test_a_steps_stream_is_closed_by_name_and_where_it_ran(self) -> None:
        """A stream need be no generator, which would close when it is forgotten."""
        places: list[int] = []

        class Stream:
            def __iter__(self) -> Iterator[Any]:
                return self

            def __next__(self) -> str:
                return "x"

            def close(self) -> None:
                places.append(threading.get_ident())

        class Streaming(Runnable[Any, Any]):
            def transform(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
                return Stream()

        stream = RunnableParallel(a=Streaming(), b=Streaming()).stream(1)
        seen: set[str] = set()
        while seen != {"a", "b"}:
            seen.update(next(stream))
        stream.close()
        assert len(places) == len(set(places)) == 2
        assert threading.get_ident() not in places

    def test_no_thread_works_for_a_stream_that_was_closed(self) -> None:
        going: set[int] = set()

        class Noting(Runnable[Any, Any]):
            def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
                going.add(threading.get_ident())
                try:
                    yield from input
                finally:
                    threading.Event().wait(0.002)
                    going.discard(threading.get_ident())

        chain = RunnableParallel(a=Noting(), b=Noting(), c=Noting())
        with closing(chain.transform(iter(range(1000)))) as stream:
            while len(going) < 3:
                next(stream)
            assert threading.get_ident() not in going
        assert going == set()

    async def test_no_task_works_for_a_stream_that_was_closed(self) -> None:
        chain = given_letters() | RunnableParallel(a=letters(), b=StrOutputParser(), c=letters())
        before = asyncio.all_tasks()
        pieces = chain.astream("abcdef")
        for _ in range(3):
            await anext(pieces)
        assert len(asyncio.all_tasks()) > len(before)
        await pieces.aclose()
        assert asyncio.all_tasks() == before

    async def test_a_stream_that_is_never_asked_for_starts_nothing(self) -> None:
        model = letters()
        chain = RunnableParallel(a=model, b=model)
        chain.stream("abc").close()
        await chain.astream("abc").aclose()
        assert model.closed == []


def given_letters() -> Any:
    return letters() | StrOutputParser()
