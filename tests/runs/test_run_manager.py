"""`run_manager`: what a hook may ask of, and tell, the run that it works for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from modelport import (
    LLM,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManagerForLLMRun,
    GenerationChunk,
    RunnableLambda,
    Usage,
)
from modelport.values.errors import InputError


class Hears(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[tuple[str, Any, UUID]] = []
        self.starts: list[UUID] = []
        self.ends: list[bool] = []

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        self.starts.append(kwargs["run_id"])

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        self.tokens.append((token, chunk, kwargs["run_id"]))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.ends.append(kwargs.get("cancelled", False))


class Doing(LLM):
    """Does what a test gives it, with its `run_manager`."""

    do: Any

    def _call(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> str:
        return self.do(run_manager) or prompt


class AsyncDoing(LLM):
    do: Any

    async def _acall(self, prompt: str, run_manager: AsyncCallbackManagerForLLMRun) -> str:
        return await self.do(run_manager) or prompt


class TestIdentity:
    def test_it_names_the_run_and_what_it_inherits(self) -> None:
        seen: list[Any] = []

        def do(manager: CallbackManagerForLLMRun) -> None:
            seen.append(
                (
                    manager.run_id,
                    manager.parent_run_id,
                    manager.tags,
                    manager.metadata,
                    manager.deadline,
                    manager.remaining_seconds,
                )
            )

        handler = Hears()
        Doing(do=do, tags=["own"], metadata={"own": 1}).invoke(
            "x", {"callbacks": [handler], "tags": ["t"], "metadata": {"m": 1}}
        )
        assert seen == [(handler.starts[0], None, ["t", "own"], {"m": 1, "own": 1}, None, None)]

    def test_inside_a_chain_it_knows_its_parent(self) -> None:
        parents: list[Any] = []
        chains: list[UUID] = []

        class Chains(BaseCallbackHandler):
            def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
                chains.append(kwargs["run_id"])

        model = Doing(do=lambda manager: parents.append(manager.parent_run_id))
        (model | str.upper).invoke("x", {"callbacks": [Chains()]})
        assert parents == [chains[0]]

    def test_when_nobody_listens_it_has_an_id_of_its_own(self) -> None:
        seen: list[Any] = []

        def do(manager: CallbackManagerForLLMRun) -> None:
            seen.append((manager.run_id, manager.run_id))
            assert (manager.parent_run_id, manager.tags, manager.metadata) == (None, [], {})

        model = Doing(do=do)
        model.invoke("x")
        model.invoke("x")
        (first, again), (other, _) = seen
        assert isinstance(first, UUID)
        assert first == again != other

    def test_the_remaining_seconds_are_those_to_the_deadline(self) -> None:
        seen: list[Any] = []

        def do(manager: CallbackManagerForLLMRun) -> None:
            before = time.monotonic()
            left = manager.remaining_seconds
            assert manager.deadline is not None
            assert left is not None
            seen.append(manager.deadline - time.monotonic() <= left <= manager.deadline - before)

        Doing(do=do).invoke("x", {"timeout": 60})
        assert seen == [True]


class TestTokens:
    async def test_a_call_hook_fires_its_own_tokens(self) -> None:
        chunk = GenerationChunk("b")

        def do(manager: CallbackManagerForLLMRun) -> None:
            manager.on_llm_new_token("a")
            manager.on_llm_new_token("b", chunk=chunk)
            manager.on_llm_new_token("")

        async def ado(manager: AsyncCallbackManagerForLLMRun) -> None:
            await manager.on_llm_new_token("a")
            await manager.on_llm_new_token("b", chunk=chunk)
            await manager.on_llm_new_token("")

        for model in (Doing(do=do), AsyncDoing(do=ado)):
            for call in ("invoke", "ainvoke"):
                handler = Hears()
                answer = getattr(model, call)("x", {"callbacks": [handler]})
                assert (await answer if call == "ainvoke" else answer) == "x"
                (run_id,) = handler.starts
                assert handler.tokens == [
                    ("a", GenerationChunk("a"), run_id),
                    ("b", chunk, run_id),
                ]

    async def test_telling_tokens_to_nobody_is_fine_and_can_be_awaited_again(self) -> None:
        async def ado(manager: AsyncCallbackManagerForLLMRun) -> None:
            done = manager.on_llm_new_token("a")
            await done
            await done
            await asyncio.gather(manager.on_llm_new_token("b"), manager.on_llm_new_token("c"))
            manager.get_sync().on_llm_new_token("d")

        assert await AsyncDoing(do=ado).ainvoke("x") == "x"
        assert Doing(do=lambda manager: manager.on_llm_new_token("a")).invoke("x") == "x"

    async def test_the_sync_view_fires_tokens_from_other_threads_too(self) -> None:
        async def ado(manager: AsyncCallbackManagerForLLMRun) -> None:
            view = manager.get_sync()
            assert view.run_id == manager.run_id
            view.on_llm_new_token("here")
            await asyncio.to_thread(view.on_llm_new_token, "there")

        handler = Hears()
        await AsyncDoing(do=ado).ainvoke("x", {"callbacks": [handler]})
        assert [token for token, _, _ in handler.tokens] == ["here", "there"]

    async def test_many_tokens_told_on_the_loop_itself_do_not_wait_for_its_consumer(self) -> None:
        async def ado(manager: AsyncCallbackManagerForLLMRun) -> None:
            view = manager.get_sync()
            for _ in range(200):
                view.on_llm_new_token("t")

        chain = AsyncDoing(do=ado) | str.upper
        events = [event["event"] async for event in chain.astream_events("x")]
        assert events.count("on_llm_stream") == 200

    async def test_many_tokens_told_in_a_thread_reach_the_consumer_in_order(self) -> None:
        async def ado(manager: AsyncCallbackManagerForLLMRun) -> None:
            view = manager.get_sync()

            def work() -> None:
                for number in range(200):
                    view.on_llm_new_token(str(number))

            await asyncio.to_thread(work)

        chain = AsyncDoing(do=ado) | str.upper
        tokens = [
            event["data"]["chunk"].text
            async for event in chain.astream_events("x")
            if event["event"] == "on_llm_stream"
        ]
        assert tokens == [str(number) for number in range(200)]

    async def test_a_sync_call_on_the_consumers_loop_does_not_wait_for_it(self) -> None:
        async def ado(manager: AsyncCallbackManagerForLLMRun) -> None:
            for _ in range(200):
                await manager.on_llm_new_token("t")

        def do(manager: CallbackManagerForLLMRun) -> None:
            for _ in range(200):
                manager.on_llm_new_token("t")

        for model in (AsyncDoing(do=ado), Doing(do=do)):

            async def step(value: str, model: Any = model) -> str:
                return model.invoke(value)

            events = [e["event"] async for e in RunnableLambda(step).astream_events("x")]
            assert events.count("on_llm_stream") == 200


class TestFigures:
    async def test_reported_usage_and_finish_reason_reach_the_result(self) -> None:
        def do(manager: CallbackManagerForLLMRun) -> None:
            manager.report_usage(1, 1)
            manager.report_usage(prompt_tokens=3, completion_tokens=4)
            manager.finish("content_filter")

        async def ado(manager: AsyncCallbackManagerForLLMRun) -> None:
            do(manager.get_sync())

        for result in (
            Doing(do=do).generate(["x"]),
            await AsyncDoing(do=ado).agenerate(["x"]),
        ):
            (answer,) = result.generations[0]
            assert answer.usage == Usage(3, 4, 7)
            assert answer.finish_reason == "content_filter"

    def test_a_total_of_its_own_is_kept(self) -> None:
        model = Doing(do=lambda manager: manager.report_usage(1, 2, 99))
        assert model.generate(["x"]).usage == Usage(1, 2, 99)

    @pytest.mark.parametrize("counts", [(-1, 0), (0, -1)])
    def test_negative_counts_are_refused(self, counts: tuple[int, int]) -> None:
        model = Doing(do=lambda manager: manager.report_usage(*counts))
        with pytest.raises(InputError, match=r"report_usage: \w+ must be at least 0, not -1"):
            model.invoke("x")


class Watching(LLM):
    """Streams until it sees that nobody waits any more."""

    seen: Any

    def _stream(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            self.seen.append(run_manager.cancelled)

    async def _astream(self, prompt: str, run_manager: AsyncCallbackManagerForLLMRun) -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
        finally:
            self.seen.append((run_manager.cancelled, run_manager.get_sync().cancelled))


class TestCancelled:
    async def test_a_hook_that_is_closed_sees_cancelled(self) -> None:
        for config in (None, {"callbacks": [Hears()]}, {"tags": ["t"]}):
            model = Watching(seen=[])
            stream = model.stream("x", config)  # pyright: ignore[reportArgumentType]
            next(stream)
            stream.close()
            pieces = model.astream("x", config)  # pyright: ignore[reportArgumentType]
            await anext(pieces)
            await pieces.aclose()
            assert model.seen == [True, (True, True)]

    async def test_a_blocking_hook_is_told_when_its_task_is_cancelled(self) -> None:
        started, ended = threading.Event(), threading.Event()
        outcome: list[Any] = []

        def do(manager: CallbackManagerForLLMRun) -> None:
            started.set()
            try:
                while True:
                    manager.raise_if_cancelled()
                    time.sleep(0)
            except asyncio.CancelledError as error:
                outcome.append((manager.cancelled, str(error)))
                raise
            finally:
                ended.set()

        handler = Hears()
        task = asyncio.create_task(Doing(do=do).ainvoke("x", {"callbacks": [handler]}))
        await asyncio.to_thread(started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(ended.wait)
        assert outcome == [(True, "nobody waits for this answer any more")]
        assert handler.ends == [True]

    def test_a_run_that_goes_on_is_not_cancelled(self) -> None:
        Doing(do=lambda manager: manager.raise_if_cancelled()).invoke("x")


class Many(LLM):
    """Does what a test gives it, with the one `run_manager` of all items."""

    do: Callable[[Any], None]

    def _batch(self, prompts: list[str], run_manager: Any) -> list[str]:
        self.do(run_manager)
        return prompts


class TestBatches:
    def test_the_one_manager_holds_each_items_own(self) -> None:
        def do(manager: Any) -> None:
            for item in manager.items:
                item.on_llm_new_token("t")
            manager.items[1].report_usage(5, 6)
            manager.items[1].finish("length")
            manager.on_llm_new_token("of nobody")
            manager.raise_if_cancelled()
            assert manager.deadline is None
            assert not manager.cancelled

        handler = Hears()
        result = Many(do=do).generate(["a", "b"], config={"callbacks": [handler]})
        (first,), (second,) = result.generations
        assert (second.usage, second.finish_reason) == (Usage(5, 6, 11), "length")
        assert first.finish_reason == "stop"
        assert len(set(handler.starts)) == 2
        assert {token for token, _, _ in handler.tokens} <= {"t"}

    def test_usage_belongs_to_an_item(self) -> None:
        with pytest.raises(InputError, match=r"report each item's by run_manager\.items\[i\]"):
            Many(do=lambda manager: manager.report_usage(1, 2)).batch(["a"])

    def test_the_deadline_is_the_last_items(self) -> None:
        seen: list[Any] = []
        model = Many(do=lambda manager: seen.append(manager.deadline))
        model.batch(["a", "b"], [{"timeout": 60}, {"timeout": 6000}])
        model.batch(["a", "b"], [{"timeout": 60}, {}])
        shared, none = seen
        assert shared - time.monotonic() > 60
        assert none is None

    def test_it_is_cancelled_when_every_item_has_left(self) -> None:
        seen: list[Any] = []

        def do(manager: Any) -> None:
            manager.items[0].cancelled = True
            seen.append(manager.cancelled)
            manager.items[1].cancelled = True
            seen.append(manager.cancelled)
            with pytest.raises(asyncio.CancelledError):
                manager.raise_if_cancelled()

        Many(do=do).batch(["a", "b"])
        assert seen == [False, True]
