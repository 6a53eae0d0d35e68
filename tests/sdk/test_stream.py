"""The object that `stream=True` returns: iterated in a thread or on a loop, closed either way."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
from typing import Any

import pytest
from pydantic import PrivateAttr

import modelport
from modelport import LLM, CustomLLM

SOON = 10.0


class Endless(LLM):
    """Streams for ever, and says when it began and when it was closed."""

    _began: threading.Event = PrivateAttr(default_factory=threading.Event)
    _closed: threading.Event = PrivateAttr(default_factory=threading.Event)

    def _stream(self, prompt):
        self._began.set()
        try:
            while True:
                yield "x"
        finally:
            self._closed.set()


class AsyncOnly(LLM):
    """Streams for ever, natively on a loop only."""

    _began: threading.Event = PrivateAttr(default_factory=threading.Event)
    _closed: threading.Event = PrivateAttr(default_factory=threading.Event)

    async def _astream(self, prompt):
        self._began.set()
        try:
            while True:
                yield "x"
                await asyncio.sleep(0)
        finally:
            self._closed.set()


class Handler(CustomLLM):
    """Streams for ever, as a handler does."""

    def __init__(self) -> None:
        self._began, self._closed = threading.Event(), threading.Event()

    def streaming(self, *args, **kwargs):
        self._began.set()
        try:
            while True:
                yield {"text": "x"}
        finally:
            self._closed.set()


class AsyncHandler(Handler):
    async def astreaming(self, *args, **kwargs):
        self._began.set()
        try:
            while True:
                yield {"text": "x"}
                await asyncio.sleep(0)
        finally:
            self._closed.set()


KINDS = (Endless, AsyncOnly, Handler, AsyncHandler)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
several = pytest.mark.parametrize("n", [1, 2])


def made(kind: Any) -> Any:
    model = kind()
    modelport.register("m", model)
    return model


@every_kind
@several
def test_closing_before_the_first_chunk_never_calls_the_model(kind: Any, n: int) -> None:
    model = made(kind)
    stream = modelport.completion("m/x", "hi", stream=True, n=n)
    stream.close()
    assert list(stream) == []
    assert not model._began.is_set()


@every_kind
@several
async def test_aclosing_before_the_first_chunk_never_calls_the_model(kind: Any, n: int) -> None:
    model = made(kind)
    stream = await modelport.acompletion("m/x", "hi", stream=True, n=n)
    await stream.aclose()
    assert [chunk async for chunk in stream] == []
    assert not model._began.is_set()


@every_kind
@several
def test_closing_stops_the_model(kind: Any, n: int) -> None:
    model = made(kind)
    with modelport.completion("m/x", "hi", stream=True, n=n) as stream:
        next(stream)
        next(stream)
        assert model._began.wait(SOON)
    assert model._closed.wait(SOON)
    assert list(stream) == []


@every_kind
@several
async def test_aclosing_stops_the_model(kind: Any, n: int) -> None:
    model = made(kind)
    async with await modelport.acompletion("m/x", "hi", stream=True, n=n) as stream:
        await anext(stream)
        await anext(stream)
    assert await asyncio.to_thread(model._closed.wait, SOON)
    assert [chunk async for chunk in stream] == []


@every_kind
def test_a_dropped_stream_stops_the_model_without_a_garbage_collection(kind: Any) -> None:
    model = made(kind)
    gc.disable()
    try:
        stream = modelport.completion("m/x", "hi", stream=True)
        next(stream)
        next(stream)
        del stream
        assert model._closed.wait(SOON)
    finally:
        gc.enable()


@every_kind
async def test_a_dropped_stream_on_a_loop_stops_the_model(kind: Any) -> None:
    model = made(kind)
    stream = await modelport.acompletion("m/x", "hi", stream=True)
    await anext(stream)
    await anext(stream)
    del stream
    assert await asyncio.to_thread(model._closed.wait, SOON)


@every_kind
async def test_aclose_ends_a_stream_that_was_iterated_with_for(kind: Any) -> None:
    model = made(kind)
    stream = modelport.completion("m/x", "hi", stream=True)
    next(stream)
    next(stream)
    await stream.aclose()
    assert await asyncio.to_thread(model._closed.wait, SOON)
    assert list(stream) == []
    assert [chunk async for chunk in stream] == []


@every_kind
async def test_close_ends_a_stream_that_was_iterated_on_a_loop(kind: Any) -> None:
    model = made(kind)
    stream = await modelport.acompletion("m/x", "hi", stream=True)
    await anext(stream)
    await anext(stream)
    stream.close()
    assert await asyncio.to_thread(model._closed.wait, SOON)


async def test_one_stream_is_not_read_in_two_ways() -> None:
    made(Endless)
    stream = modelport.completion("m/x", "hi", stream=True)
    next(stream)
    with pytest.raises(RuntimeError, match="iterated with `for`"):
        await anext(stream)
    stream.close()
    other = modelport.completion("m/x", "hi", stream=True)
    await anext(other)
    with pytest.raises(RuntimeError, match="iterated with `async for`"):
        next(other)
    await other.aclose()


def test_a_stream_is_neither_copied_nor_pickled() -> None:
    made(Endless)
    stream = modelport.completion("m/x", "hi", stream=True)
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            way(stream)


class Short(LLM):
    def _stream(self, prompt):
        yield "a"
        yield "b"


@pytest.mark.parametrize("is_asked", [True, False])
def test_the_role_comes_once_and_usage_only_when_asked_for(is_asked: bool) -> None:
    modelport.register("m", Short())
    chunks = list(modelport.completion("m/x", "hi", stream=True, stream_options={"include_usage": is_asked}))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk.choices][-1] == "stop"
    assert [chunk.usage is not None for chunk in chunks if not chunk.choices] == ([True] if is_asked else [])


def test_the_model_is_asked_when_the_first_chunk_is() -> None:
    model = made(Endless)
    stream = modelport.completion("m/x", "hi", stream=True)
    assert not model._began.is_set()
    assert next(stream).object == "chat.completion.chunk"
    assert model._began.is_set()
    stream.close()


async def test_a_stream_that_is_being_read_elsewhere_can_be_closed_from_another_task() -> None:
    model = made(AsyncHandler)
    stream = await modelport.acompletion("m/x", "hi", stream=True)
    seen = asyncio.Event()

    async def read() -> None:
        async for _ in stream:
            seen.set()

    task = asyncio.create_task(read())
    await seen.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(model._closed.wait, SOON)
