"""`with_timeout`: what goes through it, who hears of it, and the object."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Iterator
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
from modelport.testing.gates import Gate
from modelport.testing.models import EchoLLM
from modelport.values.errors import InputError
from tests.runnables.blocking import OwnStream, blocking_function
from tests.runnables.ways import WAYS, every_way

SOON = 0.03
"""Seconds of a deadline that is meant to pass."""


# ── what goes through it ─────────────────────────────────────────────────────────────────────────────────────────────


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
