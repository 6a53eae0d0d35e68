"""A timeout is one absolute deadline, set by the outermost call and inherited by all inside it."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from modelport import (
    LLM,
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
    ModelTimeoutError,
    RunnableLambda,
)

Seen = list[float | None]


class Deadline(LLM):
    """Notes the deadline of each of its runs."""

    seen: Any
    inner: Any = None

    def _call(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> str:
        self.seen.append(run_manager.deadline)
        return self.inner.invoke(prompt) if self.inner is not None else prompt


class AsyncDeadline(LLM):
    seen: Any
    inner: Any = None

    async def _acall(self, prompt: str, run_manager: AsyncCallbackManagerForLLMRun) -> str:
        self.seen.append(run_manager.deadline)
        return await self.inner.ainvoke(prompt) if self.inner is not None else prompt


def nested(cls: Callable[..., Any], seen: Seen) -> Any:
    return cls(seen=seen, inner=RunnableLambda(str.upper) | cls(seen=seen))


@pytest.mark.parametrize("cls", [Deadline, AsyncDeadline])
async def test_calls_inside_a_call_have_its_deadline(cls: Callable[..., Any]) -> None:
    for call in ("invoke", "ainvoke"):
        seen: Seen = []
        answer = getattr(nested(cls, seen), call)("a", {"timeout": 60})
        assert (await answer if call == "ainvoke" else answer) == "A"
        assert len(seen) == 2
        assert seen[0] is not None
        assert seen[0] == seen[1]


def test_without_a_timeout_there_is_no_deadline() -> None:
    seen: Seen = []
    nested(Deadline, seen).invoke("a", {"tags": ["t"]})
    nested(Deadline, seen).invoke("a")
    assert seen == [None] * 4


@pytest.mark.parametrize("seconds", [math.inf, 1e10, 10**400], ids=["inf", "300 years", "no float"])
@pytest.mark.parametrize("name", ["timeout", "first_token_timeout"])
def test_a_timeout_that_no_clock_can_count_is_none(name: str, seconds: float) -> None:
    seen: Seen = []
    for model in (Deadline(seen=seen), AsyncDeadline(seen=seen)):
        config: Any = {name: seconds}
        limited = model.with_timeout(**config)
        assert model.invoke("a", config) == limited.invoke("a") == "a"
        assert list(model.stream("a", config)) == list(limited.stream("a")) == ["a"]
        assert model.batch(["a", "b"], config) == limited.batch(["a", "b"]) == ["a", "b"]
    assert seen == [None] * 16


def test_an_inner_timeout_shortens_the_deadline_and_never_extends_it() -> None:
    seen: Seen = []
    model = Deadline(seen=seen)

    def step(value: str) -> str:
        model.invoke(value, {"timeout": 3600})
        model.invoke(value, {"timeout": 1})
        return model.invoke(value)

    RunnableLambda(step).invoke("a", {"timeout": 60})
    longer, shorter, inherited = seen
    assert longer == inherited
    assert shorter is not None
    assert longer is not None
    assert shorter < longer


@pytest.mark.parametrize("make", [Deadline, AsyncDeadline])
async def test_all_items_of_a_batch_share_one_deadline(make: Callable[..., Any]) -> None:
    for batch in ("batch", "abatch"):
        seen: Seen = []
        config: Any = {"timeout": 60, "max_concurrency": 1}
        answers = getattr(make(seen=seen), batch)(["a", "b", "c"], config)
        assert (await answers if batch == "abatch" else answers) == ["a", "b", "c"]
        assert len(seen) == 3
        assert len(set(seen)) == 1
        assert seen[0] is not None


async def test_all_items_of_a_batch_of_chains_share_one_deadline() -> None:
    seen: Seen = []
    chain = RunnableLambda(str.upper) | Deadline(seen=seen)
    config: Any = {"timeout": 60, "max_concurrency": 1}
    chain.batch(["a", "b"], config)
    assert len(set(seen)) == 1
    await chain.abatch(["a", "b"], config)
    assert len(seen) == 4
    assert len(set(seen)) == 2


def test_each_config_of_a_batch_has_its_own_deadline() -> None:
    seen: Seen = []
    Deadline(seen=seen).batch(["a", "b"], [{"timeout": 60, "max_concurrency": 1}, {"timeout": 6000}])
    assert None not in seen
    assert len(set(seen)) == 2


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Hold a hook back until the test is over."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_function_that_outstays_the_deadline_is_left(gate: threading.Event) -> None:
    step = RunnableLambda(lambda value: gate.wait(30))
    with pytest.raises(ModelTimeoutError):
        step.invoke("a", {"timeout": 0.01})
    with pytest.raises(ModelTimeoutError):
        await step.ainvoke("a", {"timeout": 0.01})


async def test_an_async_function_that_outstays_the_deadline_is_cancelled() -> None:
    cancelled: list[str] = []

    async def step(value: str) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(value)
            raise
        return value

    with pytest.raises(ModelTimeoutError):
        await RunnableLambda(step).ainvoke("async", {"timeout": 0.01})
    assert cancelled == ["async"]
    left = threading.Event()

    async def told(value: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    with pytest.raises(ModelTimeoutError):
        RunnableLambda(told).invoke("sync", {"timeout": 0.01})
    assert left.wait(30)


class Gated(LLM):
    """Gives one piece, then waits."""

    gate: Any
    pieces: int = 1

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from "x" * self.pieces
        self.gate.wait(30)
        yield "late"


class AsyncGated(LLM):
    pieces: int = 1

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for _ in range(self.pieces):
            yield "x"
        await asyncio.Event().wait()


async def test_the_first_token_has_its_own_deadline(gate: threading.Event) -> None:
    config: Any = {"first_token_timeout": 0.01, "timeout": 60}
    for model in (Gated(gate=gate, pieces=0), AsyncGated(pieces=0)):
        with pytest.raises(ModelTimeoutError):
            list(model.stream("a", config))
        with pytest.raises(ModelTimeoutError):
            async for _ in model.astream("a", config):
                pass
