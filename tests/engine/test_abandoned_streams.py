"""A stream that its consumer leaves stops the model, within a token or two."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing, closing
from typing import Any

import pytest
from pydantic import PrivateAttr

from modelport import LLM, ModelTimeoutError
from modelport.engine.read_ahead import READ_AHEAD_CHUNKS

LENGTH_TOKENS = 10_000
SOON = 10.0


class Model(LLM):
    """Makes 10,000 tokens, and says how many it made and when it was closed."""

    hold_after: int | None = None
    """After so many tokens it waits for `resume`."""
    _made: int = PrivateAttr(0)
    _closed: threading.Event = PrivateAttr(default_factory=threading.Event)
    _resume: threading.Event = PrivateAttr(default_factory=threading.Event)
    _manager: Any = PrivateAttr(None)

    def _count(self) -> str:
        self._made += 1
        return "token "


class SyncModel(Model):
    def _stream(self, prompt, run_manager=None):
        self._manager = run_manager
        try:
            for _ in range(LENGTH_TOKENS):
                if self._made == self.hold_after:
                    assert self._resume.wait(timeout=SOON)
                yield self._count()
        finally:
            self._closed.set()


class AsyncModel(Model):
    async def _astream(self, prompt, run_manager=None):
        self._manager = run_manager
        try:
            for _ in range(LENGTH_TOKENS):
                if self._made == self.hold_after:
                    await asyncio.Event().wait()
                yield self._count()
        finally:
            self._closed.set()


BOTH = pytest.mark.parametrize("make", [SyncModel, AsyncModel])
CONFIGS = pytest.mark.parametrize("config", [None, {"timeout": 60}], ids=["plain", "deadline"])


async def closed(model: Model) -> bool:
    return await asyncio.get_running_loop().run_in_executor(None, model._closed.wait, SOON)


@BOTH
@CONFIGS
def test_closing_a_sync_stream_stops_the_model(make, config):
    model = make()
    with closing(model.stream("x", config)) as pieces:
        assert [next(pieces), next(pieces)] == ["token ", "token "]
    assert model._closed.wait(SOON)
    assert model._made <= 3
    assert model._manager.cancelled


@BOTH
@CONFIGS
async def test_closing_an_async_stream_stops_the_model(make, config):
    model = make()
    async with aclosing(model.astream("x", config)) as pieces:
        assert [await anext(pieces), await anext(pieces)] == ["token ", "token "]
    assert await closed(model)
    assert model._made <= 3 + (READ_AHEAD_CHUNKS if make is SyncModel else 0)
    assert model._manager.cancelled


@BOTH
async def test_cancelling_the_task_stops_the_model(make):
    model, begun = make(), asyncio.Event()

    async def read() -> None:
        async for _ in model.astream("x"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(read())
    async with asyncio.timeout(SOON):
        await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await closed(model)
    assert model._made <= 2 + (READ_AHEAD_CHUNKS if make is SyncModel else 0)


@BOTH
def test_a_timeout_of_a_sync_stream_stops_the_model(make):
    model = make(hold_after=2)
    seen: list[str] = []
    with pytest.raises(ModelTimeoutError):
        seen.extend(model.stream("x", {"timeout": 0.05}))
    assert model._manager.cancelled
    model._resume.set()
    assert model._closed.wait(SOON)
    assert model._made <= 3


@BOTH
async def test_a_timeout_of_an_async_stream_stops_the_model(make):
    model = make(hold_after=2)
    with pytest.raises(ModelTimeoutError):
        async for _ in model.astream("x", {"timeout": 0.05}):
            pass
    assert model._manager.cancelled
    model._resume.set()
    assert await closed(model)
    assert model._made <= 3


@BOTH
async def test_an_outer_timeout_stops_the_model(make):
    model = make(hold_after=2)

    async def read() -> None:
        async for _ in model.astream("x"):
            pass

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.05)
    model._resume.set()
    assert await closed(model)
    assert model._made <= 3


async def test_a_sync_generator_is_never_far_ahead_of_its_async_consumer():
    model, worst, taken = SyncModel(), 0, 0
    async with aclosing(model.astream("x")) as pieces:
        async for _ in pieces:
            taken += 1
            if taken % 40 == 1:
                await asyncio.to_thread(_wait_until_still, model)
            worst = max(worst, model._made - taken)
            if taken == 500:
                break
    assert READ_AHEAD_CHUNKS // 4 <= worst <= READ_AHEAD_CHUNKS + 1


def _wait_until_still(model: Model) -> None:
    """Give the generator's thread every chance to run ahead."""
    never = threading.Event()
    made = -1
    while made != model._made:
        made = model._made
        never.wait(0.01)


def test_a_model_that_joins_its_stream_stops_at_a_stop_string():
    model = SyncModel()
    assert model.invoke("x", stop=["token "]) == "token "
    assert model._made == 1
    assert model._closed.is_set()


@BOTH
def test_a_slot_comes_back_when_a_stream_is_left(make):
    model = make(max_concurrency=1)
    for _ in range(3):
        with closing(model.stream("x")) as pieces:
            next(pieces)
    assert next(iter(model.stream("x", {"timeout": SOON}))) == "token "
