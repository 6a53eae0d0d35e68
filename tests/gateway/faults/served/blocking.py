"""Models that block, fall silent, or do not end when they are told to."""

# ruff: noqa: ASYNC251 - they misbehave

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator

from speaking import Model, chunk, say

from modelport import CustomLLM


def wait_for(who):
    while not os.path.exists(who):
        time.sleep(0.001)


class SyncBlocking(Model):
    def _call(self, prompt: str) -> str:
        say(prompt, "running")
        wait_for(prompt)
        return "done"


class SyncBlockingStream(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        say(prompt, "running")
        wait_for(prompt)
        yield "done"


class SyncBlockingHandler(CustomLLM):
    def completion(self, *args, **kwargs):
        say(kwargs["messages"][-1]["content"], "running")
        wait_for(kwargs["messages"][-1]["content"])
        return "done"

    def streaming(self, *args, **kwargs):
        say(kwargs["messages"][-1]["content"], "running")
        wait_for(kwargs["messages"][-1]["content"])
        yield chunk("done")


class AsyncBlockingHandler(CustomLLM):
    async def acompletion(self, *args, **kwargs):
        say(kwargs["messages"][-1]["content"], "running")
        wait_for(kwargs["messages"][-1]["content"])
        return "done"

    async def astreaming(self, *args, **kwargs):
        say(kwargs["messages"][-1]["content"], "running")
        wait_for(kwargs["messages"][-1]["content"])
        yield chunk("done")


class Holding(Model):
    async def _acall(self, prompt: str) -> str:
        time.sleep(0.3)
        return prompt


class Later(Holding):
    async def _acall(self, prompt: str) -> str:
        await asyncio.sleep(0)
        time.sleep(0.3)
        return prompt


class HoldingStream(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield "a"
        time.sleep(0.3)
        yield "b"


class SyncSilent(Model):
    def _call(self, prompt: str) -> str:
        time.sleep(20)
        return "late"


class AsyncSilent(Model):
    async def _acall(self, prompt: str) -> str:
        await asyncio.Event().wait()
        return "never"


class SyncSilentStream(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        time.sleep(20)
        yield "late"


class AsyncSilentStream(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield "never"


class SyncStalling(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield "first"
        time.sleep(20)


class AsyncStalling(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield "first"
        await asyncio.Event().wait()


class SilentHandler(CustomLLM):
    async def acompletion(self, *args, **kwargs):
        await asyncio.Event().wait()

    async def astreaming(self, *args, **kwargs):
        await asyncio.Event().wait()
        yield chunk("never")


class Stubborn(Model):
    """Goes on when it is closed."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                await asyncio.sleep(0.001)
        finally:
            say(prompt, "closing")
            yield "more"


class SyncStubborn(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        try:
            while True:
                yield "x"
                time.sleep(0.001)
        finally:
            say(prompt, "closing")
            yield "more"
