"""Models that work for ten seconds, and say on a pipe what becomes of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from speaking import Model, say

from modelport import ChatModel, CustomLLM, EmbeddingModel, ImageModel
from modelport.values.status_errors import RateLimitError


async def work(who):
    say(who, "running")
    try:
        await asyncio.sleep(10)
        say(who, "finished")
    except asyncio.CancelledError:
        say(who, "stopped")
        raise


def toil(who, run_manager):
    say(who, "running")
    for _ in range(2000):
        if run_manager.cancelled:
            say(who, "stopped")
            return "too late"
        time.sleep(0.005)
    say(who, "finished")
    return "done"


class AsyncCall(Model):
    async def _acall(self, prompt: str) -> str:
        await work(prompt)
        return "done"


class SyncCall(Model):
    def _call(self, prompt: str, run_manager) -> str:
        return toil(prompt, run_manager)


class AsyncStream(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield "first "
        await work(prompt)
        yield "last"


class AsyncSteps(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        say(prompt, "running")
        try:
            for _ in range(2000):
                yield "x"
                await asyncio.sleep(0.005)
            say(prompt, "finished")
        except (asyncio.CancelledError, GeneratorExit):
            say(prompt, "stopped")
            raise


class Flood(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        end, told = time.monotonic() + 10, False
        try:
            while time.monotonic() < end:
                yield "x" * 100_000
                await asyncio.sleep(0)
                if not told:
                    told = True
                    say(prompt, "running")
            say(prompt, "finished")
        except (asyncio.CancelledError, GeneratorExit):
            say(prompt, "stopped")
            raise


class SyncStream(Model):
    def _stream(self, prompt: str, run_manager) -> Iterator[str]:
        yield "first "
        yield toil(prompt, run_manager)


class SyncSteps(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        say(prompt, "running")
        try:
            for _ in range(2000):
                yield "x"
                time.sleep(0.005)
            say(prompt, "finished")
        except GeneratorExit:
            say(prompt, "stopped")
            raise


class AsyncBatch(Model):
    max_batch_size: int | None = 4

    async def _abatch(self, prompts: Sequence[str]) -> list[str]:
        await work(prompts[0])
        return list(prompts)


class AsyncChat(ChatModel):
    async def _acall(self, messages):
        await work(messages[-1].content)
        return "done"


class Vectors(EmbeddingModel):
    async def _aembed(self, texts):
        await work(texts[0])
        return [[1.0] for _ in texts]


class Pictures(ImageModel):
    async def _agenerate_images(self, prompt, **kwargs):
        await work(prompt)
        return [b"x"]


class Handler(CustomLLM):
    async def acompletion(self, *args, **kwargs):
        await work(kwargs["messages"][-1]["content"])
        return kwargs["model_response"]

    async def astreaming(self, *args, **kwargs):
        yield {
            "text": "first ",
            "is_finished": False,
            "finish_reason": None,
            "index": 0,
            "tool_use": None,
            "usage": None,
        }
        await work(kwargs["messages"][-1]["content"])


class SyncHandler(CustomLLM):
    def streaming(self, *args, **kwargs):
        who = kwargs["messages"][-1]["content"]
        say(who, "running")
        try:
            for _ in range(2000):
                yield {
                    "text": "x",
                    "is_finished": False,
                    "finish_reason": None,
                    "index": 0,
                    "tool_use": None,
                    "usage": None,
                }
                time.sleep(0.005)
            say(who, "finished")
        except GeneratorExit:
            say(who, "stopped")
            raise


class Busy(Model):
    def _call(self, prompt: str) -> str:
        say(prompt, "asked")
        raise RateLimitError("come back later", retry_after=60)
