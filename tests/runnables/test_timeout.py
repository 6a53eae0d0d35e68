"""`with_timeout`: a deadline from each call, kept whatever is called."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from modelport import (
    LLM,
    BaseCallbackHandler,
    ModelTimeoutError,
    PromptTemplate,
    Runnable,
    RunnableLambda,
    StrOutputParser,
)
from modelport.runnables.timeout import RunnableWithTimeout
from modelport.runs.scope import SCOPE
from modelport.testing.gates import Gate
from modelport.testing.models import EchoLLM
from modelport.values.errors import InputError

SOON = 0.03
"""Seconds of a deadline that is meant to pass."""


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Hold what blocks back until the test is over."""
    with Gate() as gate:
        yield gate


async def atransform(chain: Any, value: Any, config: Any) -> Any:
    async def pieces() -> AsyncIterator[Any]:
        yield value

    return "".join([piece async for piece in chain.atransform(pieces(), config)])


async def astream(chain: Any, value: Any, config: Any) -> Any:
    return "".join([piece async for piece in chain.astream(value, config)])


async def acompleted(chain: Any, value: Any, config: Any) -> Any:
    return {place: one async for place, one in chain.abatch_as_completed([value], config)}[0]


async def now(value: Any) -> Any:
    return value


async def first(values: Awaitable[list[Any]]) -> Any:
    return (await values)[0]


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
    "abatch_as_completed": acompleted,
}
every_way = pytest.mark.parametrize("way", WAYS)


# ── what blocks, and keeps to no deadline by itself ──────────────────────────────────────────────────────────────────


class Own(Runnable[str, str]):
    """Is a runnable of somebody else's, with an `invoke` that blocks."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        self.gate.wait(30)
        return input.upper()


class OwnBatch(Own):
    """Has a batch of its own, too."""

    def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
        self.gate.wait(30)
        return [value.upper() for value in inputs]

    async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
        await self.gate.wait_async(30)
        return [value.upper() for value in inputs]


class OwnStream(Own):
    """Streams, too: blocks before its first piece or after it."""

    def __init__(self, gate: Gate, *, after_first: bool = False) -> None:
        super().__init__(gate)
        self.after_first = after_first

    def stream(self, input: str, config: Any = None, **kwargs: Any) -> Iterator[str]:
        if self.after_first:
            yield input[:1].upper()
        self.gate.wait(30)
        yield input[self.after_first :].upper()

    async def astream(self, input: str, config: Any = None, **kwargs: Any) -> AsyncIterator[str]:
        if self.after_first:
            yield input[:1].upper()
        await self.gate.wait_async(30)
        yield input[self.after_first :].upper()

    async def ainvoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        await self.gate.wait_async(30)
        return input.upper()


class Blocking(LLM):
    gate: Any

    def _call(self, prompt: str) -> str:
        self.gate.wait(30)
        return prompt.upper()


class BlockingStream(LLM):
    gate: Any

    def _stream(self, prompt: str) -> Iterator[str]:
        self.gate.wait(30)
        yield prompt.upper()


class BlockingBatch(LLM):
    gate: Any

    def _batch(self, prompts: list[str]) -> list[str]:
        self.gate.wait(30)
        return [prompt.upper() for prompt in prompts]


class AsyncBlocking(LLM):
    gate: Any

    async def _acall(self, prompt: str) -> str:
        await self.gate.wait_async(30)
        return prompt.upper()


class AsyncBlockingStream(LLM):
    gate: Any

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        await self.gate.wait_async(30)
        yield prompt.upper()


def blocking_function(gate: Gate) -> Any:
    def blocks(value: str) -> str:
        gate.wait(30)
        return value.upper()

    return RunnableLambda(blocks)


def async_function(gate: Gate) -> Any:
    async def blocks(value: str) -> str:
        await gate.wait_async(30)
        return value.upper()

    return RunnableLambda(blocks)


def generator_function(gate: Gate) -> Any:
    def blocks(value: str) -> Iterator[str]:
        gate.wait(30)
        yield value.upper()

    return RunnableLambda(blocks)


BLOCKING: dict[str, Callable[[Gate], Any]] = {
    "function": blocking_function,
    "async-function": async_function,
    "generator-function": generator_function,
    "own": Own,
    "own-batch": OwnBatch,
    "own-stream": OwnStream,
    "own-in-a-chain": lambda gate: RunnableLambda(str.lower) | Own(gate),
    "bound-own": lambda gate: Own(gate).bind(),
    "llm-call": lambda gate: Blocking(gate=gate),
    "llm-stream": lambda gate: BlockingStream(gate=gate),
    "llm-batch": lambda gate: BlockingBatch(gate=gate),
    "llm-acall": lambda gate: AsyncBlocking(gate=gate),
    "llm-astream": lambda gate: AsyncBlockingStream(gate=gate),
    "chain": lambda gate: RunnableLambda(str.lower) | Blocking(gate=gate) | StrOutputParser(),
    "retried": lambda gate: Own(gate).with_retry(),
    "with-fallbacks": lambda gate: Own(gate).with_fallbacks([RunnableLambda(str.lower)]),
}


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


async def test_a_chain_keeps_streaming_through_it() -> None:
    chain = PromptTemplate("{x}") | EchoLLM().with_timeout(60) | StrOutputParser().with_timeout(60)
    assert list(chain.stream({"x": "abc"})) == ["a", "b", "c"]
    assert [piece async for piece in chain.astream({"x": "abc"})] == ["a", "b", "c"]


@pytest.mark.parametrize("timeout", [{"timeout": 60}, {"first_token_timeout": 60}], ids=["timeout", "first"])
async def test_closing_the_stream_closes_what_is_called(timeout: Any) -> None:
    closed: list[str] = []

    class Noting(OwnStream):
        def stream(self, input: str, config: Any = None, **kwargs: Any) -> Iterator[str]:
            try:
                yield from input
            finally:
                closed.append("sync")
                done.open()

        async def astream(self, input: str, config: Any = None, **kwargs: Any) -> AsyncIterator[str]:
            try:
                for letter in input:
                    yield letter
            finally:
                closed.append("async")

    done = Gate()
    chain = Noting(done).with_timeout(**timeout)
    pieces: Any = chain.stream("abc")
    next(pieces)
    pieces.close()
    assert done.wait(10)
    apieces: Any = chain.astream("abc")
    await anext(apieces)
    await apieces.aclose()
    assert closed == ["sync", "async"]


# ── who hears of it ──────────────────────────────────────────────────────────────────────────────────────────────────


class Hears(BaseCallbackHandler):
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.calls.append(("start", kwargs["name"], kwargs["tags"], kwargs["metadata"]))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.calls.append(("end", outputs, kwargs.get("cancelled", False)))

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.calls.append(("error", error))


@every_way
async def test_it_has_no_run_of_its_own_and_hands_everything_on(way: str) -> None:
    heard = Hears()
    config: Any = {"callbacks": [heard], "tags": ["t", "a"], "metadata": {"m": 1}, "run_name": "named"}
    assert await WAYS[way](RunnableLambda(str.upper).with_timeout(60), "a", config) == "A"
    assert heard.calls == [("start", "named", ["t", "a"], {"m": 1}), ("end", "A", False)]


@every_way
async def test_a_late_run_ends_marked(way: str, gate: Gate) -> None:
    heard = Hears()
    with pytest.raises(ModelTimeoutError):
        await WAYS[way](blocking_function(gate).with_timeout(SOON), "a", {"callbacks": [heard]})
    assert heard.calls == [("start", "blocks", [], {}), ("end", None, True)]


async def test_a_run_id_is_the_inner_runs() -> None:
    ids: list[Any] = []

    class Ids(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            ids.append(str(kwargs["run_id"]))

    one = "00000000-0000-4000-8000-000000000001"
    config: Any = {"callbacks": [Ids()], "run_id": one}
    chain = RunnableLambda(str.upper).with_timeout(60)
    chain.invoke("a", config)
    chain.batch(["a"], config)
    await chain.ainvoke("a", config)
    assert ids == [one] * 3


# ── the object ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seconds", [-1, float("nan"), "1", True])
def test_what_is_no_number_of_seconds_is_refused(seconds: Any) -> None:
    with pytest.raises(InputError, match="timeout"):
        RunnableLambda(str.upper).with_timeout(seconds)
    with pytest.raises(InputError, match="first_token_timeout"):
        RunnableLambda(str.upper).with_timeout(first_token_timeout=seconds)


def test_a_timeout_without_seconds_is_refused() -> None:
    with pytest.raises(InputError, match="number of seconds"):
        RunnableLambda(str.upper).with_timeout()


def test_it_prints_is_named_and_can_be_pickled() -> None:
    chain = EchoLLM(size=2).with_timeout(5, first_token_timeout=1.5)
    assert repr(chain) == "RunnableWithTimeout(bound=EchoLLM(size=2), timeout=5, first_token_timeout=1.5)"
    assert repr(EchoLLM().with_timeout(5)) == "RunnableWithTimeout(bound=EchoLLM(size=1), timeout=5)"
    assert chain.get_name() == "EchoLLM"
    copy = pickle.loads(pickle.dumps(chain))
    assert isinstance(copy, RunnableWithTimeout)
    assert (copy.timeout, copy.first_token_timeout) == (5, 1.5)
    assert copy.invoke("ab") == "ab"


def test_keywords_go_through() -> None:
    given: list[Any] = []

    class Keywords(LLM):
        def _call(self, prompt: str, **kwargs: Any) -> str:
            given.append(kwargs)
            return prompt

    chain: Any = Keywords().with_timeout(60)
    chain.invoke("a", heat=1)
    chain.batch(["a"], heat=1)
    list(chain.stream("a", heat=1))
    list(chain.batch_as_completed(["a"], heat=1))
    assert given == [{"heat": 1}] * 4


async def test_other_failures_come_through_unchanged() -> None:
    error = KeyError("a")

    class Fails(Runnable[str, str]):
        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            raise error

    for way in WAYS.values():
        with pytest.raises(KeyError) as raised:
            await way(Fails().with_timeout(60), "a", None)
        assert raised.value is error
