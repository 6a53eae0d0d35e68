"""When the threads of background loops end."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from modelport import LLM, CustomLLM
from modelport.engine.state import state_of
from modelport.models.handler_bridge import loop_of_handler
from modelport.runs.loops import LoopThread, call_soon

PATIENCE_SECONDS = 20


class OnOneLoop(LLM):
    single_loop = True

    async def _acall(self, prompt):
        return prompt


class Handler(CustomLLM):
    async def acompletion(self, **kwargs):
        return "x"


def has_ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE_SECONDS)
    return not thread.is_alive()


def test_a_single_loop_models_thread_ends_with_the_model() -> None:
    model = OnOneLoop()
    assert model.invoke("a") == "a"
    own = state_of(model).own_loop()
    thread, loop = own._thread, own.loop
    del model, own
    gc.collect()
    assert has_ended(thread)
    assert loop.is_closed()


def test_a_handlers_thread_ends_with_the_handler() -> None:
    handler = Handler()
    assert handler.invoke("a").text == "x"
    thread = loop_of_handler(handler)._thread
    del handler
    gc.collect()
    assert has_ended(thread)


def test_a_coroutine_that_runs_keeps_its_loop() -> None:
    may_end = threading.Event()
    began = threading.Event()

    async def wait() -> str:
        began.set()
        await asyncio.to_thread(may_end.wait, PATIENCE_SECONDS)
        return "done"

    own = LoopThread("a-loop", 0)
    thread, future = own._thread, own.submit(wait())
    del own
    began.wait(PATIENCE_SECONDS)
    gc.collect()
    assert thread.is_alive()
    may_end.set()
    assert future.result(PATIENCE_SECONDS) == "done"
    del future
    gc.collect()
    assert has_ended(thread)


@pytest.mark.parametrize("waits_for", ["task", "generator"])
def test_what_a_coroutine_leaves_behind_is_ended_with_its_loop(waits_for: str) -> None:
    ended: list[str] = []
    kept: list[Any] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    async def pieces() -> Any:
        try:
            yield "a"
        finally:
            ended.append("generator")

    async def leave() -> None:
        if waits_for == "task":
            kept.append(asyncio.create_task(forever()))
            await asyncio.sleep(0)
        else:
            kept.append(pieces())
            await anext(kept[0])

    own = LoopThread("a-loop", 0)
    thread = own._thread
    own.submit(leave()).result(PATIENCE_SECONDS)
    del own
    gc.collect()
    assert has_ended(thread)
    assert ended == [waits_for]


def test_a_loop_that_is_closed_is_told_nothing() -> None:
    heard: list[str] = []
    loop = asyncio.new_event_loop()
    assert call_soon(loop, heard.append, "open")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert not call_soon(loop, heard.append, "closed")
    assert heard == ["open"]
