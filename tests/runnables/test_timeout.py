"""`with_timeout`: a deadline from each call, kept whatever is called."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from modelport import (
    LLM,
    ModelTimeoutError,
    Runnable,
    RunnableLambda,
)
from modelport.runs.scope import SCOPE
from modelport.testing.gates import Gate
from tests.runnables.blocking import BLOCKING, Blocking, Own, OwnBatch, OwnStream, blocking_function
from tests.runnables.ways import WAYS, every_way

SOON = 0.03
"""Seconds of a deadline that is meant to pass."""


# ── what blocks, and keeps to no deadline by itself ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", BLOCKING)
@every_way
async def test_at_the_deadline_the_caller_is_let_go_at_once(way: str, name: str, gate: Gate) -> None:
    chain = BLOCKING[name](gate).with_timeout(SOON)
    with pytest.raises(ModelTimeoutError):
        await WAYS[way](chain, "a", None)
    assert not gate.is_open


@pytest.mark.parametrize("name", BLOCKING)
@every_way
async def test_so_it_is_when_the_first_chunk_is_late(way: str, name: str, gate: Gate) -> None:
    chain = BLOCKING[name](gate).with_timeout(first_token_timeout=SOON)
    with pytest.raises(ModelTimeoutError):
        await WAYS[way](chain, "a", None)
    assert not gate.is_open


@pytest.mark.parametrize("timeout", [{"timeout": 60}, {"first_token_timeout": 60}], ids=["timeout", "first"])
@pytest.mark.parametrize("name", BLOCKING)
@every_way
async def test_what_is_in_time_is_answered(way: str, name: str, timeout: Any, gate: Gate) -> None:
    gate.open()
    assert await WAYS[way](BLOCKING[name](gate).with_timeout(**timeout), "a", None) == "A"


async def test_the_first_chunks_deadline_ends_with_the_first_chunk(gate: Gate) -> None:
    chain = OwnStream(gate, after_first=True).with_timeout(first_token_timeout=0.2)
    pieces = chain.stream("abc")
    apieces: Any = chain.astream("abc")
    assert next(pieces) == "A"
    assert await anext(apieces) == "A"
    wait_until(time.monotonic() + 0.2)
    gate.open()
    assert next(pieces) == "BC"
    assert await anext(apieces) == "BC"


async def test_the_deadline_of_a_stream_holds_to_its_last_chunk(gate: Gate) -> None:
    chain = OwnStream(gate, after_first=True).with_timeout(0.2, first_token_timeout=60)
    pieces = chain.stream("abc")
    assert next(pieces) == "A"
    with pytest.raises(ModelTimeoutError):
        next(pieces)
    apieces: Any = chain.astream("abc")
    assert await anext(apieces) == "A"
    with pytest.raises(ModelTimeoutError):
        await anext(apieces)


def wait_until(moment: float) -> None:
    """Wait for a clock, not for a thread."""
    while time.monotonic() < moment:
        threading.Event().wait(0.001)


# ── which deadline holds ─────────────────────────────────────────────────────────────────────────────────────────────


class Deadlines(LLM):
    seen: Any

    def _call(self, prompt: str, run_manager: Any) -> str:
        self.seen.append(run_manager.deadline)
        return prompt


@every_way
async def test_the_earlier_deadline_holds(way: str) -> None:
    seen: list[float] = []
    model = Deadlines(seen=seen)
    begun = time.monotonic()
    await WAYS[way](model.with_timeout(100), "a", {"timeout": 1000})
    await WAYS[way](model.with_timeout(1000), "a", {"timeout": 100})
    await WAYS[way](model.with_timeout(1000).with_timeout(100), "a", None)
    await WAYS[way](model.with_timeout(100).with_timeout(1000), "a", None)
    await WAYS[way](model.with_timeout(1000, first_token_timeout=100), "a", None)
    ended = time.monotonic()
    *earlier, last = seen
    assert len(earlier) == 4
    assert all(begun + 100 <= deadline <= ended + 100 for deadline in earlier)
    expected = 1000 if "stream" in way or "transform" in way else 100  # what the hook may take, after a first chunk
    assert begun + expected <= last <= ended + expected


async def test_each_call_has_a_deadline_of_its_own() -> None:
    seen: list[float] = []
    chain = Deadlines(seen=seen).with_timeout(60)
    chain.invoke("a")
    await chain.ainvoke("a")
    assert seen[0] < seen[1]


@pytest.mark.parametrize("config", [None, {"max_concurrency": 1}, [{}, {}, {}]], ids=["none", "one", "each"])
@pytest.mark.parametrize("way", ["batch", "abatch", "batch_as_completed", "abatch_as_completed"])
async def test_all_items_of_a_batch_share_one_deadline(way: str, config: Any) -> None:
    seen: list[float] = []

    class Asks(Runnable[str, str]):
        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            scope = SCOPE.get()
            assert scope is not None
            assert scope.deadline is not None
            seen.append(scope.deadline)
            return input

    for one in (Deadlines(seen=seen), Asks()):
        seen.clear()
        answers: Any = getattr(one.with_timeout(60), way)(["a", "b", "c"], config)
        if way == "abatch":
            answers = await answers
        elif way == "abatch_as_completed":
            answers = [answer async for answer in answers]
        assert len(list(answers)) == 3
        assert len(seen) == 3
        assert len(set(seen)) == 1


@pytest.mark.parametrize("make", [Own, OwnBatch, blocking_function, lambda gate: Blocking(gate=gate)])
@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_late_items_have_the_timeout_in_their_slots(way: str, make: Any, gate: Gate) -> None:
    answers: Any = getattr(make(gate).with_timeout(SOON), way)(["a", "b"], return_exceptions=True)
    answers = await answers if way == "abatch" else answers
    assert [type(one) for one in answers] == [ModelTimeoutError] * 2


@pytest.mark.parametrize("config", [{"max_concurrency": 1}, [{"max_concurrency": 1}] * 4], ids=["one", "each"])
@pytest.mark.parametrize("own", [True, False], ids=["own", "function"])
async def test_max_concurrency_bounds_its_batches(own: bool, config: Any) -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def step(value: str) -> str:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.001)
        with lock:
            at_work -= 1
        return value

    class Steps(Runnable[str, str]):
        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            return step(input)

    chain: Any = (Steps() if own else RunnableLambda(step)).with_timeout(60)
    assert chain.batch(list("abcd"), config) == list("abcd")
    assert await chain.abatch(list("abcd"), config) == list("abcd")
    assert len(list(chain.batch_as_completed(list("abcd"), config))) == 4
    assert most == 1


async def test_code_inside_that_takes_no_config_has_the_deadline_too() -> None:
    seen: list[float] = []

    class Calls(Runnable[str, str]):
        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            return Deadlines(seen=seen).invoke(input)

    chain = Calls().with_timeout(60)
    for way in WAYS.values():
        await way(chain, "a", None)
    assert len(seen) == len(WAYS)
    assert None not in seen
