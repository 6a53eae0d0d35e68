"""`batch_as_completed` and `abatch_as_completed`: results as they come, bounds, leaving early, failures."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import aclosing, closing
from typing import Any

import langchain_core.runnables as their_runnables
import pytest

from modelport import LLM, BaseCallbackHandler, RunnableLambda
from modelport.runnables.completed import RESULTS_WAITING
from modelport.values.errors import InputError

PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


class Gates:
    """Holds each item back until its gate is opened."""

    def __init__(self, count: int) -> None:
        self.gates = [threading.Event() for _ in range(count)]
        self.started: list[int] = []
        self.running = 0
        self.most = 0
        self.began = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self._lock = threading.Lock()

    def step(self, item: int) -> int:
        with self._lock:
            self.started.append(item)
            self.running += 1
            self.most = max(self.most, self.running)
        self.began.release()
        try:
            assert self.gates[item].wait(20)
            return item * 10
        finally:
            with self._lock:
                self.running -= 1
            self.ended.release()


class AsyncGates:
    """Holds each item back until its gate is opened, on the running loop."""

    def __init__(self, count: int) -> None:
        self.gates = [asyncio.Event() for _ in range(count)]
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.two = asyncio.Event()
        self.running = 0
        self.most = 0

    async def step(self, item: int) -> int:
        self.started.append(item)
        self.running += 1
        self.most = max(self.most, self.running)
        if len(self.started) == 2:
            self.two.set()
        try:
            await self.gates[item].wait()
            return item * 10
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self.running -= 1


def failing(item: int) -> int:
    if item == 1:
        raise RuntimeError("one")
    return item


# ── sync ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_results_come_in_the_order_in_which_they_end() -> None:
    gates = Gates(3)
    results = RunnableLambda(gates.step).batch_as_completed([0, 1, 2])
    order = [2, 0, 1]
    gates.gates[2].set()
    seen: list[Any] = []
    for number, output in results:
        seen.append((number, output))
        if len(seen) < 3:
            gates.gates[order[len(seen)]].set()
    assert seen == [(2, 20), (0, 0), (1, 10)]


def test_nothing_in_gives_nothing() -> None:
    assert list(RunnableLambda(failing).batch_as_completed([])) == []


@pytest.mark.parametrize("config", [{"max_concurrency": 2}, [{"max_concurrency": 2}] * 6])
def test_at_most_max_concurrency_items_run_at_once(config: Any) -> None:
    gates = Gates(6)
    for gate in gates.gates:
        gate.set()
    assert sorted(RunnableLambda(gates.step).batch_as_completed(range(6), config)) == [(i, i * 10) for i in range(6)]
    assert gates.most <= 2


def test_a_bound_config_bounds_it_too() -> None:
    gates = Gates(6)
    for gate in gates.gates:
        gate.set()
    bound = RunnableLambda(gates.step).with_config({"max_concurrency": 1})
    assert [number for number, _ in bound.batch_as_completed(range(6))] == list(range(6))
    assert gates.most == 1


@pytest.mark.parametrize("make", [RunnableLambda, their_runnables.RunnableLambda])
def test_failures_are_given_in_place_when_they_are_wanted(make: Callable[[Any], Any]) -> None:
    results = dict(make(failing).batch_as_completed([0, 1, 2], return_exceptions=True))
    assert {number: str(output) for number, output in results.items()} == {0: "0", 1: "one", 2: "2"}
    assert isinstance(results[1], RuntimeError)


def test_the_first_failure_is_raised_and_no_other_item_starts() -> None:
    started: list[int] = []

    def step(item: int) -> int:
        started.append(item)
        return failing(item)

    results = RunnableLambda(step).batch_as_completed(range(100), {"max_concurrency": 1})
    assert next(results) == (0, 0)
    with pytest.raises(RuntimeError, match="one"):
        list(results)
    assert len(started) <= RESULTS_WAITING + 3


def test_closing_early_starts_no_other_item_and_lets_the_threads_go() -> None:
    gates = Gates(50)
    gates.gates[0].set()
    with closing(RunnableLambda(gates.step).batch_as_completed(range(50), {"max_concurrency": 2})) as results:
        assert next(results) == (0, 0)
        for _ in range(3):  # the first one, and one for each thread
            assert gates.began.acquire(timeout=20)
    for gate in gates.gates:
        gate.set()
    for _ in range(3):
        assert gates.ended.acquire(timeout=20)
    assert sorted(gates.started) == [0, 1, 2]


def test_results_that_nobody_takes_hold_the_work_back() -> None:
    reached = threading.Semaphore(0)

    def step(item: int) -> int:
        reached.release()
        return item

    count = RESULTS_WAITING * 3
    results = RunnableLambda(step).batch_as_completed(range(count), {"max_concurrency": 1})
    next(results)
    for _ in range(RESULTS_WAITING + 1):
        assert reached.acquire(timeout=20)
    # The one taken, those that wait, and one whose result has no place yet.
    extra = sum(reached.acquire(timeout=0.05) for _ in range(3))
    assert extra <= 1
    assert len(list(results)) == count - 1


def test_an_interrupt_in_an_item_is_raised_even_when_exceptions_are_wanted() -> None:
    def step(item: int) -> int:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(RunnableLambda(step).batch_as_completed([1], return_exceptions=True))


def test_context_variables_and_callbacks_of_the_caller_hold_in_every_item() -> None:
    class Starts(BaseCallbackHandler):
        names: list[str]

        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            self.names.append(kwargs["name"])

    handler = Starts()
    handler.names = []
    token = PLACE.set("here")
    try:
        chain = RunnableLambda(lambda item: PLACE.get()).with_config(run_name="item")
        results = dict(chain.batch_as_completed([1, 2], {"callbacks": [handler]}))
    finally:
        PLACE.reset(token)
    assert results == {0: "here", 1: "here"}
    assert handler.names == ["item", "item"]


def test_one_config_too_few_is_refused_at_once() -> None:
    for way in ("batch_as_completed", "abatch_as_completed"):
        with pytest.raises(InputError, match="1 configs for 2 inputs"):
            getattr(RunnableLambda(failing), way)([1, 2], [{}])


def test_a_model_answers_as_completed() -> None:
    class Echo(LLM):
        def _call(self, prompt: str, tone: str = "") -> str:
            return prompt + tone

    assert sorted(Echo().bind(tone="!").batch_as_completed(["a", "b"])) == [(0, "a!"), (1, "b!")]


class AsyncEcho(LLM):
    async def _acall(self, prompt: str) -> str:
        await asyncio.sleep(0)
        return prompt


def test_in_an_async_hook_on_the_background_loop_it_waits_for_nobody_who_waits_for_it() -> None:
    class Outer(LLM):
        async def _acall(self, prompt: str) -> str:
            # Blocks its loop: the inner calls need another one.
            return "".join(output for _, output in sorted(AsyncEcho().batch_as_completed(list(prompt))))

    assert Outer().invoke("abc") == "abc"


# ── async ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_async_results_come_in_the_order_in_which_they_end() -> None:
    gates = AsyncGates(3)
    order = [2, 0, 1]
    gates.gates[2].set()
    seen: list[Any] = []
    async for number, output in RunnableLambda(gates.step).abatch_as_completed([0, 1, 2]):
        seen.append((number, output))
        if len(seen) < 3:
            gates.gates[order[len(seen)]].set()
    assert seen == [(2, 20), (0, 0), (1, 10)]


async def test_at_most_max_concurrency_async_items_run_at_once() -> None:
    gates = AsyncGates(6)
    gates.gates[1].set()
    results = RunnableLambda(gates.step).abatch_as_completed(range(6), {"max_concurrency": 2})
    assert await anext(results) == (1, 10)
    for gate in gates.gates:
        gate.set()
    assert sorted([one async for one in results]) == [(i, i * 10) for i in (0, 2, 3, 4, 5)]
    assert gates.most == 2


async def test_closing_early_cancels_the_other_items_and_waits_for_them() -> None:
    gates = AsyncGates(4)
    gates.gates[3].set()
    async with aclosing(RunnableLambda(gates.step).abatch_as_completed(range(4))) as results:
        assert await anext(results) == (3, 30)
    assert sorted(gates.cancelled) == [0, 1, 2]
    assert gates.running == 0


async def test_the_first_async_failure_is_raised_and_the_others_are_cancelled() -> None:
    gates = AsyncGates(3)

    async def step(item: int) -> int:
        return failing(item) if item == 1 else await gates.step(item)

    with pytest.raises(RuntimeError, match="one"):
        async for _ in RunnableLambda(step).abatch_as_completed([0, 1, 2]):
            pass
    assert sorted(gates.cancelled) == [0, 2]


@pytest.mark.parametrize("make", [RunnableLambda, their_runnables.RunnableLambda])
async def test_async_failures_are_given_in_place_when_they_are_wanted(make: Callable[[Any], Any]) -> None:
    async def step(item: int) -> int:
        return failing(item)

    results = {n: one async for n, one in make(step).abatch_as_completed([0, 1, 2], return_exceptions=True)}
    assert {number: str(output) for number, output in results.items()} == {0: "0", 1: "one", 2: "2"}


async def test_cancelling_the_consumer_cancels_the_items() -> None:
    gates = AsyncGates(2)

    async def consume() -> None:
        async for _ in RunnableLambda(gates.step).abatch_as_completed([0, 1]):
            pass

    task = asyncio.create_task(consume())
    await gates.two.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(gates.cancelled) == [0, 1]


async def test_a_cancel_that_an_item_makes_up_is_that_items_failure() -> None:
    async def step(item: int) -> int:
        if item == 0:
            raise asyncio.CancelledError
        return item

    results = {n: one async for n, one in RunnableLambda(step).abatch_as_completed([0, 1], return_exceptions=True)}
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == 1


async def test_async_results_that_nobody_takes_hold_the_work_back() -> None:
    started: list[int] = []

    async def step(item: int) -> int:
        started.append(item)
        return item

    count = RESULTS_WAITING * 3
    async with aclosing(RunnableLambda(step).abatch_as_completed(range(count), {"max_concurrency": 1})) as results:
        await anext(results)
        for _ in range(count):
            await asyncio.sleep(0)
        assert len(started) <= RESULTS_WAITING + 2
