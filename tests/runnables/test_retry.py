"""`with_retry`: what is tried again, in every way to call, and the object that does it."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from typing import Any

import pytest

from modelport import (
    LLM,
    Runnable,
    RunnableLambda,
)
from modelport.runnables import backoff
from modelport.runnables.retry import RunnableRetry
from modelport.testing.models import EchoLLM
from modelport.values.errors import InputError, KeywordError
from tests.runnables.failing import DownError, Flaky
from tests.runnables.ways import WAYS, astream, every_config, every_way

pytestmark = pytest.mark.usefixtures("waits")


# ── what is tried again ──────────────────────────────────────────────────────────────────────────────────────────────


@every_config
@every_way
async def test_a_failure_is_tried_again_in_every_way_to_call(way: str, config: Any, waits: list[float]) -> None:
    flaky = Flaky(2)
    assert await WAYS[way](RunnableLambda(flaky).with_retry(), "a", config) == "A"
    assert flaky.calls == 3
    assert waits == [1.0, 2.0]


@every_config
@every_way
async def test_the_last_failure_is_raised_unchanged(way: str, config: Any) -> None:
    flaky = Flaky(9)
    with pytest.raises(DownError) as raised:
        await WAYS[way](RunnableLambda(flaky).with_retry(stop_after_attempt=2), "a", config)
    assert raised.value is flaky.raised[1]
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    assert flaky.calls == 2


@every_way
async def test_other_failures_than_the_named_are_raised_at_once(way: str, waits: list[float]) -> None:
    flaky = Flaky(1)
    with pytest.raises(DownError):
        await WAYS[way](RunnableLambda(flaky).with_retry(retry_if_exception_type=(KeyError, OSError)), "a", None)
    assert flaky.calls == 1
    assert waits == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_ends_a_call_from_outside_is_never_tried_again(error: type[BaseException]) -> None:
    flaky = Flaky(1, error)
    chain = RunnableLambda(flaky).with_retry(retry_if_exception_type=(BaseException,))
    with pytest.raises(error):
        chain.invoke("a")
    with pytest.raises(error):
        RunnableLambda(Flaky(1, error)).with_retry(retry_if_exception_type=(error,)).invoke("a", {"tags": ["t"]})
    assert flaky.calls == 1


@pytest.mark.parametrize(
    ("error", "named", "calls"),
    [
        (InputError, (Exception,), 1),
        (InputError, (ValueError,), 1),
        (InputError, (KeywordError, OSError), 1),
        (InputError, (InputError,), 2),
        (KeywordError, (Exception,), 1),
        (KeywordError, (OSError, KeywordError), 2),
        (ValueError, (ValueError,), 2),
    ],
)
def test_a_callers_mistake_is_tried_again_only_when_its_own_type_is_named(error: Any, named: Any, calls: int) -> None:
    flaky = Flaky(9, lambda number: error(f"wrong {number}"))
    with pytest.raises(error):
        RunnableLambda(flaky).with_retry(retry_if_exception_type=named, stop_after_attempt=2).invoke("a")
    assert flaky.calls == calls


async def test_cancelling_ends_the_wait_between_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.Event()

    async def asleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(backoff, "asleep", asleep)
    flaky = Flaky(9)
    for work in (
        lambda: RunnableLambda(flaky).with_retry().ainvoke("a"),
        lambda: RunnableLambda(flaky).with_retry().abatch(["a"]),
        lambda: astream(RunnableLambda(flaky).with_retry(), "a", None),
    ):
        waiting.clear()
        flaky.calls = 0
        task = asyncio.ensure_future(work())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert flaky.calls == 1


# ── the object ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, None])
def test_a_limit_that_is_no_count_is_refused(limit: Any) -> None:
    with pytest.raises(InputError, match="stop_after_attempt"):
        RunnableLambda(str.upper).with_retry(stop_after_attempt=limit)


@pytest.mark.parametrize("types", [(), (int,), ValueError, "ValueError", [ValueError("a")], None])
def test_types_that_are_no_exceptions_are_refused(types: Any) -> None:
    with pytest.raises(InputError, match="retry_if_exception_type"):
        RunnableLambda(str.upper).with_retry(retry_if_exception_type=types)


def test_it_prints_and_is_named_as_what_it_wraps() -> None:
    chain = RunnableLambda(str.upper).with_retry(stop_after_attempt=2)
    assert repr(chain) == "RunnableRetry(bound=RunnableLambda(upper), stop_after_attempt=2)"
    assert chain.get_name() == "upper"
    assert chain.scopes_its_code


def test_it_can_be_pickled() -> None:
    chain = EchoLLM(size=2).with_retry(stop_after_attempt=7, retry_if_exception_type=(OSError,))
    copy = pickle.loads(pickle.dumps(chain))
    assert isinstance(copy, RunnableRetry)
    assert copy.stop_after_attempt == 7
    assert copy.retry_if_exception_type == (OSError,)
    assert list(copy.stream("abcd")) == ["ab", "cd"]


def test_a_call_that_succeeds_costs_one_frame_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def depth(_: str) -> int:
        return len(inspect.stack(0))

    step = RunnableLambda(depth)
    chain = step.with_retry()
    monkeypatch.setattr(RunnableRetry, "attempts", None)
    assert chain.invoke("a") == step.invoke("a") + 1


def test_keywords_go_to_every_attempt() -> None:
    given: list[dict[str, Any]] = []

    class Keywords(LLM):
        def _call(self, prompt: str, **kwargs: Any) -> str:
            given.append(kwargs)
            if len(given) % 2:
                raise DownError
            return prompt

    chain: Any = Keywords().with_retry()
    chain.invoke("a", heat=1)
    chain.batch(["a"], heat=1)
    list(chain.stream("a", heat=1))
    assert given == [{"heat": 1}] * 6


async def test_somebody_elses_runnable_gets_the_whole_config() -> None:
    seen: list[Any] = []

    class Own(Runnable[str, str]):
        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            seen.append((config["configurable"], config["tags"], config["metadata"]))
            if len(seen) % 2:
                raise DownError
            return input

    config: Any = {"configurable": {"user": 1}, "tags": ["t"], "metadata": {"m": 2}, "timeout": 60}
    Own().with_retry().invoke("a", config)
    await Own().with_retry().ainvoke("a", config)
    assert seen == [({"user": 1}, ["t"], {"m": 2})] * 4
