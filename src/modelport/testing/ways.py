"""The ways to call a model, and the text of what they give: checks are written once over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, closing
from typing import Any, cast

import msgspec

from modelport.testing.gates import in_thread
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import Message


def text_of(value: Any) -> str:
    """Return the text of what a model gives: a str, bytes, a generation, a message, a piece of one, or of choices."""
    if isinstance(value, list) and value:
        return text_of(cast("list[Any]", value)[0])
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (Generation, GenerationChunk, Message)):
        return value.text
    return value if isinstance(value, str) else str(getattr(cast("Any", value), "text", cast("Any", value)))


class Way(msgspec.Struct, frozen=True):
    """Is one way to call a model with one input."""

    name: str
    """The method's name."""
    is_async: bool
    """Whether it is called on an event loop."""
    streams: bool
    """Whether it gives pieces."""
    results: Callable[..., Coroutine[Any, Any, list[Any]]]
    """Takes `(model or face, input, config=None, **kwargs)`; gives the pieces, or a list of the one result."""

    async def text(self, model: Any, value: Any, config: Any = None, **kwargs: Any) -> str:
        """Return the text that the model answers this way; sync ways run in a thread of their own."""
        return "".join(map(text_of, await self.results(model, value, config, **kwargs)))


async def _invoke(model: Any, value: Any, config: Any = None, **kwargs: Any) -> list[Any]:
    return [await in_thread(lambda: model.invoke(value, config, **kwargs))]


async def _ainvoke(model: Any, value: Any, config: Any = None, **kwargs: Any) -> list[Any]:
    return [await model.ainvoke(value, config, **kwargs)]


async def _stream(model: Any, value: Any, config: Any = None, **kwargs: Any) -> list[Any]:
    def read() -> list[Any]:
        with closing(model.stream(value, config, **kwargs)) as pieces:
            return list(pieces)

    return await in_thread(read)


async def _astream(model: Any, value: Any, config: Any = None, **kwargs: Any) -> list[Any]:
    async with aclosing(model.astream(value, config, **kwargs)) as pieces:
        return [piece async for piece in pieces]


async def _batch(model: Any, value: Any, config: Any = None, **kwargs: Any) -> list[Any]:
    return await in_thread(lambda: model.batch([value], config, **kwargs))


async def _abatch(model: Any, value: Any, config: Any = None, **kwargs: Any) -> list[Any]:
    return await model.abatch([value], config, **kwargs)


WAYS: dict[str, Way] = {
    "invoke": Way("invoke", False, False, _invoke),
    "ainvoke": Way("ainvoke", True, False, _ainvoke),
    "stream": Way("stream", False, True, _stream),
    "astream": Way("astream", True, True, _astream),
    "batch": Way("batch", False, False, _batch),
    "abatch": Way("abatch", True, False, _abatch),
}
"""All six, by name."""
ASYNC_WAYS = ("ainvoke", "astream", "abatch")
SYNC_WAYS = ("invoke", "stream", "batch")
STREAMS = ("stream", "astream")
BATCHES = ("batch", "abatch")
SINGLES = ("invoke", "ainvoke", "stream", "astream")
GENERATES = ("generate", "agenerate")
"""Ways to call that only models have."""


async def read_pieces(way: str, model: Any, value: Any, config: Any, note: Callable[[Any], object]) -> None:
    """Read `stream` or `astream`, and call `note` with each piece at the moment when the consumer has it."""

    def read() -> None:
        with closing(model.stream(value, config)) as pieces:
            for piece in pieces:
                note(piece)

    if way == "stream":
        await in_thread(read)
        return
    async with aclosing(model.astream(value, config)) as pieces:
        async for piece in pieces:
            note(piece)


@asynccontextmanager
async def asking(way: str, model: Any) -> AsyncGenerator[Callable[..., asyncio.Task[str]], None]:
    """Give a function that asks a model, or its face, in a task of its own; at the end all tasks are cancelled."""
    tasks: list[asyncio.Task[str]] = []

    def ask(value: Any, config: Any = None, **kwargs: Any) -> asyncio.Task[str]:
        tasks.append(asyncio.create_task(WAYS[way].text(model, value, config, **kwargs)))
        return tasks[-1]

    try:
        yield ask
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def batch_by(way: str, model: Any, values: list[Any], config: Any = None, **kwargs: Any) -> list[Any]:
    """Return what `batch` or `abatch` gives for many inputs."""
    if way == "abatch":
        return await model.abatch(values, config, **kwargs)
    return await in_thread(lambda: model.batch(values, config, **kwargs))


async def generate_by(way: str, model: Any, values: list[Any], **kwargs: Any) -> Any:
    """Return what `generate` or `agenerate` gives."""
    if way == "agenerate":
        return await model.agenerate(values, **kwargs)
    return await in_thread(lambda: model.generate(values, **kwargs))
