"""`_load` and `_unload`, and hooks that are bound to one loop."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from modelport import LLM, loop_local


class Loaded(LLM):
    log: Any
    fail: int = 0

    def _load(self) -> None:
        self.log.append("load")
        if self.log.count("load") <= self.fail:
            raise RuntimeError("no weights")

    def _unload(self) -> None:
        self.log.append("unload")

    def _call(self, prompt: str) -> str:
        return prompt


class AsyncLoaded(LLM):
    log: Any

    async def _load(self) -> None:
        await asyncio.sleep(0)
        self.log.append("load")

    async def _unload(self) -> None:
        await asyncio.sleep(0)
        self.log.append("unload")

    async def _acall(self, prompt: str) -> str:
        return prompt

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield prompt


class Many(LLM):
    log: Any

    def _load(self) -> None:
        self.log.append("load")

    def _batch(self, prompts: list[str]) -> list[str]:
        return prompts


async def used(model: Any) -> None:
    """Call a model in every way."""
    assert model.invoke("x") == "x"
    assert await model.ainvoke("x") == "x"
    assert list(model.stream("x")) == ["x"]
    assert [piece async for piece in model.astream("x")] == ["x"]
    assert model.batch(["x"]) == ["x"]
    assert await model.abatch(["x"]) == ["x"]


@pytest.mark.parametrize("cls", [Loaded, AsyncLoaded, Many])
async def test_a_model_is_loaded_once_before_its_first_call(cls: Any) -> None:
    model = cls(log=[])
    assert model.log == []
    await used(model)
    assert model.log == ["load"]


@pytest.mark.parametrize("cls", [Loaded, AsyncLoaded, Many])
@pytest.mark.parametrize("way", range(6))
async def test_every_way_to_call_loads(cls: Any, way: int) -> None:
    model = cls(log=[])
    ways: Any = [
        lambda: model.invoke("x"),
        lambda: list(model.stream("x")),
        lambda: model.batch(["x"]),
        lambda: model.ainvoke("x"),
        lambda: anext(model.astream("x")),
        lambda: model.abatch(["x"]),
    ]
    result = ways[way]()
    if way > 2:
        await result
    assert model.log == ["load"]


async def test_loading_and_unloading_by_hand() -> None:
    for cls in (Loaded, AsyncLoaded):
        log: list[str] = []
        model: Any = cls(log=log)
        model.unload()  # is not loaded: nothing to do
        model.load()
        model.load()
        assert log == ["load"]
        model.unload()
        await model.aload()
        await model.aunload()
        assert log == ["load", "unload"] * 2
        assert model.invoke("x") == "x"
        assert log[-1] == "load"


def test_a_model_without_hooks_for_it_loads_and_unloads_too() -> None:
    class Plain(LLM):
        def _call(self, prompt: str) -> str:
            return prompt

    model = Plain()
    model.load()
    model.unload()
    assert model.invoke("x") == "x"


async def test_a_failed_load_is_raised_and_tried_again() -> None:
    model = Loaded(log=[], fail=2)
    with pytest.raises(RuntimeError, match="no weights"):
        model.invoke("x")
    with pytest.raises(RuntimeError, match="no weights"):
        await model.ainvoke("x")
    assert model.invoke("x") == "x"
    assert model.log == ["load"] * 3


def test_concurrent_first_calls_wait_for_the_one_that_loads() -> None:
    gate, loading = threading.Event(), threading.Event()

    class Slow(LLM):
        log: Any

        def _load(self) -> None:
            loading.set()
            assert gate.wait(30)
            self.log.append("load")

        def _call(self, prompt: str) -> str:
            return f"{prompt} after {self.log}"

    model = Slow(log=[])
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(model.invoke("x"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert loading.wait(30)
    gate.set()
    for thread in threads:
        thread.join()
    assert answers == ["x after ['load']"] * 4


async def test_loading_does_not_block_the_loop() -> None:
    gate = threading.Event()

    class Slow(LLM):
        def _load(self) -> None:
            assert gate.wait(30)

        async def _acall(self, prompt: str) -> str:
            return prompt

    task = asyncio.create_task(Slow().ainvoke("x"))
    await asyncio.sleep(0)
    gate.set()  # only a loop that goes on comes here
    assert await task == "x"


def test_a_load_may_call_its_own_model() -> None:
    class Warm(LLM):
        log: Any

        def _load(self) -> None:
            self.log.append(self.invoke("warm"))

        def _call(self, prompt: str) -> str:
            return prompt

    model = Warm(log=[])
    assert model.invoke("x") == "x"
    assert model.log == ["warm"]


class Bound(LLM):
    """Notes the loop that its async hooks run on."""

    single_loop: ClassVar[bool] = True
    loops: Any

    async def _load(self) -> None:
        self.loops.append(asyncio.get_running_loop())

    async def _acall(self, prompt: str) -> str:
        self.loops.append(asyncio.get_running_loop())
        return prompt

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        self.loops.append(asyncio.get_running_loop())
        for letter in prompt:
            await asyncio.sleep(0)
            yield letter

    async def _abatch(self, prompts: list[str]) -> list[str]:
        self.loops.append(asyncio.get_running_loop())
        return prompts


class TestSingleLoop:
    def test_all_async_hooks_run_on_one_loop(self) -> None:
        model = Bound(loops=[])

        async def main() -> None:
            await used(model)
            assert asyncio.get_running_loop() not in model.loops

        asyncio.run(main())
        asyncio.run(main())
        assert len(model.loops) == 13
        assert len(set(model.loops)) == 1

    def test_two_models_have_a_loop_each(self) -> None:
        one, two = Bound(loops=[]), Bound(loops=[])
        one.invoke("x")
        two.invoke("x")
        assert set(one.loops).isdisjoint(two.loops)

    def test_a_nested_call_of_the_same_model_answers(self) -> None:
        class Nested(Bound):
            async def _acall(self, prompt: str) -> str:
                self.loops.append(asyncio.get_running_loop())
                if len(prompt) > 3:
                    return prompt
                return await self.ainvoke(prompt * 2)

        model = Nested(loops=[])
        assert model.invoke("x") == "xxxx"
        assert len(set(model.loops)) == 1

    async def test_closing_a_stream_closes_the_hook_on_its_loop(self) -> None:
        closed = threading.Event()
        loops: list[Any] = []

        class Endless(LLM):
            single_loop: ClassVar[bool] = True

            async def _astream(self, prompt: str) -> AsyncIterator[str]:
                loops.append(asyncio.get_running_loop())
                try:
                    while True:
                        yield prompt
                finally:
                    loops.append(asyncio.get_running_loop())
                    closed.set()

        for config in (None, {"timeout": 60}):
            model: Any = Endless()
            stream = model.astream("x", config)
            assert await anext(stream) == "x"
            await stream.aclose()
            assert await asyncio.to_thread(closed.wait, 30)
            closed.clear()
        assert len(set(loops)) == 2
        assert loops[0] is loops[1]


class TestLoopLocal:
    def test_each_loop_has_an_object_of_its_own(self) -> None:
        made: list[Any] = []

        class Client:
            def __init__(self) -> None:
                made.append(asyncio.get_running_loop())

        class Calling(LLM):
            client: Any

            async def _acall(self, prompt: str) -> str:
                assert self.client() is self.client()
                return prompt

        model = Calling(client=loop_local(Client))

        async def main() -> None:
            assert await model.abatch(["a", "b"]) == ["a", "b"]

        asyncio.run(main())
        asyncio.run(main())
        assert model.invoke("x") == "x"
        assert len(made) == len(set(made)) == 3

    def test_a_copy_makes_its_own_objects(self) -> None:
        local = loop_local(list[int])

        async def made(one: Any) -> Any:
            return one()

        twin = pickle.loads(pickle.dumps(local))
        assert asyncio.run(made(local)) == asyncio.run(made(twin)) == []
        with pytest.raises(RuntimeError):
            local()
