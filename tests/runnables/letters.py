"""Letters: a model that streams them, and every way to call what gives a value."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import (
    LLM,
    RunnableLambda,
)
from modelport.runnables.joining import join
from tests.runnables.ways import Silent

WAIT_SECONDS = 10.0
"""How long a test waits for what must come; it only runs out when something is broken."""
LISTENING: Any = {"callbacks": [Silent()]}
TIMED: Any = {"timeout": 60}
CONFIGS = pytest.mark.parametrize("config", [None, TIMED, LISTENING], ids=["bare", "timed", "heard"])
CONFIGS_AND_ONE = pytest.mark.parametrize(
    "config", [None, TIMED, LISTENING, {"max_concurrency": 1}], ids=["bare", "timed", "heard", "one"]
)
"""With a call that runs one thing at a time."""


class Letters(LLM):
    """Streams letter by letter its prompt and its keywords, and says when it was closed."""

    closed: list[str] = []

    def _stream(self, prompt: str, **kwargs: Any) -> Iterator[str]:
        try:
            yield from f"{prompt}{kwargs or ''}"
        finally:
            self.closed.append("sync")

    async def _astream(self, prompt: str, **kwargs: Any) -> AsyncIterator[str]:
        try:
            for letter in f"{prompt}{kwargs or ''}":
                yield letter
        finally:
            await asyncio.sleep(0)
            self.closed.append("async")


def letters() -> Letters:
    return Letters(closed=[])


async def given(*values: Any) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def every_answer(chain: Any, value: Any, config: Any, **kwargs: Any) -> list[Any]:
    """Return what every way to call gives, two of them for two inputs."""
    return [
        chain.invoke(value, config, **kwargs),
        await chain.ainvoke(value, config, **kwargs),
        join(list(chain.stream(value, config, **kwargs))),
        join([piece async for piece in chain.astream(value, config, **kwargs)]),
        join(list(chain.transform(iter([value]), config, **kwargs))),
        join([piece async for piece in chain.atransform(given(value), config, **kwargs)]),
        *chain.batch([value, value], config, **kwargs),
        *await chain.abatch([value, value], config, **kwargs),
    ]


class Together:
    """Holds everybody back until a number of callers is there at once."""

    def __init__(self, count: int) -> None:
        self.threads = threading.Barrier(count)
        self.tasks = asyncio.Barrier(count)

    def step(self) -> RunnableLambda[Any, Any]:
        def wait(value: Any) -> Any:
            self.threads.wait(WAIT_SECONDS)
            return value

        async def await_others(value: Any) -> Any:
            async with asyncio.timeout(WAIT_SECONDS):
                await self.tasks.wait()
            return value

        return RunnableLambda(wait, await_others)


async def closed(model: Letters, how: list[str], config: Any) -> None:
    """Check that a model was closed; under a deadline its own thread closes it, which may still be at it."""
    while config is TIMED and len(model.closed) < len(how):  # noqa: ASYNC110 - a thread is waited for
        await asyncio.sleep(0)
    assert sorted(model.closed) == sorted(how)
