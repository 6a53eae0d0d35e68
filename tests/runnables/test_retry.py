"""`with_retry`: what is tried again, what is waited before it, and who hears of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.message
import email.utils
import inspect
import pickle
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import langchain_core.callbacks as their_callbacks
import langchain_core.runnables as their_runnables
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tracers.base import BaseTracer

from modelport import (
    LLM,
    AsyncCallbackHandler,
    BaseCallbackHandler,
    ModelTimeoutError,
    PromptTemplate,
    Runnable,
    RunnableLambda,
    StrOutputParser,
)
from modelport.runnables import backoff
from modelport.runnables.retry import RunnableRetry
from modelport.testing.models import EchoLLM
from modelport.values.errors import InputError, KeywordError


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no time pass: what would be waited is kept, without the random part."""
    waited: list[float] = []

    async def asleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(backoff, "sleep", waited.append)
    monkeypatch.setattr(backoff, "asleep", asleep)
    monkeypatch.setattr(backoff, "jitter", lambda: 0.0)
    return waited


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Hold a function back until the test is over."""
    event = threading.Event()
    yield event
    event.set()


class DownError(Exception):
    """Is raised by what is tried."""


class Flaky:
    """Is a function that fails as often as it is told, each time with another error."""

    def __init__(self, times: int, error: Callable[[int], BaseException] = DownError) -> None:
        self.times = times
        self.error = error
        self.raised: list[BaseException] = []
        self.calls = 0

    def __call__(self, value: str) -> str:
        self.calls += 1
        if self.calls <= self.times:
            self.raised.append(self.error(self.calls))
            raise self.raised[-1]
        return value.upper()


async def atransform(chain: Any, value: Any, config: Any) -> Any:
    async def pieces() -> AsyncIterator[Any]:
        yield value

    return "".join([piece async for piece in chain.atransform(pieces(), config)])


async def astream(chain: Any, value: Any, config: Any) -> Any:
    return "".join([piece async for piece in chain.astream(value, config)])


async def now(value: Any) -> Any:
    return value


WAYS: dict[str, Callable[[Any, Any, Any], Awaitable[Any]]] = {
    "invoke": lambda chain, value, config: now(chain.invoke(value, config)),
    "ainvoke": lambda chain, value, config: chain.ainvoke(value, config),
    "batch": lambda chain, value, config: now(chain.batch([value], config)[0]),
    "abatch": lambda chain, value, config: first(chain.abatch([value], config)),
    "stream": lambda chain, value, config: now("".join(chain.stream(value, config))),
    "astream": astream,
    "transform": lambda chain, value, config: now("".join(chain.transform(iter([value]), config))),
    "atransform": atransform,
    "batch_as_completed": lambda chain, value, config: now(dict(chain.batch_as_completed([value], config))[0]),
}


async def first(values: Awaitable[list[Any]]) -> Any:
    return (await values)[0]


class Silent(BaseCallbackHandler):
    """Listens."""


CONFIGS: dict[str, Any] = {"bare": None, "timed": {"timeout": 60}, "heard": {"callbacks": [Silent()]}}
every_way = pytest.mark.parametrize("way", WAYS)
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


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


# ── deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_way
async def test_the_calls_own_timeout_is_not_tried_again(way: str, gate: threading.Event, waits: list[float]) -> None:
    calls: list[str] = []

    def blocks(value: str) -> str:
        calls.append(value)
        gate.wait(30)
        return value

    with pytest.raises(ModelTimeoutError):
        await WAYS[way](RunnableLambda(blocks).with_retry(), "a", {"timeout": 0.02})
    assert len(calls) <= 1
    assert waits == []


@every_way
async def test_a_timeout_inside_is_tried_again(way: str, gate: threading.Event, waits: list[float]) -> None:
    calls: list[str] = []

    def blocks_once(value: str) -> str:
        calls.append(value)
        if len(calls) == 1:
            gate.wait(30)
        return value.upper()

    chain = RunnableLambda(blocks_once).with_timeout(0.2).with_retry(wait_exponential_jitter=False)
    assert await WAYS[way](chain, "a", {"timeout": 60}) == "A"
    assert calls == ["a", "a"]


@pytest.mark.parametrize("config", [{"timeout": 30}, {"timeout": 300, "first_token_timeout": 30}])
@every_way
async def test_a_wait_that_would_outlast_the_deadline_is_not_begun(way: str, config: Any, waits: list[float]) -> None:
    error = DownError("down")
    error.retry_after = 31  # type: ignore[attr-defined]
    with pytest.raises(DownError) as raised:
        await WAYS[way](RunnableLambda(Flaky(9, lambda _: error)).with_retry(), "a", config)
    assert raised.value is error
    assert waits == []
    error.retry_after = 5  # type: ignore[attr-defined]
    assert await WAYS[way](RunnableLambda(Flaky(1, lambda _: error)).with_retry(), "a", config) == "A"
    assert waits == [5.0]


@every_way
async def test_all_attempts_share_one_deadline(way: str) -> None:
    seen: list[float | None] = []

    class Deadlines(LLM):
        def _call(self, prompt: str, run_manager: Any = None) -> str:
            seen.append(run_manager.deadline)
            if len(seen) < 3:
                raise DownError
            return prompt

    await WAYS[way](Deadlines().with_retry(), "a", {"timeout": 60})
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0] is not None


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def with_response(headers: Any) -> Exception:
    error = DownError("down")
    error.response = SimpleNamespace(headers=headers)  # type: ignore[attr-defined]
    return error


def with_attribute(name: str, value: Any) -> Exception:
    error = DownError("down")
    setattr(error, name, value)
    return error


def headers_of(text: str) -> email.message.Message:
    headers = email.message.Message()
    headers["Retry-After"] = text
    return headers


NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


class OddError(Exception):
    """Has an attribute that raises."""

    @property
    def response(self) -> Any:
        raise RuntimeError("no response yet")


class FalsyResponse(SimpleNamespace):
    """Is false, as the response of a failed request is in some clients."""

    def __bool__(self) -> bool:
        return False


ASKED: dict[str, tuple[BaseException, float | None]] = {
    "nothing": (DownError("down"), None),
    "attribute": (with_attribute("retry_after", 7), 7.0),
    "attribute-fraction": (with_attribute("retry_after", 0.25), 0.25),
    "attribute-text": (with_attribute("retry_after", "7"), 7.0),
    "attribute-method": (with_attribute("retry_after", print), None),
    "attribute-bool": (with_attribute("retry_after", True), None),
    "response": (with_response({"retry-after": "12"}), 12.0),
    "response-capitals": (with_response({"Retry-After": "12"}), 12.0),
    "response-bytes": (with_response({"retry-after": b"12"}), 12.0),
    "response-falsy": (
        with_attribute("response", FalsyResponse(headers={"retry-after": "3"})),
        3.0,
    ),
    "own-headers": (with_attribute("headers", headers_of("9")), 9.0),
    "date": (with_response({"retry-after": email.utils.format_datetime(NOW, usegmt=True)}), 20.0),
    "date-passed": (
        with_response({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        None,
    ),
    "zero": (with_response({"retry-after": "0"}), 0.0),
    "negative": (with_response({"retry-after": "-5"}), None),
    "nan": (with_response({"retry-after": "nan"}), None),
    "infinite": (with_attribute("retry_after", float("inf")), None),
    "longest": (with_attribute("retry_after", 120), 120.0),
    "too-long": (with_attribute("retry_after", 121), None),
    "huge": (with_attribute("retry_after", 10**400), None),
    "words": (with_response({"retry-after": "soon"}), None),
    "no-map": (with_response(["retry-after"]), None),
    "raises": (OddError("down"), None),
}


@pytest.mark.parametrize(("error", "seconds"), ASKED.values(), ids=ASKED)
def test_a_failures_retry_after_is_read(
    error: BaseException, seconds: float | None, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "wall_clock", lambda: NOW.timestamp() - 20)
    flaky = Flaky(1, lambda _: error)
    assert RunnableLambda(flaky).with_retry(wait_exponential_jitter=False).invoke("a") == "A"
    assert waits == ([seconds] if seconds else [])
    assert backoff.retry_after_seconds(error) == seconds


@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.none()))
def test_whatever_a_server_sends_the_wait_is_bounded(value: Any) -> None:
    for error in (with_attribute("retry_after", value), with_response({"retry-after": value})):
        wait = backoff.wait_after(3, error, exponential_jitter=True)
        assert 4.0 <= wait <= 120.0


def test_the_longer_of_the_two_waits_is_made(waits: list[float]) -> None:
    flaky = Flaky(4, lambda _: with_attribute("retry_after", 3))
    RunnableLambda(flaky).with_retry(stop_after_attempt=5).invoke("a")
    assert waits == [3.0, 3.0, 4.0, 8.0]


def test_the_wait_grows_up_to_a_minute_and_is_jittered(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "jitter", lambda: 0.5)
    RunnableLambda(Flaky(2000)).with_retry(stop_after_attempt=2001).invoke("a")
    assert waits[:8] == [1.5, 2.5, 4.5, 8.5, 16.5, 32.5, 60.0, 60.0]
    assert max(waits) == 60.0
    monkeypatch.undo()
    jitters = {backoff.jitter() for _ in range(50)}
    assert len(jitters) > 1
    assert all(0 <= one <= 1 for one in jitters)


def test_without_exponential_jitter_nothing_is_waited_for_unasked(waits: list[float]) -> None:
    RunnableLambda(Flaky(2)).with_retry(wait_exponential_jitter=False).invoke("a")
    assert waits == []


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Batching(LLM):
    """Answers many prompts in one call; each bad one fails as often as it is told."""

    bad: dict[str, int] = {}
    seen: Any

    def _batch(self, prompts: list[str]) -> list[Any]:
        self.seen.append(list(prompts))
        return [self.answer(prompt) for prompt in prompts]

    def answer(self, prompt: str) -> Any:
        self.bad[prompt] = self.bad.get(prompt, 0) - 1
        return DownError(prompt) if self.bad[prompt] >= 0 else prompt.upper()


async def batched(chain: Any, way: str, inputs: list[Any], config: Any = None, **kwargs: Any) -> list[Any]:
    answers = getattr(chain, way)(inputs, config, **kwargs)
    return await answers if way == "abatch" else answers


@every_config
@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_a_batch_hook_gets_the_failed_items_again_together(way: str, config: Any, waits: list[float]) -> None:
    seen: list[list[str]] = []
    chain = Batching(seen=seen, bad={"b": 1, "c": 2}).with_retry()
    assert await batched(chain, way, ["a", "b", "c", "d"], config) == ["A", "B", "C", "D"]
    assert seen == [["a", "b", "c", "d"], ["b", "c"], ["c"]]
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_what_fails_for_good_stays_in_its_slot(way: str) -> None:
    seen: list[list[str]] = []
    answers = await batched(
        Batching(seen=seen, bad={"b": 9}).with_retry(stop_after_attempt=2),
        way,
        ["a", "b", "c"],
        return_exceptions=True,
    )
    assert answers[0::2] == ["A", "C"]
    assert isinstance(answers[1], DownError)
    assert seen == [["a", "b", "c"], ["b"]]
    with pytest.raises(DownError, match="b"):
        await batched(Batching(seen=seen, bad={"b": 9, "c": 9}).with_retry(stop_after_attempt=2), way, ["a", "b", "c"])


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_an_item_whose_deadline_is_too_near_is_not_tried_again(way: str, waits: list[float]) -> None:
    seen: list[list[str]] = []
    config: Any = [{"timeout": 0.5}, {"timeout": 60}, {"timeout": 1.5}]
    chain = Batching(seen=seen, bad={"a": 1, "b": 2, "c": 1}).with_retry()
    answers = await batched(chain, way, ["a", "b", "c"], config, return_exceptions=True)
    assert [type(one) for one in answers] == [DownError, str, str]
    assert seen == [["a", "b", "c"], ["b", "c"], ["b"]]
    assert waits == [1.0, 2.0]


def test_items_that_go_together_wait_as_long_as_the_one_that_waits_longest(waits: list[float]) -> None:
    class Asks(LLM):
        seen: Any

        def _batch(self, prompts: list[str]) -> list[Any]:
            first, self.seen = not self.seen, [*self.seen, list(prompts)]
            return [with_attribute("retry_after", int(prompt)) if first else prompt for prompt in prompts]

    model = Asks(seen=[])
    config: Any = [{"timeout": 60}, {"timeout": 60}, {"timeout": 10}]
    answers = model.with_retry().batch(["2", "30", "3"], config, return_exceptions=True)
    assert answers[:2] == ["2", "30"]
    assert isinstance(answers[2], DownError)
    assert waits == [30.0]
    assert model.seen == [["2", "30", "3"], ["2", "30"]]


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_items_that_do_not_go_together_do_not_wait_for_each_other(way: str) -> None:
    ended = threading.Event()
    failed: list[str] = []

    def step(value: str) -> str:
        if value == "waits":
            assert ended.wait(10)
        elif not failed:
            failed.append(value)
            raise DownError
        else:
            ended.set()
        return value

    assert await batched(RunnableLambda(step).with_retry(), way, ["waits", "fails"]) == ["waits", "fails"]


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_a_batch_that_fails_as_a_whole_fails_for_each_item(way: str) -> None:
    class Odd(Runnable[str, str]):
        calls = 0

        @property
        def batches_at_once(self) -> bool:
            return True

        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            return input.upper()

        def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
            self.calls += 1
            if self.calls == 1:
                raise DownError("all")
            return [value.upper() for value in inputs]

        async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
            return self.batch(inputs, config, **kwargs)

    assert await batched(Odd().with_retry(), way, ["a", "b"]) == ["A", "B"]
    assert await batched(Odd().with_retry(), way, []) == []


def test_max_concurrency_bounds_every_round() -> None:
    lock, at_work, most = threading.Lock(), 0, 0
    failed: set[str] = set()

    def step(value: str) -> str:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        try:
            if value not in failed:
                failed.add(value)
                raise DownError
            return value
        finally:
            with lock:
                at_work -= 1

    assert RunnableLambda(step).with_retry().batch(list("abcdef"), {"max_concurrency": 1}) == list("abcdef")
    assert most == 1


@pytest.mark.parametrize("way", ["batch", "abatch"])
@pytest.mark.parametrize("together", [True, False], ids=["together", "alone"])
async def test_a_bar_counts_each_item_once(way: str, together: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def step(value: str) -> str:
        if value == "b":
            raise DownError
        return value

    inner: Any = Batching(seen=[], bad={"b": 9}) if together else RunnableLambda(step)
    answers = await batched(inner.with_retry(), way, ["a", "b", "c"], return_exceptions=True, progress=True)
    assert len(answers) == 3
    shown = capsys.readouterr().err.strip().splitlines()
    assert len(shown) == 1
    assert "3/3" in shown[0]


async def test_as_they_are_completed_each_item_is_tried_again_by_itself() -> None:
    failed: set[str] = set()

    def step(value: str) -> str:
        if value not in failed:
            failed.add(value)
            raise DownError
        return value

    chain = RunnableLambda(step).with_retry()
    assert dict(chain.batch_as_completed(["a", "b"])) == {0: "a", 1: "b"}
    failed.clear()
    assert {place: value async for place, value in chain.abatch_as_completed(["a", "b"])} == {0: "a", 1: "b"}


# ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Streaming(LLM):
    """Streams letters; the first calls fail after some of them. Notes its starts and closes."""

    fails_after: list[int]
    log: Any

    def _stream(self, prompt: str) -> Iterator[str]:
        after = self.fails_after.pop(0) if self.fails_after else len(prompt)
        self.log.append("start")
        try:
            yield from prompt[:after]
            if after < len(prompt):
                raise DownError(after)
        finally:
            self.log.append("closed")

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for letter in self._stream(prompt):
            yield letter


async def streamed(chain: Any, way: str, value: Any, config: Any = None) -> tuple[str, BaseException | None]:
    """Return what came of a stream, and what ended it."""
    text = ""
    try:
        if way == "stream":
            for piece in chain.stream(value, config):
                text += piece
        else:
            async for piece in chain.astream(value, config):
                text += piece
    except DownError as error:
        return text, error
    return text, None


@every_config
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_stream_is_tried_again_until_its_first_chunk(way: str, config: Any) -> None:
    log: list[str] = []
    chain = Streaming(fails_after=[0, 0], log=log).with_retry()
    assert await streamed(chain, way, "abc", config) == ("abc", None)
    assert log == ["start", "closed"] * 3


@every_config
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_after_the_first_chunk_a_failure_is_the_consumers(way: str, config: Any, waits: list[float]) -> None:
    log: list[str] = []
    text, error = await streamed(Streaming(fails_after=[1], log=log).with_retry(), way, "abc", config)
    assert text == "a"
    assert isinstance(error, DownError)
    assert log == ["start", "closed"]
    assert waits == []


async def test_a_stream_without_chunks_is_an_answer() -> None:
    log: list[str] = []
    chain = Streaming(fails_after=[], log=log).with_retry()
    assert list(chain.stream("")) == []
    assert [piece async for piece in chain.astream("")] == []
    assert log == ["start", "closed"] * 2


async def test_closing_the_stream_closes_what_is_tried() -> None:
    log: list[str] = []
    chain = Streaming(fails_after=[0], log=log).with_retry()
    pieces: Any = chain.stream("abc")
    next(pieces)
    pieces.close()
    assert log == ["start", "closed"] * 2
    apieces: Any = chain.astream("abc")
    await anext(apieces)
    await apieces.aclose()
    assert log == ["start", "closed"] * 3


class Letters(Runnable[str, str]):
    """Turns each piece into its first letter; fails after having read some, as often as it is told."""

    def __init__(self, times: int, read: int) -> None:
        self.times, self.read, self.inputs = times, read, []

    def transform(self, input: Iterator[str], config: Any = None, **kwargs: Any) -> Iterator[str]:
        read: list[str] = []
        self.inputs.append(read)
        failing = len(self.inputs) <= self.times
        for piece in input:
            read.append(piece)
            if failing and len(read) == self.read:
                raise DownError
            if len(read) >= self.read:
                yield piece[0]

    async def atransform(self, input: AsyncIterator[str], config: Any = None, **kwargs: Any) -> AsyncIterator[str]:
        read: list[str] = []
        self.inputs.append(read)
        failing = len(self.inputs) <= self.times
        async for piece in input:
            read.append(piece)
            if failing and len(read) == self.read:
                raise DownError
            if len(read) >= self.read:
                yield piece[0]


class Source:
    """Is an input stream that notes how far it was read, and may fail at its end."""

    def __init__(self, *pieces: str, fails: bool = False) -> None:
        self.pieces, self.fails, self.log = pieces, fails, []

    def sync(self) -> Iterator[str]:
        try:
            for piece in self.pieces:
                self.log.append(piece)
                yield piece
            if self.fails:
                raise DownError("input")
        finally:
            self.log.append("closed")

    async def asynchronous(self) -> AsyncIterator[str]:
        for piece in self.sync():
            yield piece


async def transformed(chain: Any, source: Source, way: str, config: Any) -> list[str]:
    if way == "transform":
        return list(chain.transform(source.sync(), config))
    return [piece async for piece in chain.atransform(source.asynchronous(), config)]


@every_config
@pytest.mark.parametrize("way", ["transform", "atransform"])
async def test_a_transformed_stream_is_read_once_and_replayed(way: str, config: Any) -> None:
    source, step = Source("one", "two", "three", "four"), Letters(2, 2)
    assert await transformed(step.with_retry(), source, way, config) == ["t", "t", "f"]
    assert step.inputs == [["one", "two"], ["one", "two"], ["one", "two", "three", "four"]]
    assert source.log == ["one", "two", "three", "four", "closed"]


@every_config
@pytest.mark.parametrize("way", ["transform", "atransform"])
async def test_a_failure_of_the_input_stream_is_not_tried_again(way: str, config: Any, waits: list[float]) -> None:
    source, step = Source("one", fails=True), Letters(0, 2)
    with pytest.raises(DownError, match="input"):
        await transformed(step.with_retry(), source, way, config)
    assert step.inputs == [["one"]]
    assert waits == []


@every_config
async def test_closing_a_transformed_stream_closes_its_input(config: Any) -> None:
    source = Source("one", "two")
    given: Any = source.sync()
    pieces: Any = Letters(1, 1).with_retry().transform(given, config)
    assert next(pieces) == "o"
    pieces.close()
    assert source.log == ["one", "closed"]
    source.log.clear()
    agiven: Any = source.asynchronous()
    apieces: Any = Letters(1, 1).with_retry().atransform(agiven, config)
    assert await anext(apieces) == "o"
    await apieces.aclose()
    assert agiven.ag_frame is None


class Word(str):
    """Is a text that a weak reference can watch."""

    __slots__ = ("__weakref__",)


async def test_after_the_first_chunk_no_input_is_kept() -> None:
    watched: list[weakref.ref[Word]] = []

    def words() -> Iterator[str]:
        for _ in range(3):
            word = Word("word")
            watched.append(weakref.ref(word))
            yield word
            del word

    async def awords() -> AsyncIterator[str]:
        for word in words():
            yield word
            del word

    chain = StrOutputParser().with_retry()
    alive: list[bool] = []
    for _ in chain.transform(words()):
        alive = [one() is not None for one in watched]
    assert alive == [True, False, True]
    watched.clear()
    async for _ in chain.atransform(awords()):
        alive = [one() is not None for one in watched]
    assert alive == [True, False, True]


@every_config
async def test_in_a_chain_each_step_is_tried_again_by_itself(config: Any) -> None:
    log: list[str] = []
    model = Streaming(fails_after=[0], log=log)
    parser = RunnableLambda(Flaky(1))
    chain = PromptTemplate("{x}") | model.with_retry() | StrOutputParser() | parser.with_retry()
    assert "".join(chain.stream({"x": "ab"}, config)) == "AB"
    assert log == ["start", "closed"] * 2
    model.fails_after.append(1)
    with pytest.raises(DownError):
        chain.invoke({"x": "ab"}, {"timeout": 0.5})


async def test_a_timed_out_step_that_still_reads_its_input_takes_nothing_from_the_next_attempt(
    gate: threading.Event,
) -> None:
    reading = threading.Event()
    readers: list[str] = []

    def slow() -> Iterator[str]:
        yield "a"
        reading.set()
        gate.wait(30)
        yield "b"
        yield "c"

    class Joins(Runnable[str, str]):
        def transform(self, input: Iterator[str], config: Any = None, **kwargs: Any) -> Iterator[str]:
            readers.append("reader")
            if len(readers) == 2:
                gate.set()
            yield "".join(input)

    chain = Joins().with_timeout(0.2).with_retry(wait_exponential_jitter=False)
    assert list(chain.transform(slow())) == ["abc"]
    assert reading.is_set()
    assert len(readers) == 2


# ── who hears of it ──────────────────────────────────────────────────────────────────────────────────────────────────


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


def recorder(base: Any) -> Any:
    """Return a handler of one library that keeps the tree of runs as each tells itself."""

    class Recorder(base):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[tuple[Any, ...]] = []
            self.ids: dict[Any, int] = {}

        def note(self, what: str, value: Any, run_id: Any, facts: dict[str, Any]) -> None:
            parent = self.ids.get(facts.get("parent_run_id"))
            number = self.ids.setdefault(run_id, len(self.ids))
            self.calls.append((what, number, parent, facts.get("name"), facts.get("tags"), value))

        def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **kwargs: Any) -> None:
            self.note("start", inputs, run_id, kwargs)

        def on_chain_end(self, outputs: Any, *, run_id: Any, **kwargs: Any) -> None:
            self.note("end", outputs, run_id, {})

        def on_chain_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
            self.note("error", repr(error), run_id, {})

    return Recorder()


def by_call(calls: list[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """Return what was told of each call and its attempts; between the items of a batch no order is promised."""
    roots: dict[int, list[tuple[Any, ...]]] = {}
    of: dict[int, int] = {}
    for what, number, parent, *facts in calls:
        of.setdefault(number, number if parent is None else of[parent])
        roots.setdefault(of[number], []).append((what, number == of[number], *facts))
    return sorted(roots.values(), key=str)


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
    assert by_call(ours) == by_call(theirs)
    assert len(ours) > 1


@pytest.mark.parametrize("way", ["invoke", "batch", "stream"])
def test_a_call_that_is_cut_short_ends_marked(way: str, gate: threading.Event) -> None:
    ends: list[Any] = []

    class Ends(BaseCallbackHandler):
        def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            ends.append((kwargs["parent_run_id"] is None, kwargs.get("cancelled")))

    chain: Any = RunnableLambda(lambda value: gate.wait(30)).with_retry()
    config: Any = {"callbacks": [Ends()], "timeout": 0.02}
    with pytest.raises(ModelTimeoutError):
        chain.batch(["a"], config) if way == "batch" else list(getattr(chain, way)("a", config))
    assert ends == [(False, True), (True, True)]


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
