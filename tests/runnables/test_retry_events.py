"""`with_retry`: who hears of it."""

from __future__ import annotations

import asyncio
from typing import Any

import langchain_core.callbacks as their_callbacks
import langchain_core.runnables as their_runnables
import pytest
from langchain_core.tracers.base import BaseTracer

from modelport import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    ModelTimeoutError,
    RunnableLambda,
)
from modelport.testing.gates import Gate
from tests.runnables.failing import DownError, Flaky
from tests.runnables.run_trees import by_call, recorder
from tests.runnables.ways import WAYS, every_way

pytestmark = pytest.mark.usefixtures("waits")


class Hears(BaseCallbackHandler):
    def __init__(self) -> None:
        self.states: list[Any] = []
        self.runs: dict[Any, str] = {}

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.runs[kwargs["run_id"]] = "call" if kwargs["parent_run_id"] is None else "attempt"

    def on_retry(self, retry_state: Any, **kwargs: Any) -> None:
        self.states.append((self.runs[kwargs["run_id"]], retry_state))


class AsyncHears(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.states: list[Any] = []
        self.runs: dict[Any, str] = {}

    async def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.runs[kwargs["run_id"]] = "call" if kwargs["parent_run_id"] is None else "attempt"

    async def on_retry(self, retry_state: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        self.states.append((self.runs[kwargs["run_id"]], retry_state))


@pytest.mark.parametrize("handler", [Hears, AsyncHears])
@every_way
async def test_handlers_hear_of_each_retry_on_the_calls_run(way: str, handler: Any) -> None:
    heard, flaky = handler(), Flaky(2)
    await WAYS[way](RunnableLambda(flaky).with_retry(), "a", {"callbacks": [heard]})
    assert [run for run, _ in heard.states] == ["call", "call"]
    one, two = (state for _, state in heard.states)
    assert (one.attempt_number, one.upcoming_sleep, one.idle_for) == (1, 1.0, 1.0)
    assert (two.attempt_number, two.upcoming_sleep, two.idle_for) == (2, 2.0, 3.0)
    assert [one.exception, two.exception] == flaky.raised
    assert one.outcome.failed
    assert one.outcome.exception() is flaky.raised[0]
    with pytest.raises(DownError):
        one.outcome.result()


def test_a_langchain_tracer_records_the_retry() -> None:
    class Tracer(BaseTracer):
        def __init__(self) -> None:
            super().__init__()
            self.roots: list[Any] = []

        def _persist_run(self, run: Any) -> None:
            self.roots.append(run)

    tracer = Tracer()
    RunnableLambda(Flaky(1)).with_retry().invoke("a", {"callbacks": [tracer]})
    (root,) = tracer.roots
    (event,) = [event for event in root.events if event["name"] == "retry"]
    assert event["kwargs"] == {
        "slept": 1.0,
        "attempt": 1,
        "outcome": "failed",
        "exception": "1",
        "exception_type": "DownError",
    }
    assert [child.tags for child in root.child_runs] == [[], ["retry:attempt:2"]]


PARITY: dict[str, tuple[dict[str, int], int]] = {
    "at-once": ({}, 3),
    "second": ({"a": 1}, 3),
    "third": ({"a": 2, "b": 1}, 3),
    "never": ({"a": 9, "b": 1}, 2),
}


async def tree_of(runnables: Any, base: Any, way: str, bad: dict[str, int], attempts: int) -> list[Any]:
    """Return what a handler of one library hears of a retried function of that library."""
    left = dict(bad)

    def step(value: str) -> str:
        left[value] = left.get(value, 0) - 1
        if left[value] >= 0:
            raise DownError(value)
        return value.upper()

    handler = recorder(base)
    chain = runnables(step).with_retry(stop_after_attempt=attempts, wait_exponential_jitter=False)
    config: Any = {"callbacks": [handler], "tags": ["t"], "run_name": "named", "max_concurrency": 1}
    try:
        if way == "invoke":
            chain.invoke("a", config)
        elif way == "ainvoke":
            await chain.ainvoke("a", config)
        elif way == "batch":
            chain.batch(["a", "b", "c"], config)
        else:
            await chain.abatch(["a", "b", "c"], config)
    except DownError as error:
        handler.calls.append(("raised", -1, None, repr(error)))
    return handler.calls


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "batch", "abatch"])
@pytest.mark.parametrize("name", PARITY)
async def test_the_run_tree_is_langchains(name: str, way: str) -> None:
    bad, attempts = PARITY[name]
    ours = await tree_of(RunnableLambda, BaseCallbackHandler, way, bad, attempts)
    theirs = await tree_of(their_runnables.RunnableLambda, their_callbacks.BaseCallbackHandler, way, bad, attempts)
    # Between the items of a batch no order is promised.
    assert sorted(by_call(ours), key=str) == sorted(by_call(theirs), key=str)
    assert len(ours) > 1


@pytest.mark.parametrize("way", ["invoke", "batch", "stream"])
def test_a_call_that_is_cut_short_ends_marked(way: str, gate: Gate) -> None:
    ends: list[Any] = []

    class Ends(BaseCallbackHandler):
        def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            ends.append((kwargs["parent_run_id"] is None, kwargs.get("cancelled")))

    chain: Any = RunnableLambda(lambda value: gate.wait()).with_retry()
    config: Any = {"callbacks": [Ends()], "timeout": 0.02}
    with pytest.raises(ModelTimeoutError):
        chain.batch(["a"], config) if way == "batch" else list(getattr(chain, way)("a", config))
    assert ends == [(False, True), (True, True)]
