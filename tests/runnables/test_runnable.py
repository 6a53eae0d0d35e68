"""`Runnable`: what follows from `invoke` alone, and batches of all kinds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import LLM, BaseCallbackHandler, Runnable, RunnableLambda
from modelport.runnables.joining import join
from modelport.values.errors import InputError


class Double(Runnable[Any, Any]):
    """Has `invoke` alone."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        self.threads.add(threading.get_ident())
        return input * 2


class Bad(LLM):
    """Refuses some prompts."""

    def _call(self, prompt: str) -> str:
        if prompt.startswith("bad"):
            raise RuntimeError(prompt)
        return prompt


async def apieces(*given: Any) -> AsyncIterator[Any]:
    for piece in given:
        yield piece


class TestWhatFollowsFromInvoke:
    async def test_all_ways_to_call(self) -> None:
        double = Double()
        assert await double.ainvoke("a") == "aa"
        assert list(double.stream("a")) == ["aa"]
        assert [piece async for piece in double.astream("a")] == ["aa"]
        assert double.batch(["a", "b"]) == ["aa", "bb"]
        assert await double.abatch(["a", "b"]) == ["aa", "bb"]
        assert list(double.transform(iter(["a", "b"]))) == ["abab"]
        assert [piece async for piece in double.atransform(apieces("a", "b"))] == ["abab"]
        assert list(double.transform(iter([]))) == []
        assert [piece async for piece in double.atransform(apieces())] == []

    async def test_invoke_runs_in_a_thread_for_async_callers(self) -> None:
        double = Double()
        await double.ainvoke("a")
        assert threading.get_ident() not in double.threads

    async def test_it_is_a_step_like_others(self) -> None:
        chain = Double() | str.upper
        assert chain.invoke("a") == "AA"
        assert [event["event"] async for event in chain.astream_events("a")] == [
            "on_chain_start",
            "on_chain_start",
            "on_chain_stream",
            "on_chain_stream",
            "on_chain_end",
            "on_chain_end",
        ]

    def test_without_invoke_it_says_so(self) -> None:
        class Empty(Runnable[Any, Any]): ...

        with pytest.raises(NotImplementedError, match="Empty must define invoke"):
            Empty().invoke("x")


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ([], None),
        ([4], 4),
        (["a", "b"], "ab"),
        ([1, 2, 3], 6),
        ([[1], [2]], [1, 2]),
        ([{"a": "x"}, {"a": "y", "b": 1}, {"b": 2}], {"a": "xy", "b": 3}),
        ([{"a": None}, {"a": "x"}], {"a": "x"}),
        ([{"a": "x"}, {}], {"a": "x"}),
        ([object, "last"], "last"),
        ([{"a": 1}, "last"], "last"),
    ],
)
def test_pieces_join_to_the_whole(given: list[Any], whole: Any) -> None:
    assert join(given) == whole


class Barrier(LLM):
    """Answers only when all of a batch run at once."""

    barrier: Any

    def _call(self, prompt: str) -> str:
        self.barrier.wait(30)
        return prompt


class TestBatches:
    def chains(self) -> list[Any]:
        return [Bad(), RunnableLambda(lambda x: x) | Bad(), RunnableLambda(Bad().invoke)]

    async def test_order_is_kept_and_a_failure_stays_in_its_slot(self) -> None:
        for chain in self.chains():
            for batch in (
                chain.batch(["a", "bad 1", "b"], return_exceptions=True),
                await chain.abatch(["a", "bad 1", "b"], return_exceptions=True),
            ):
                assert [str(one) for one in batch] == ["a", "bad 1", "b"]
                assert isinstance(batch[1], RuntimeError)

    async def test_the_first_failure_in_order_is_raised(self) -> None:
        for chain in self.chains():
            with pytest.raises(RuntimeError, match="bad 1"):
                chain.batch(["a", "bad 1", "bad 2"])
            with pytest.raises(RuntimeError, match="bad 1"):
                await chain.abatch(["a", "bad 1", "bad 2"])

    async def test_a_wrong_input_fails_its_slot_alone(self) -> None:
        inputs: Any = ["a", 4]
        for answers in (
            Bad().batch(inputs, return_exceptions=True),
            await Bad().abatch(inputs, return_exceptions=True),
        ):
            assert answers[0] == "a"
            assert isinstance(answers[1], InputError)
        with pytest.raises(InputError, match=r"4 \(int\) is no prompt"):
            Bad().batch(inputs)

    async def test_nothing_gives_nothing(self) -> None:
        for chain in self.chains():
            assert chain.batch([]) == []
            assert await chain.abatch([]) == []
            assert chain.batch([], {"run_id": None}) == []

    async def test_items_run_at_once(self) -> None:
        model = Barrier(barrier=threading.Barrier(8))
        step = RunnableLambda(str.upper)
        inputs = list("abcdefgh")
        assert model.batch(inputs) == inputs
        assert await model.abatch(inputs) == inputs
        assert (step | model).batch(inputs) == list("ABCDEFGH")
        assert await (step | model).abatch(inputs) == list("ABCDEFGH")

    @pytest.mark.parametrize("where", ["config", "ambient", "configs"])
    async def test_max_concurrency_bounds_a_batch(self, where: str) -> None:
        lock, pair = threading.Lock(), threading.Barrier(2)
        running, most = 0, 0

        def step(value: str) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            pair.wait(30)  # two run at once, no fewer
            with lock:
                running -= 1
            return value

        chain: Any = RunnableLambda(step)
        inputs = list("abcdefgh")
        limit: Any = {"max_concurrency": 2}
        if where == "ambient":
            outer: Any = RunnableLambda(lambda _: chain.batch(inputs))
            assert outer.invoke("x", limit) == inputs
        else:
            config = limit if where == "config" else [limit] + [{}] * 7
            assert chain.batch(inputs, config) == inputs
            assert await chain.abatch(inputs, config) == inputs
        assert most == 2

    def test_each_input_may_have_a_config_of_its_own(self) -> None:
        heard: list[Any] = []

        class Hears(BaseCallbackHandler):
            def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
                heard.append((prompts[0], kwargs["tags"]))

        handler = Hears()
        configs: Any = [{"callbacks": [handler], "tags": [tag]} for tag in "xy"]
        assert Bad().batch(["a", "b"], configs) == ["a", "b"]
        assert sorted(heard) == [("a", ["x"]), ("b", ["y"])]
        assert RunnableLambda(str.upper).batch(["a"], [{}]) == ["A"]

    async def test_configs_and_inputs_must_be_as_many(self) -> None:
        for chain in self.chains():
            with pytest.raises(InputError, match="batch got 1 configs for 2 inputs; give one"):
                chain.batch(["a", "b"], [{}])
            with pytest.raises(InputError, match="batch got 3 configs for 2 inputs"):
                await chain.abatch(["a", "b"], [{}, {}, {}])

    async def test_cancelling_a_batch_cancels_its_items(self) -> None:
        started, cancelled = asyncio.Event(), 0

        async def stuck(value: str) -> str:
            nonlocal cancelled
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1
                raise
            return value

        task = asyncio.create_task(RunnableLambda(stuck).abatch(["a", "b", "c"]))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cancelled == 3

    def test_an_interrupt_is_no_result(self) -> None:
        def interrupted(value: str) -> str:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            RunnableLambda(interrupted).batch(["a", "b"], return_exceptions=True)

    async def test_keywords_reach_every_item(self) -> None:
        def step(value: str, suffix: str) -> str:
            return value + suffix

        chain: Any = RunnableLambda(step)
        assert chain.batch(["a", "b"], suffix="!") == ["a!", "b!"]
        assert await chain.abatch(["a", "b"], suffix="!") == ["a!", "b!"]


def test_a_stream_of_one_piece_is_lazy() -> None:
    calls: list[str] = []

    class Noting(Runnable[str, str]):
        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            calls.append(input)
            return input

    stream: Iterator[str] = Noting().stream("a")
    assert calls == []
    assert list(stream) == calls == ["a"]
