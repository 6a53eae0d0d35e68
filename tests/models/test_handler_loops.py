"""Where the methods of a handler run, and how many at once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import modelport
from modelport import CustomLLM

SOON = 10.0
HI = [{"role": "user", "content": "hi"}]
pytestmark = pytest.mark.usefixtures("own_names")


# ── where async methods run ─────────────────────────────────────────────────────────────────────────────────────────


class Placed(CustomLLM):
    """Keeps which thread and loop each of its methods ran on."""

    def __init__(self) -> None:
        self.loops: list[Any] = []

    def _here(self) -> None:
        self.loops.append((threading.current_thread(), asyncio.get_running_loop()))

    async def acompletion(self, **kwargs):
        self._here()
        return "x"

    async def astreaming(self, **kwargs):
        self._here()
        yield "x"

    async def aembedding(self, input):
        self._here()
        return [[1.0]] * len(input)

    async def aimage_generation(self, prompt):
        self._here()
        return "https://example.com/x.png"


async def test_all_async_methods_of_a_handler_run_on_one_loop_of_its_own() -> None:
    handler = Placed()
    modelport.register("h", handler)
    await modelport.acompletion("h/x", HI)
    async for _ in await modelport.acompletion("h/x", HI, stream=True):
        pass
    await modelport.aembedding("h/x", "a")
    await modelport.aimage_generation("p", "h/x")
    await handler.ainvoke("hi")
    await asyncio.to_thread(modelport.completion, "h/x", HI)
    await asyncio.to_thread(modelport.embedding, "h/x", "a")
    assert len(handler.loops) == 7
    assert len(set(handler.loops)) == 1
    assert handler.loops[0][1] is not asyncio.get_running_loop()
    other = Placed()
    await other.ainvoke("hi")
    assert other.loops[0] not in handler.loops


async def test_a_handler_that_asks_for_its_callers_loop_runs_there() -> None:
    class Here(Placed):
        caller_loop = True

    handler = Here()
    modelport.register("h", handler)
    await modelport.acompletion("h/x", HI)
    await modelport.aembedding("h/x", "a")
    assert {loop for _, loop in handler.loops} == {asyncio.get_running_loop()}


async def test_a_handler_that_blocks_in_acompletion_delays_no_other_model() -> None:
    """The blocked method is let go by what the other model's answer brings about."""
    began, go = threading.Event(), threading.Event()

    class Blocking(CustomLLM):
        async def acompletion(self, **kwargs):
            began.set()
            assert go.wait(SOON), "the other model was not answered while this one blocked"
            return "late"

    class Quick(CustomLLM):
        async def acompletion(self, **kwargs):
            return "soon"

    modelport.register("blocking", Blocking())
    modelport.register("quick", Quick())
    task = asyncio.create_task(modelport.acompletion("blocking/x", HI))
    assert await asyncio.to_thread(began.wait, SOON)
    assert (await modelport.acompletion("quick/x", HI)).choices[0].message.content == "soon"
    assert not task.done()
    go.set()
    assert (await task).choices[0].message.content == "late"


async def test_a_handler_may_call_itself_from_its_own_loop() -> None:
    class Nested(CustomLLM):
        async def acompletion(self, messages, **kwargs):
            if messages:
                inner = modelport.completion("h/x", [])  # sync, on this handler's loop
                return f"outer {inner.choices[0].message.content}"
            return "inner"

    modelport.register("h", Nested())
    assert (await modelport.acompletion("h/x", HI)).choices[0].message.content == "outer inner"


def test_two_event_loops_in_a_row_use_the_same_handler() -> None:
    handler = Placed()
    modelport.register("h", handler)
    for _ in range(2):
        asyncio.run(modelport.acompletion("h/x", HI))
    assert len(set(handler.loops)) == 1


# ── how many at once ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_max_concurrency_holds_for_all_methods_of_a_handler_together() -> None:
    meeting = threading.Barrier(2, timeout=0.1)

    class Careful(CustomLLM):
        def _alone(self) -> None:
            with pytest.raises(threading.BrokenBarrierError):
                meeting.wait()

        def completion(self, **kwargs):
            self._alone()
            return "x"

        def embedding(self, input):
            self._alone()
            return [[1.0]] * len(input)

    modelport.register("h", Careful(), max_concurrency=1)
    await asyncio.gather(modelport.acompletion("h/x", HI), modelport.aembedding("h/x", "a"))


async def test_a_limited_handler_may_call_itself_inside() -> None:
    class Careful(CustomLLM):
        def completion(self, **kwargs):
            return str(modelport.embedding("h/x", "a").data[0].embedding)

        def embedding(self, input):
            return [[1.0]] * len(input)

    modelport.register("h", Careful(), max_concurrency=1)
    assert (await modelport.acompletion("h/x", HI)).choices[0].message.content == "[1.0]"
