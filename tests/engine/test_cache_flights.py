"""The cache: of calls that are equal and at once, one runs and the others wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import PrivateAttr

from modelport import (
    LLM,
    Cache,
    ModelTimeoutError,
)
from modelport.engine import flights
from modelport.testing.gates import PATIENCE_SECONDS, Gate
from tests.engine.cached_models import ASKED, Streaming, joined

pytestmark = pytest.mark.usefixtures("nothing_asked")


class Held(LLM):
    """Waits at a gate; fails as often as it is told to."""

    _gate: Gate = PrivateAttr(default_factory=Gate)
    _began: Gate = PrivateAttr(default_factory=Gate)
    _failures: int = PrivateAttr(default=0)

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        ASKED.append(prompt)
        self._began.open()
        await self._gate.wait_async()
        self._failures -= 1
        if self._failures >= 0:
            raise ValueError(self._failures)
        for character in prompt:
            yield character


async def _until_waiting(count: int) -> None:
    """Give the loop turns until so many calls wait for a flight."""
    while sum(len(flight._waiters) for flight in flights._flights.values()) < count:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


async def test_100_concurrent_equal_misses_run_the_hook_once(cache: Cache) -> None:
    model = Held(cache=cache)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        invoked = [group.create_task(model.ainvoke("hello")) for _ in range(50)]
        streamed = [group.create_task(joined(model.astream("hello"))) for _ in range(50)]
        await _until_waiting(99)
        model._gate.open()
    assert {task.result() for task in invoked + streamed} == {"hello"}
    assert ASKED == ["hello"]


def test_100_threads_with_equal_misses_run_the_hook_once(cache: Cache) -> None:
    model = Held(cache=cache)
    with ThreadPoolExecutor(100) as pool:
        futures = [pool.submit(model.invoke, "hello") for _ in range(50)]
        futures += [pool.submit(lambda: "".join(model.stream("hello"))) for _ in range(50)]
        asyncio.run(_until_waiting(99))
        model._gate.open()
        assert {future.result() for future in futures} == {"hello"}
    assert ASKED == ["hello"]


async def test_when_the_first_fails_the_next_runs(cache: Cache) -> None:
    model = Held(cache=cache)
    model._failures = 2
    tasks = [asyncio.create_task(model.ainvoke("hello")) for _ in range(5)]
    await _until_waiting(4)
    model._gate.open()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(str(outcome) for outcome in outcomes) == ["0", "1", "hello", "hello", "hello"]
    assert len(ASKED) == 3


async def test_when_the_first_is_cancelled_the_next_runs(cache: Cache) -> None:
    model = Held(cache=cache)
    tasks = [asyncio.create_task(model.ainvoke("hello"))]
    assert await model._began.wait_async(PATIENCE_SECONDS)
    tasks += [asyncio.create_task(model.ainvoke("hello")) for _ in range(2)]
    await _until_waiting(2)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    model._gate.open()
    assert await asyncio.gather(*tasks[1:]) == ["hello", "hello"]
    assert len(ASKED) == 2


async def test_one_that_waits_may_be_cancelled_or_run_out_of_time(cache: Cache) -> None:
    model = Held(cache=cache)
    tasks = [asyncio.create_task(model.ainvoke("hello"))]
    assert await model._began.wait_async(PATIENCE_SECONDS)
    tasks += [asyncio.create_task(model.ainvoke("hello")) for _ in range(2)]
    await _until_waiting(2)
    tasks[1].cancel()
    with pytest.raises(ModelTimeoutError, match="equal call"):
        await model.ainvoke("hello", {"timeout": 0.02})
    model._gate.open()
    assert [await tasks[0], await tasks[2]] == ["hello", "hello"]
    assert tasks[1].cancelled()
    assert len(ASKED) == 1


def test_a_stream_that_was_left_is_not_kept(cache: Cache) -> None:
    model = Streaming(cache=cache)
    stream = model.stream("hello")
    next(stream)
    stream.close()
    assert list(model.stream("hello")) == list("hello")
    assert len(ASKED) == 2


def test_a_stream_whose_consumer_pauses_does_not_hold_up_the_others(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "PATIENCE_SECONDS", 0.01)
    model = Streaming(cache=cache)
    paused = model.stream("hello")
    assert next(paused) == "h"
    assert model.invoke("hello") == "hello"
    assert "".join(paused) == "ello"
    assert len(ASKED) == 2


def test_a_hook_that_calls_its_own_model_with_the_same_prompt_does_not_wait_for_itself(cache: Cache) -> None:
    class Derived(LLM):
        def _call(self, prompt: str) -> str:
            return prompt

        def _stream(self, prompt: str) -> Iterator[str]:
            yield from self.invoke(prompt)

    model = Derived(cache=cache)
    assert list(model.stream("hello")) == list("hello")
    assert asyncio.run(joined(Derived(cache=cache).astream("other"))) == "other"


def test_two_calls_that_ask_for_each_others_answers_do_not_wait_for_ever(cache: Cache) -> None:
    both = threading.Barrier(2)

    class Crossed(LLM):
        _deep: threading.local = PrivateAttr(default_factory=threading.local)

        def _call(self, prompt: str) -> str:
            if getattr(self._deep, "asked", False):
                return prompt
            self._deep.asked = True
            both.wait(PATIENCE_SECONDS)
            return self.invoke({"a": "b", "b": "a"}[prompt])

    model = Crossed(cache=cache)
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(model.invoke, "ab", timeout=PATIENCE_SECONDS)) <= {"a", "b"}
