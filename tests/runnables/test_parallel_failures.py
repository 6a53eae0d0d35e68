"""`RunnableParallel`: a step that fails or is cancelled ends the others, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from modelport import (
    LLM,
    ModelTimeoutError,
    RunnableLambda,
    RunnableParallel,
)
from tests.runnables.letters import CONFIGS, WAIT_SECONDS, Together, closed, letters


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
