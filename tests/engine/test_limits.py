"""Limits and deadlines count for as long as a hook really runs, and for the call that set them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from typing import Any

import pytest
from pydantic import PrivateAttr

from modelport import LLM, ModelTimeoutError
from modelport.testing import RecordingHandler

SOON = 10.0


class SlowToClose(LLM):
    """Its async hooks take a moment to clean up, and it counts how many run."""

    max_concurrency: int | None = 1
    _running: int = PrivateAttr(0)
    _peak: int = PrivateAttr(0)
    _closing: threading.Event = PrivateAttr(default_factory=threading.Event)

    def _enter(self) -> None:
        self._running += 1
        self._peak = max(self._peak, self._running)

    async def _leave(self) -> None:
        self._closing.set()
        for _ in range(100):  # other calls get every chance to come in
            await asyncio.sleep(0)
        self._running -= 1


class SlowStream(SlowToClose):
    async def _astream(self, prompt):
        self._enter()
        try:
            for _ in range(100):
                yield "token "
        finally:
            await self._leave()


class SlowCall(SlowToClose):
    _hold: bool = PrivateAttr(True)

    async def _acall(self, prompt):
        self._enter()
        try:
            if self._hold:
                await asyncio.Event().wait()
            return "answer"
        finally:
            await self._leave()


def test_an_async_hook_holds_its_slot_until_an_abandoned_sync_stream_is_closed():
    model = SlowStream()
    for _ in range(5):
        with closing(model.stream("x")) as pieces:
            next(pieces)
    assert model.invoke("x").startswith("token ")
    assert model._peak == 1


async def test_an_async_hook_holds_its_slot_until_an_abandoned_async_stream_is_closed():
    model = SlowStream()
    for _ in range(5):
        async with aclosing(model.astream("x")) as pieces:
            await anext(pieces)
    assert model._peak == 1


def test_an_async_hook_holds_its_slot_until_it_has_heard_of_its_deadline():
    model = SlowCall()
    for _ in range(3):
        with pytest.raises(ModelTimeoutError):
            model.invoke("x", {"timeout": 0.02})
    model._hold = False
    assert model.invoke("x", {"timeout": SOON}) == "answer"
    assert model._peak == 1


class Held(LLM):
    """Answers when it is let go."""

    _go: threading.Event = PrivateAttr(default_factory=threading.Event)

    def _call(self, prompt):
        assert self._go.wait(timeout=SOON)
        return prompt


class Outer(LLM):
    """Asks another model, and gives it little time."""

    inner: Any

    def _call(self, prompt):
        return self.inner.invoke(prompt, {"timeout": 0.02})


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "batch"])
async def test_an_inner_calls_timeout_is_the_outer_calls_error(way):
    record, inner = RecordingHandler(), Held()
    outer = Outer(inner=inner)
    ways: dict[str, Any] = {
        "invoke": lambda config: asyncio.to_thread(outer.invoke, "x", config),
        "ainvoke": lambda config: outer.ainvoke("x", config),
        "stream": lambda config: asyncio.to_thread(lambda: list(outer.stream("x", config))),
        "batch": lambda config: asyncio.to_thread(outer.batch, ["x"], config),
    }
    with pytest.raises(ModelTimeoutError):
        await ways[way]({"callbacks": [record]})
    inner._go.set()
    names = [(event.name, event.facts.get("cancelled", False)) for event in record.events]
    assert names == [("on_llm_start", False), ("on_llm_start", False), ("on_llm_end", True), ("on_llm_error", False)]


def test_a_batch_hook_keeps_the_deadline_of_each_item():
    class LateBatch(LLM):
        def _batch(self, prompts):
            threading.Event().wait(0.1)
            return prompts

    results = LateBatch().batch(["a", "b"], [{}, {"timeout": 0.02}], return_exceptions=True)
    assert results[0] == "a"
    assert isinstance(results[1], ModelTimeoutError)


async def test_an_async_stream_that_is_always_ready_ends_at_its_deadline():
    class Endless(LLM):
        async def _astream(self, prompt: str) -> AsyncIterator[str]:
            while True:
                yield "x"

    with pytest.raises(ModelTimeoutError):
        async for _ in Endless().astream("x", {"timeout": 0.01}):
            pass
