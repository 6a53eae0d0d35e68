"""`stream_events`: the events of `astream_events`, for sync code."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import pytest

from modelport import (
    LLM,
    CallbackManagerForLLMRun,
    ChatPromptTemplate,
    ModelTimeoutError,
    RunnableLambda,
    StrOutputParser,
)
from modelport.runs.events import BUFFERED_EVENTS
from modelport.values.errors import InputError

PROMPT = ChatPromptTemplate.from_messages([("human", "{q}")])
PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


class Letters(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for letter in prompt:
            yield letter


class SyncLetters(LLM):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield from prompt


class Endless(LLM):
    """Streams for ever; counts its pieces, and notes when it is closed."""

    closed: Any
    made: Any

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        try:
            while True:
                self.made.append(1)
                yield "x"
        finally:
            await asyncio.sleep(0)
            self.closed.append("async")


def shape(events: Any) -> list[tuple[str, str, Any]]:
    return [(event["event"], event["name"], event["data"].get("chunk")) for event in events]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("model", [Letters, SyncLetters])
def test_sync_code_gets_the_events_of_astream_events(model: type[LLM], version: Any) -> None:
    chain = PROMPT | model() | StrOutputParser()

    async def collect() -> list[Any]:
        return [event async for event in chain.astream_events({"q": "hi"}, version=version)]

    ours = shape(chain.stream_events({"q": "hi"}, version=version))
    assert ours == shape(asyncio.run(collect()))
    assert len(ours) > 10


def test_the_filters_are_those_of_astream_events() -> None:
    chain = PROMPT | Letters() | StrOutputParser()
    events = list(chain.stream_events({"q": "hi"}, include_types=["parser"], exclude_tags=["nobody"]))
    assert {event["name"] for event in events} == {"StrOutputParser"}


def test_events_come_while_the_call_runs() -> None:
    go = threading.Event()

    def step(text: str) -> str:
        assert go.wait(20)
        return text

    events = RunnableLambda(step).stream_events("x")
    assert next(events)["event"] == "on_chain_start"
    go.set()
    assert [event["event"] for event in events] == ["on_chain_stream", "on_chain_end"]


def test_a_failure_is_raised_after_its_events() -> None:
    def fail(text: str) -> str:
        raise RuntimeError("down")

    names: list[str] = []
    with pytest.raises(RuntimeError, match="down"):  # noqa: PT012 - the events come first
        for event in RunnableLambda(fail).stream_events("x"):
            names.append(event["event"])  # noqa: PERF401 - what came before the error counts
    assert names == ["on_chain_start", "on_chain_error"]


def test_an_unknown_version_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="'v1' and 'v2', not 'v3'"):
        Letters().stream_events("x", version="v3")  # pyright: ignore[reportArgumentType]


def test_closing_cancels_the_call_and_waits_for_it() -> None:
    closed: list[str] = []
    with closing(Endless(closed=closed, made=[]).stream_events("x")) as events:
        for event in events:
            if event["event"] == "on_llm_stream":
                break
    assert closed == ["async"]


def test_closing_tells_a_sync_hook() -> None:
    cancelled = threading.Event()

    class Waiting(LLM):
        def _stream(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> Iterator[str]:
            try:
                while not run_manager.cancelled:
                    yield "x"
            finally:
                cancelled.set()

    events = Waiting().stream_events("x")
    # A generator that has not begun has no `finally` to run: the first token says that it has.
    assert any(event["event"] == "on_llm_stream" for event in events)
    events.close()
    assert cancelled.wait(20)


def test_the_call_waits_for_a_slow_consumer() -> None:
    made: list[int] = []
    with closing(Endless(closed=[], made=made).stream_events("x")) as events:
        for _ in range(3):
            next(events)
        # Another call on the same loop: the first one had all the turns it wanted.
        list(Letters().stream_events("y" * 200))
        assert len(made) <= BUFFERED_EVENTS + 3


def test_a_deadline_ends_the_stream() -> None:
    class Stuck(LLM):
        async def _astream(self, prompt: str) -> AsyncIterator[str]:
            yield "x"
            await asyncio.Event().wait()

    with pytest.raises(ModelTimeoutError):
        list(Stuck().stream_events("x", {"timeout": 0.05}))


def test_context_variables_of_the_caller_hold_inside() -> None:
    seen: list[str] = []

    def look(text: str) -> str:
        seen.append(PLACE.get())
        return text

    token = PLACE.set("here")
    try:
        list(RunnableLambda(look).stream_events("x"))
    finally:
        PLACE.reset(token)
    assert seen == ["here"]


async def test_on_a_running_loop_it_does_not_need_that_loop() -> None:
    assert len(shape((PROMPT | Letters()).stream_events({"q": "hi"}))) > 5


def nested(text: str) -> str:
    events = (PROMPT | Letters()).stream_events({"q": text})
    return "".join(event["data"]["chunk"] for event in events if event["event"] == "on_chain_stream")


async def anested(text: str) -> str:
    return nested(text)


@pytest.mark.parametrize("step", [nested, anested])
def test_inside_a_step_that_runs_on_the_background_loop_it_finds_another_one(step: Any) -> None:
    chain = RunnableLambda(step)
    assert chain.invoke("hi") == "Human: hi"
    assert next(event for event in chain.stream_events("hi") if event["event"] == "on_chain_stream")


def test_a_sync_step_of_a_nested_call_may_call_async_models() -> None:
    class Outer(LLM):
        async def _acall(self, prompt: str) -> str:
            inner = RunnableLambda(lambda text: "".join(Letters().stream(text)))
            ends = [event for event in inner.stream_events(prompt) if event["event"] == "on_chain_end"]
            return ends[0]["data"]["output"]

    assert Outer().invoke("hi") == "hi"


async def test_a_call_inside_another_one_is_told_to_both() -> None:
    events = [event async for event in RunnableLambda(nested).astream_events("hi")]
    assert [event["data"]["chunk"].text for event in events if event["event"] == "on_llm_stream"] == list("Human: hi")


def test_threads_stream_events_at_the_same_time() -> None:
    together = threading.Barrier(8)
    results: list[int] = []

    def work() -> None:
        together.wait(20)
        results.append(len(list((PROMPT | SyncLetters()).stream_events({"q": "hi"}))))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == 8
    assert len(set(results)) == 1
