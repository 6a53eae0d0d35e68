"""The floor: the least that Python itself can do for each row, with no framework at all."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from subjects import DEVICE_BATCH, SLOW_SECONDS, WIDE_CHARACTERS, use_device

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

EVERYTHING = 10_000_000
_device = threading.Lock()
_answers: dict[str, str] = {}
_pool = ThreadPoolExecutor(1)


class Counter:
    """Counts the tokens it is told."""

    def __init__(self) -> None:
        self.tokens = 0

    def on_llm_new_token(self, token: str) -> None:
        """One more token."""
        self.tokens += 1


def call(prompt: str) -> str:
    """The hook's body."""
    return prompt[:EVERYTHING]


def chain_call(value: str) -> str:
    """A formatted prompt, then the hook's body."""
    return call(f"System: you are a bot\nHuman: {value}")


async def acall(prompt: str) -> str:
    """The hook's body as a coroutine."""
    return prompt[:EVERYTHING]


async def call_in_thread(prompt: str) -> str:
    """One hop to a worker thread and back."""
    return await asyncio.get_running_loop().run_in_executor(None, call, prompt)


def tokens(prompt: str) -> Iterator[str]:
    """One string for each character."""
    yield from prompt[:EVERYTHING]


def wide_tokens(prompt: str) -> Iterator[str]:
    """One string for every 50 characters."""
    for start in range(0, len(prompt), WIDE_CHARACTERS):
        yield prompt[start : start + WIDE_CHARACTERS]


def told_tokens(prompt: str, counter: Counter) -> Iterator[str]:
    """The tokens, each told to a handler first."""
    for token in prompt[:EVERYTHING]:
        counter.on_llm_new_token(token)
        yield token


async def atokens(prompt: str) -> AsyncIterator[str]:
    """One string for each character, for an async consumer."""
    for token in prompt[:EVERYTHING]:
        yield token


async def wide_atokens(prompt: str) -> AsyncIterator[str]:
    """One string for every 50 characters, for an async consumer."""
    for start in range(0, len(prompt), WIDE_CHARACTERS):
        yield prompt[start : start + WIDE_CHARACTERS]


async def told_atokens(prompt: str, counter: Counter) -> AsyncIterator[str]:
    """The tokens for an async consumer, each told to a handler first."""
    for token in prompt[:EVERYTHING]:
        counter.on_llm_new_token(token)
        yield token


async def tokens_in_thread(prompt: str) -> AsyncIterator[str]:
    """The whole sync generator, run in one hop to a worker thread.

    This reads ahead without a bound, which a framework must not.
    """
    loop = asyncio.get_running_loop()
    for token in await loop.run_in_executor(None, list, tokens(prompt)):
        yield token


async def told_tokens_in_thread(prompt: str, counter: Counter) -> AsyncIterator[str]:
    """The same, each token told to a handler first."""
    async for token in tokens_in_thread(prompt):
        counter.on_llm_new_token(token)
        yield token


def _event(kind: str, token: str) -> dict[str, Any]:
    return {
        "event": kind,
        "data": {"chunk": token},
        "run_id": "0",
        "name": "Echo",
        "tags": [],
        "metadata": {},
        "parent_ids": [],
    }


async def events(source: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """One dict for each token."""
    async for token in source:
        yield _event("on_llm_stream", token)


async def chain_events(source: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """Two dicts for each token: the model's and the chain's."""
    async for token in source:
        yield _event("on_llm_stream", token)
        yield _event("on_chain_stream", token)


def _slow(prompt: str) -> str:
    time.sleep(SLOW_SECONDS)
    return prompt


def batch(prompts: list[str]) -> list[str]:
    """One worker thread for each prompt."""
    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(_slow, prompts))


async def abatch(prompts: list[str]) -> list[str]:
    """One worker thread for each prompt, awaited."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(await asyncio.gather(*(loop.run_in_executor(pool, _slow, each) for each in prompts)))


def device_call(prompt: str) -> str:
    """The device, asked for one prompt."""
    return use_device(_device, [prompt])[0]


async def device_calls(prompts: list[str]) -> list[str]:
    """The device, asked for one prompt after the other, in one hop."""
    work = lambda: [device_call(prompt) for prompt in prompts]  # noqa: E731
    return await asyncio.get_running_loop().run_in_executor(None, work)


async def device_batches(prompts: list[str]) -> list[str]:
    """The device, asked for full batches one after the other, in one hop."""

    def work() -> list[str]:
        starts = range(0, len(prompts), DEVICE_BATCH)
        return [one for start in starts for one in use_device(_device, prompts[start : start + DEVICE_BATCH])]

    return await asyncio.get_running_loop().run_in_executor(None, work)


def cached_call(prompt: str) -> str:
    """A look into a dict."""
    return _answers.setdefault(prompt, prompt)


async def acached_call(prompt: str) -> str:
    """A look into a dict."""
    return _answers.setdefault(prompt, prompt)


def parallel(prompt: str) -> str:
    """Both calls, the second in a thread of a pool."""
    second = _pool.submit(call, prompt)
    return call(prompt) + second.result()


async def aparallel(prompt: str) -> str:
    """Both calls, in tasks."""
    return "".join(await asyncio.gather(acall(prompt), acall(prompt)))
