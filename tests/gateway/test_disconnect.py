"""A client that leaves stops the model, streaming or not, whatever kind of hook it has."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import LLM, CallbackManagerForLLMRun

WAIT_SECONDS = 20


class Flags:
    """What a hook says about itself, across threads."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.stopped = threading.Event()

    async def are_set(self, name: str) -> bool:
        return await asyncio.to_thread(getattr(self, name).wait, WAIT_SECONDS)


FLAGS: list[Flags] = []


@pytest.fixture(autouse=True)
def flags() -> Flags:
    FLAGS[:] = [Flags()]
    return FLAGS[0]


def wait_until_cancelled(run_manager: CallbackManagerForLLMRun) -> None:
    FLAGS[0].running.set()
    while not run_manager.cancelled:
        threading.Event().wait(0.001)
    FLAGS[0].stopped.set()


async def wait_forever() -> None:
    try:
        FLAGS[0].running.set()
        await asyncio.Event().wait()
    finally:
        FLAGS[0].stopped.set()


class SyncCall(LLM):
    def _call(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> str:
        wait_until_cancelled(run_manager)
        return "too late"


class AsyncCall(LLM):
    async def _acall(self, prompt: str) -> str:
        await wait_forever()
        return "never"


class SyncSilentStream(LLM):
    """Waits before its first piece: nothing is being sent."""

    def _stream(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> Iterator[str]:
        wait_until_cancelled(run_manager)
        yield "too late"


class SyncPausedStream(LLM):
    """Waits after its first piece."""

    def _stream(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> Iterator[str]:
        yield "first"
        wait_until_cancelled(run_manager)


class SyncEndlessStream(LLM):
    """Knows nothing of cancelling: its generator is closed."""

    def _stream(self, prompt: str) -> Iterator[str]:
        try:
            while True:
                FLAGS[0].running.set()
                yield "x"
        finally:
            FLAGS[0].stopped.set()


class AsyncSilentStream(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        await wait_forever()
        yield "never"


class AsyncPausedStream(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield "first"
        await wait_forever()


class AsyncEndlessStream(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        try:
            while True:
                FLAGS[0].running.set()
                yield "x"
        finally:
            FLAGS[0].stopped.set()


MODELS = [
    SyncCall,
    AsyncCall,
    SyncSilentStream,
    SyncPausedStream,
    SyncEndlessStream,
    AsyncSilentStream,
    AsyncPausedStream,
    AsyncEndlessStream,
]


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize("n", [1, 2])
async def test_a_client_that_leaves_stops_the_model(
    chat: Any, flags: Flags, model: type[LLM], stream: bool, n: int, caplog: pytest.LogCaptureFixture
) -> None:
    reply = chat(model(), stream=stream, n=n)
    assert await flags.are_set("running")
    reply.disconnect()
    assert await flags.are_set("stopped")
    await reply.done()
    assert caplog.records == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
async def test_a_server_that_cancels_a_request_stops_the_model(chat: Any, flags: Flags, stream: bool) -> None:
    reply = chat(AsyncPausedStream(), stream=stream)
    assert await flags.are_set("running")
    reply.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reply.done()
    assert flags.stopped.is_set()


async def test_a_client_that_leaves_while_the_connection_is_full_stops_the_model(chat: Any, flags: Flags) -> None:
    reply = chat(AsyncEndlessStream(), stream=True)
    reply.may_send.clear()
    assert await flags.are_set("running")
    await reply.next_message()
    reply.disconnect()
    assert await flags.are_set("stopped")
    await reply.done()


async def test_a_client_that_left_before_the_model_ran_is_not_answered(chat: Any) -> None:
    reply = chat(AsyncCall())
    reply.disconnect()
    assert (await reply.done()).messages == []


async def test_an_error_while_the_model_is_stopped_is_nobodys(chat: Any, flags: Flags) -> None:
    class Grumbling(LLM):
        async def _acall(self, prompt: str) -> str:
            try:
                await wait_forever()
            except asyncio.CancelledError:
                raise ValueError("I was not done") from None
            return "never"

    reply = chat(Grumbling())
    assert await flags.are_set("running")
    reply.disconnect()
    assert (await reply.done()).messages == []


async def test_nothing_is_left_running_after_a_request(chat: Any) -> None:
    before = asyncio.all_tasks()

    class Quick(LLM):
        async def _acall(self, prompt: str) -> str:
            return "done"

    for stream in (False, True):
        reply = await chat(Quick(), stream=stream).done()
        assert reply.status == 200
        await asyncio.sleep(0)
        assert asyncio.all_tasks() - before - {reply.task} == set()
