"""`RunnableParallel` and dicts in `|`: steps at once, their pieces as they come, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from typing import Any

import pytest

from modelport import (
    LLM,
    BaseCallbackHandler,
    ModelTimeoutError,
    PromptTemplate,
    Runnable,
    RunnableLambda,
    RunnableParallel,
    StrOutputParser,
)
from modelport.engine.concurrency import BATCH_THREADS
from modelport.runnables.joining import join
from modelport.runnables.tees import TEE_PIECES
from modelport.values.errors import InputError

LONG = "x" * 100_000
"""A stream that is not over before it is closed."""
WAIT_SECONDS = 10.0
"""How long a test waits for what must come; it only runs out when something is broken."""


class Silent(BaseCallbackHandler):
    """Listens."""


LISTENING: Any = {"callbacks": [Silent()]}
TIMED: Any = {"timeout": 60}
CONFIGS = pytest.mark.parametrize("config", [None, TIMED, LISTENING], ids=["bare", "timed", "heard"])


class Letters(LLM):
    """Streams letter by letter, and says when it was closed."""

    closed: list[str] = []

    def _stream(self, prompt: str) -> Iterator[str]:
        try:
            yield from prompt
        finally:
            self.closed.append("sync")

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        try:
            for letter in prompt:
                yield letter
        finally:
            await asyncio.sleep(0)
            self.closed.append("async")


def letters() -> Letters:
    return Letters(closed=[])


async def given(*values: Any) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def every_way(chain: Any, value: Any, config: Any) -> list[Any]:
    return [
        chain.invoke(value, config),
        await chain.ainvoke(value, config),
        join(list(chain.stream(value, config))),
        join([piece async for piece in chain.astream(value, config)]),
        join(list(chain.transform(iter([value]), config))),
        join([piece async for piece in chain.atransform(given(value), config)]),
        *chain.batch([value, value], config),
        *await chain.abatch([value, value], config),
    ]


class Together:
    """Holds everybody back until a number of callers is there at once."""

    def __init__(self, count: int) -> None:
        self.threads = threading.Barrier(count)
        self.tasks = asyncio.Barrier(count)

    def step(self) -> RunnableLambda[Any, Any]:
        def wait(value: Any) -> Any:
            self.threads.wait(WAIT_SECONDS)
            return value

        async def await_others(value: Any) -> Any:
            async with asyncio.timeout(WAIT_SECONDS):
                await self.tasks.wait()
            return value

        return RunnableLambda(wait, await_others)


class TestAnswers:
    @CONFIGS
    @pytest.mark.parametrize(
        ("chain", "answer"),
        [
            (RunnableParallel(a=str.upper, b=len), {"a": "HI", "b": 2}),
            (RunnableParallel({"a": str.upper}, b=letters()), {"a": "HI", "b": "hi"}),
            (RunnableParallel(a=str.upper), {"a": "HI"}),
            (RunnableParallel(), {}),
            (RunnableParallel(a={"b": {"c": str.upper}, "d": len}), {"a": {"b": {"c": "HI"}, "d": 2}}),
            (letters() | {"a": str.upper, "b": StrOutputParser()}, {"a": "HI", "b": "hi"}),
            ({"x": letters()} | PromptTemplate("{x}!") | letters() | {"y": letters(), "z": len}, None),
        ],
        ids=["two", "dict", "one", "none", "nested", "piped", "first-and-last"],
    )
    async def test_every_way_to_call_gives_the_same_dict(self, chain: Any, answer: Any, config: Any) -> None:
        if answer is None:
            assert chain.invoke("hi")["y"] == "hi!"
            answer = chain.invoke("hi") | {"z": 3}
            chain = chain | (lambda out: {**out, "z": 3})
        assert await every_way(chain, "hi", config) == [answer] * 10

    async def test_the_keys_keep_their_order(self) -> None:
        chain = RunnableParallel(b=str.upper, a=len)
        assert list(chain.invoke("x")) == ["b", "a"]
        assert list(await chain.ainvoke("x")) == ["b", "a"]

    @CONFIGS
    async def test_what_context_variables_hold_is_seen_in_every_step_and_stays_there(self, config: Any) -> None:
        who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
        who.set("caller")

        def sees(value: Any) -> str:
            seen = who.get()
            who.set("step")
            return seen

        async def asees(value: Any) -> str:
            return sees(value)

        chain = RunnableParallel(a=RunnableLambda(sees, asees), b=RunnableLambda(sees, asees))
        assert await every_way(chain, 1, config) == [{"a": "caller", "b": "caller"}] * 10
        assert who.get() == "caller"


class TestConcurrency:
    @CONFIGS
    async def test_eight_steps_meet_at_one_barrier(self, config: Any) -> None:
        together = Together(8)
        chain = RunnableParallel({f"step{n}": together.step() for n in range(8)})
        answer = {f"step{n}": 1 for n in range(8)}
        assert chain.invoke(1, config) == answer
        assert await chain.ainvoke(1, config) == answer
        assert join(list(chain.stream(1, config))) == answer
        assert join([piece async for piece in chain.astream(1, config)]) == answer

    def test_more_steps_than_a_batch_has_threads_meet_too(self) -> None:
        count = BATCH_THREADS + 4
        together = Together(count)
        chain = RunnableParallel({f"step{n}": together.step() for n in range(count)})
        assert len(chain.invoke(1)) == count

    @pytest.mark.parametrize("limit", [1, 2])
    async def test_max_concurrency_bounds_the_steps(self, limit: int) -> None:
        lock = threading.Lock()
        working, most = 0, 0

        def enter(change: int) -> None:
            nonlocal working, most
            with lock:
                working += change
                most = max(most, working)

        def step(value: Any) -> Any:
            enter(1)
            threading.Event().wait(0.002)
            enter(-1)
            return value

        async def astep(value: Any) -> Any:
            enter(1)
            for _ in range(5):
                await asyncio.sleep(0)
            enter(-1)
            return value

        chain = RunnableParallel({str(n): RunnableLambda(step, astep) for n in range(6)})
        config: Any = {"max_concurrency": limit}
        parts = [0] * TEE_PIECES * 2 + [1]
        for answer in (
            chain.invoke(1, config),
            await chain.ainvoke(1, config),
            join(list(chain.stream(1, config))),
            join([piece async for piece in chain.astream(1, config)]),
            # More pieces than a tee holds, for steps of which some have not started.
            join(list(chain.transform(iter(parts), config))),
            join([piece async for piece in chain.atransform(given(*parts), config)]),
        ):
            assert answer == {str(n): 1 for n in range(6)}
        assert most == limit


class TestFailures:
    @CONFIGS
    async def test_the_first_failure_in_the_order_of_the_keys_is_raised_unchanged(self, config: Any) -> None:
        first, second = RuntimeError("first"), RuntimeError("second")
        together = Together(2)

        def failing(error: Exception) -> Any:
            def fail(value: Any) -> Any:
                raise error

            return together.step() | RunnableLambda(fail)

        chain = RunnableParallel(a=len, b=failing(first), c=failing(second))
        with pytest.raises(RuntimeError) as raised:
            chain.invoke("x", config)
        assert raised.value is first
        results = chain.batch(["x"], config, return_exceptions=True)
        assert results == [first]

    def test_a_sync_call_ends_when_all_its_steps_have(self) -> None:
        failed, ended = threading.Event(), threading.Event()

        def fail(value: Any) -> Any:
            failed.set()
            raise RuntimeError("no")

        def slow(value: Any) -> Any:
            failed.wait(WAIT_SECONDS)
            threading.Event().wait(0.01)
            ended.set()

        with pytest.raises(RuntimeError, match="no"):
            RunnableParallel(a=slow, b=fail).invoke(1)
        assert ended.is_set()

    def test_a_step_that_waits_for_its_turn_is_not_started_after_a_failure(self) -> None:
        called: list[Any] = []

        def fail(value: Any) -> Any:
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            RunnableParallel(a=fail, b=called.append).invoke(1, {"max_concurrency": 1})
        assert called == []

    @CONFIGS
    async def test_an_async_failure_cancels_the_other_steps_and_waits_for_them(self, config: Any) -> None:
        begun, log = asyncio.Event(), []

        async def endless(value: Any) -> None:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                log.append("cancelled")

        async def fail(value: Any) -> Any:
            await begun.wait()
            raise RuntimeError("no")

        chain = RunnableParallel(a=endless, b=fail)
        with pytest.raises(RuntimeError, match="no"):
            await chain.ainvoke(1, config)
        assert log == ["cancelled"]
        begun.clear()
        with pytest.raises(RuntimeError, match="no"):
            async for _ in chain.astream(1, config):
                pass
        assert log == ["cancelled"] * 2

    async def test_a_cancel_that_an_author_raises_is_that_steps_failure(self) -> None:
        async def cancelled(value: Any) -> Any:
            raise asyncio.CancelledError

        chain = RunnableParallel(a=cancelled, b=len)
        with pytest.raises(asyncio.CancelledError):
            await chain.ainvoke("x")
        with pytest.raises(asyncio.CancelledError):
            async for _ in chain.astream("x"):
                pass
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    @CONFIGS
    async def test_cancelling_the_caller_cancels_every_step(self, config: Any) -> None:
        log: list[str] = []
        begun = asyncio.Barrier(3)

        async def endless(value: Any) -> None:
            try:
                await begun.wait()
                await asyncio.Event().wait()
            finally:
                for _ in range(10):
                    await asyncio.sleep(0)
                log.append("cancelled")

        chain = RunnableParallel(a=endless, b=endless)

        async def streamed() -> None:
            async with aclosing(chain.astream(1, config)) as pieces:
                async for _ in pieces:
                    pass

        for call in (chain.ainvoke(1, config), streamed()):
            task: asyncio.Task[Any] = asyncio.ensure_future(call)
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert log == ["cancelled"] * 2
            log.clear()

    @CONFIGS
    async def test_a_failing_step_of_a_stream_closes_the_models_of_the_others(self, config: Any) -> None:
        model = letters()

        def fail(value: Any) -> Any:
            raise RuntimeError("no")

        chain = RunnableParallel(a=model, b=fail)
        with pytest.raises(RuntimeError, match="no"):
            list(chain.stream("a" * 1000, config))
        with pytest.raises(RuntimeError, match="no"):
            async for _ in chain.astream("a" * 1000, config):
                pass
        await closed(model, ["sync", "async"], config)

    async def test_a_deadline_holds_in_every_step(self) -> None:
        left = threading.Event()

        class Endless(LLM):
            def _call(self, prompt: str, run_manager: Any) -> str:
                while not run_manager.cancelled:
                    threading.Event().wait(0.001)
                left.set()
                return ""

        chain: Any = RunnableParallel(a=Endless(), b=len)
        config: Any = {"timeout": 0.02}
        calls: list[Callable[[], Any]] = [
            lambda: chain.invoke("x", config),
            lambda: list(chain.stream("x", config)),
            lambda: chain.batch(["x", "y"], config),
        ]
        for call in calls:
            with pytest.raises(ModelTimeoutError):
                call()
            assert left.wait(WAIT_SECONDS)
            left.clear()
        with pytest.raises(ModelTimeoutError):
            await chain.ainvoke("x", config)
        with pytest.raises(ModelTimeoutError):
            async for _ in chain.astream("x", config):
                pass


async def closed(model: Letters, how: list[str], config: Any) -> None:
    """Check that a model was closed; under a deadline its own thread closes it, which may still be at it."""
    while config is TIMED and len(model.closed) < len(how):  # noqa: ASYNC110 - a thread is waited for
        await asyncio.sleep(0)
    assert sorted(model.closed) == sorted(how)


class TestStreams:
    @CONFIGS
    async def test_tokens_come_before_a_slow_step_is_done(self, config: Any) -> None:
        seen, aseen = threading.Event(), asyncio.Event()

        def slow(value: Any) -> str:
            assert seen.wait(WAIT_SECONDS)
            return "slow"

        async def aslow(value: Any) -> str:
            async with asyncio.timeout(WAIT_SECONDS):
                await aseen.wait()
            return "slow"

        chain = PromptTemplate("{x}") | {"tokens": letters(), "slow": RunnableLambda(slow, aslow)}
        pieces: list[Any] = []
        for piece in chain.stream({"x": "abc"}, config):
            pieces.append(piece)
            if len(pieces) == 3:
                seen.set()
        assert pieces == [{"tokens": "a"}, {"tokens": "b"}, {"tokens": "c"}, {"slow": "slow"}]
        pieces = []
        async for piece in chain.astream({"x": "abc"}, config):
            pieces.append(piece)
            if len(pieces) == 3:
                aseen.set()
        assert pieces == [{"tokens": "a"}, {"tokens": "b"}, {"tokens": "c"}, {"slow": "slow"}]

    @CONFIGS
    @pytest.mark.parametrize("tail", [None, StrOutputParser()], ids=["model", "parsed"])
    async def test_closing_a_stream_closes_its_models_at_once(self, config: Any, tail: Any) -> None:
        models = letters(), letters()
        first, second = (model if tail is None else model | tail for model in models)
        chain = PromptTemplate("{x}") | RunnableParallel(a=first, b=second)
        stream = chain.stream({"x": LONG}, config)
        seen: set[str] = set()
        while seen != {"a", "b"}:
            seen.update(next(stream))
        stream.close()
        for model in models:
            await closed(model, ["sync"], config)
        pieces = chain.astream({"x": LONG}, config)
        assert {key for piece in [await anext(pieces) for _ in range(3)] for key in piece} == {"a", "b"}
        await pieces.aclose()
        for model in models:
            await closed(model, ["sync", "async"], None)

    @CONFIGS
    def test_a_step_runs_no_piece_further_than_its_consumer(self, config: Any) -> None:
        """As a stream of one model is pulled, so are those of many: each makes one piece, and waits."""
        made: list[str] = []
        waiting = threading.Semaphore(0)

        class Counting(Letters):
            def _stream(self, prompt: str) -> Iterator[str]:
                for letter in prompt:
                    made.append(letter)
                    waiting.release()
                    yield letter

        stream = RunnableParallel(a=Counting(), b=Counting()).stream("abcdef", config)
        next(stream)
        for _ in range(2):
            assert waiting.acquire(timeout=WAIT_SECONDS)
        assert made == ["a", "a"]
        next(stream)
        assert waiting.acquire(timeout=WAIT_SECONDS)
        assert sorted(made) == ["a", "a", "b"]
        stream.close()

    @CONFIGS
    async def test_an_async_step_runs_no_piece_further_than_its_consumer(self, config: Any) -> None:
        made: list[str] = []

        class Counting(Letters):
            async def _astream(self, prompt: str) -> AsyncIterator[str]:
                for letter in prompt:
                    made.append(letter)
                    yield letter

        pieces = RunnableParallel(a=Counting(), b=Counting()).astream("abcdef", config)
        await anext(pieces)
        for _ in range(20):
            await asyncio.sleep(0)
        assert made == ["a", "a"]
        await anext(pieces)
        for _ in range(20):
            await asyncio.sleep(0)
        assert sorted(made) == ["a", "a", "b"]
        await pieces.aclose()

    def test_a_steps_stream_is_closed_by_name_and_where_it_ran(self) -> None:
        """A stream need be no generator, which would close when it is forgotten."""
        places: list[int] = []

        class Stream:
            def __iter__(self) -> Iterator[Any]:
                return self

            def __next__(self) -> str:
                return "x"

            def close(self) -> None:
                places.append(threading.get_ident())

        class Streaming(Runnable[Any, Any]):
            def transform(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
                return Stream()

        stream = RunnableParallel(a=Streaming(), b=Streaming()).stream(1)
        seen: set[str] = set()
        while seen != {"a", "b"}:
            seen.update(next(stream))
        stream.close()
        assert len(places) == len(set(places)) == 2
        assert threading.get_ident() not in places

    def test_no_thread_works_for_a_stream_that_was_closed(self) -> None:
        going: set[int] = set()

        class Noting(Runnable[Any, Any]):
            def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
                going.add(threading.get_ident())
                try:
                    yield from input
                finally:
                    threading.Event().wait(0.002)
                    going.discard(threading.get_ident())

        chain = RunnableParallel(a=Noting(), b=Noting(), c=Noting())
        with closing(chain.transform(iter(range(1000)))) as stream:
            while len(going) < 3:
                next(stream)
            assert threading.get_ident() not in going
        assert going == set()

    async def test_no_task_works_for_a_stream_that_was_closed(self) -> None:
        chain = given_letters() | RunnableParallel(a=letters(), b=StrOutputParser(), c=letters())
        before = asyncio.all_tasks()
        pieces = chain.astream("abcdef")
        for _ in range(3):
            await anext(pieces)
        assert len(asyncio.all_tasks()) > len(before)
        await pieces.aclose()
        assert asyncio.all_tasks() == before

    async def test_a_stream_that_is_never_asked_for_starts_nothing(self) -> None:
        model = letters()
        chain = RunnableParallel(a=model, b=model)
        chain.stream("abc").close()
        await chain.astream("abc").aclose()
        assert model.closed == []


def given_letters() -> Any:
    return letters() | StrOutputParser()


class Reader(Runnable[Any, Any]):
    """Reads its input stream a piece at a time, each when it is let."""

    def __init__(self) -> None:
        self.turns, self.aturns = threading.Semaphore(0), asyncio.Semaphore(0)
        self.read = 0

    def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
        while self.turns.acquire(timeout=WAIT_SECONDS):
            piece = next(input, None)
            if piece is None:
                return
            self.read += 1
        yield "late"

    async def atransform(self, input: AsyncIterator[Any], config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        await self.aturns.acquire()
        async for _ in input:
            self.read += 1
            await self.aturns.acquire()
        yield "end"

    def let_all(self) -> None:
        for _ in range(1000):
            self.turns.release()
            self.aturns.release()


class TestInput:
    """Every step reads the whole input stream, and none gets far ahead of another."""

    @CONFIGS
    async def test_each_step_gets_every_piece_as_it_comes(self, config: Any) -> None:
        chain = RunnableParallel(a=StrOutputParser(), b=StrOutputParser(), c=str.upper)
        pieces = list(chain.transform(iter("abc"), config))
        apieces = [piece async for piece in chain.atransform(given(*"abc"), config)]
        for found in (pieces, apieces):
            assert [piece["a"] for piece in found if "a" in piece] == list("abc")
            assert [piece["b"] for piece in found if "b" in piece] == list("abc")
            assert [piece["c"] for piece in found if "c" in piece] == ["ABC"]

    def test_a_fast_step_waits_for_a_slow_one(self) -> None:
        pulled: list[int] = []

        def source() -> Iterator[str]:
            for n in range(500):
                pulled.append(n)
                yield "x"

        slow = Reader()
        stream = RunnableParallel(fast=StrOutputParser(), slow=slow).transform(source())
        for _ in range(TEE_PIECES):
            assert next(stream) == {"fast": "x"}
        assert len(pulled) == TEE_PIECES
        later = threading.Timer(0.01, slow.let_all)
        later.start()
        assert next(stream) == {"fast": "x"}
        assert slow.read > 0
        assert len(list(stream)) == 500 - TEE_PIECES - 1
        later.join()
        assert len(pulled) == 500

    async def test_a_fast_async_step_waits_for_a_slow_one(self) -> None:
        pulled: list[int] = []

        async def source() -> AsyncIterator[str]:
            for n in range(500):
                pulled.append(n)
                yield "x"

        slow = Reader()
        stream = RunnableParallel(fast=StrOutputParser(), slow=slow).atransform(source())
        for _ in range(TEE_PIECES):
            assert await anext(stream) == {"fast": "x"}
        one_more = asyncio.ensure_future(anext(stream))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not one_more.done()
        assert len(pulled) == TEE_PIECES
        slow.let_all()
        assert await one_more == {"fast": "x"}
        rest = [piece async for piece in stream]
        assert [piece for piece in rest if "slow" in piece] == [{"slow": "end"}]
        assert len(pulled) == 500

    async def test_a_step_that_reads_nothing_holds_nobody_up(self) -> None:
        class Deaf(Runnable[Any, Any]):
            def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
                yield "deaf"

            async def atransform(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
                yield "deaf"

        chain = RunnableParallel(a=Deaf(), b=StrOutputParser())
        many = TEE_PIECES * 3
        assert len(list(chain.transform(iter("x" * many)))) == many + 1
        assert len([piece async for piece in chain.atransform(given(*"x" * many))]) == many + 1

    @CONFIGS
    async def test_a_failing_input_is_the_callers_to_see_and_no_step_takes_it_for_the_whole(self, config: Any) -> None:
        called: list[Any] = []
        error = RuntimeError("no")

        def source() -> Iterator[str]:
            yield "half"
            raise error

        async def asource() -> AsyncIterator[str]:
            yield "half"
            raise error

        chain = RunnableParallel(a=called.append, b=called.append, c=StrOutputParser())
        with pytest.raises(RuntimeError) as raised:
            list(chain.transform(source(), config))
        assert raised.value is error
        with pytest.raises(RuntimeError) as raised:
            async for _ in chain.atransform(asource(), config):
                pass
        assert raised.value is error
        assert called == []

    @CONFIGS
    async def test_a_step_that_waits_for_the_rest_of_its_input_is_not_run_when_the_consumer_leaves(
        self, config: Any
    ) -> None:
        called: list[Any] = []
        log: list[str] = []
        chain = RunnableParallel(a=StrOutputParser(), b=called.append)

        def source() -> Iterator[str]:
            try:
                yield from "a" * TEE_PIECES * 2
            finally:
                log.append("closed")

        async def asource() -> AsyncIterator[str]:
            try:
                for letter in "a" * TEE_PIECES * 2:
                    yield letter
            finally:
                await asyncio.sleep(0)
                log.append("closed")

        stream = chain.transform(source(), config)
        assert next(stream) == {"a": "a"}
        stream.close()
        pieces = chain.atransform(asource(), config)
        assert await anext(pieces) == {"a": "a"}
        await pieces.aclose()
        assert called == []
        assert log == ["closed"] * 2

    async def test_a_step_that_stops_waiting_for_its_input_does_not_end_it_for_the_others(self) -> None:
        waiting, go_on = asyncio.Event(), asyncio.Event()

        async def source() -> AsyncIterator[str]:
            yield "a"
            waiting.set()
            await go_on.wait()
            yield "b"

        class Impatient(Runnable[Any, Any]):
            async def atransform(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
                await anext(input)
                task = asyncio.ensure_future(anext(input))
                await waiting.wait()
                task.cancel()
                await asyncio.wait([task])
                go_on.set()
                yield "left"

        chain = RunnableParallel(a=Impatient(), b=StrOutputParser())
        pieces = [piece async for piece in chain.atransform(source())]
        assert pieces == [{"b": "a"}, {"a": "left"}, {"b": "b"}]

    async def test_an_empty_input_gives_nothing(self) -> None:
        configs: list[Any] = [None, {"max_concurrency": 1}]
        for chain in (RunnableParallel(a=len, b=len), RunnableParallel(a=len), RunnableParallel()):
            for config in configs:
                assert list(chain.transform(iter([]), config)) == []
                assert [piece async for piece in chain.atransform(given(), config)] == []


class TestMaking:
    def test_it_is_named_after_its_keys(self) -> None:
        assert RunnableParallel(a=len, b=len).get_name() == "RunnableParallel<a,b>"
        assert RunnableParallel({"a": len}, name="mine").get_name() == "mine"

    def test_a_step_may_be_called_name_or_steps(self) -> None:
        chain = RunnableParallel(name=str.upper, steps=len, self=len)
        assert chain.invoke("ab") == {"name": "AB", "steps": 2, "self": 2}
        assert chain.name is None

    def test_it_prints_its_steps(self) -> None:
        chain = PromptTemplate("{x}") | {"a": str.upper, "b": {"c": len}}
        assert repr(chain) == "PromptTemplate('{x}') | {'a': RunnableLambda(upper), 'b': {'c': RunnableLambda(len)}}"

    @pytest.mark.parametrize("value", ["text", 4, None, [len]])
    def test_a_value_that_can_be_no_step_is_refused(self, value: Any) -> None:
        with pytest.raises(InputError, match="can be no step of a sequence; give a runnable or a function, or a dict"):
            RunnableParallel({"a": value})
        with pytest.raises(InputError, match="can be no step"):
            _ = letters() | {"a": {"b": value}}

    def test_a_key_that_is_no_text_is_refused(self) -> None:
        with pytest.raises(InputError, match="keys of a parallel are texts, not 4"):
            RunnableParallel({4: len})  # pyright: ignore[reportArgumentType]

    def test_a_class_in_place_of_an_instance_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"StrOutputParser is a class .* write StrOutputParser\("):
            _ = letters() | StrOutputParser

    async def test_it_is_pickled_when_its_steps_are(self) -> None:
        chain = pickle.loads(pickle.dumps(RunnableParallel({"a": len, "b": {"c": str.upper}}, name="mine")))
        assert await every_way(chain, "ab", None) == [{"a": 2, "b": {"c": "AB"}}] * 10
        assert chain.get_name() == "mine"

    async def test_keywords_go_to_no_step(self) -> None:
        chain = RunnableParallel(a=letters(), b=len)
        assert chain.invoke("ab", heat=1) == await chain.ainvoke("ab", heat=1) == {"a": "ab", "b": 2}
        assert chain.batch(["ab"], heat=1) == [{"a": "ab", "b": 2}]
        bound = RunnableParallel(a=letters().bind(stop=["b"]))
        assert bound.invoke("abc") == {"a": "ab"}
