"""`with_fallbacks`: a stream has a fallback until its first chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import (
    LLM,
    Runnable,
    RunnableLambda,
    StrOutputParser,
)
from tests.runnables.failing import DownError, upper
from tests.runnables.ways import WAYS, every_config


class Streaming(LLM):
    """Streams letters and fails after some of them; notes its start and its close."""

    label: str
    fails_after: int = 99
    log: Any

    def _stream(self, prompt: str) -> Iterator[str]:
        self.log.append(f"{self.label} starts")
        try:
            yield from prompt[: self.fails_after]
            if self.fails_after < len(prompt):
                raise DownError(self.label)
        finally:
            self.log.append(f"{self.label} closed")

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for letter in self._stream(prompt):
            yield letter


@every_config
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_failed_stream_is_closed_before_the_next_begins(way: str, config: Any) -> None:
    log: list[str] = []
    chain = Streaming(label="1", fails_after=0, log=log).with_fallbacks([Streaming(label="2", log=log)])
    assert await WAYS[way](chain, "abc", config) == "abc"
    assert log == ["1 starts", "1 closed", "2 starts", "2 closed"]


class Unclosed:
    """Is a stream of somebody else's that fails, and has to be closed."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __iter__(self) -> Unclosed:
        return self

    def __next__(self) -> str:
        raise DownError

    def close(self) -> None:
        self.log.append("closed")

    def __aiter__(self) -> Unclosed:
        return self

    async def __anext__(self) -> str:
        raise DownError

    async def aclose(self) -> None:
        self.log.append("closed")


class Own(Runnable[str, str]):
    """Is a runnable of somebody else's."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def stream(self, input: str, config: Any = None, **kwargs: Any) -> Any:
        return Unclosed(self.log)

    def astream(self, input: str, config: Any = None, **kwargs: Any) -> Any:
        return Unclosed(self.log)


@every_config
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_failed_stream_that_does_not_close_itself_is_closed(way: str, config: Any) -> None:
    log: list[str] = []
    assert await WAYS[way](Own(log).with_fallbacks([upper(log)]), "a", config) == "A"
    assert log == ["closed", "upper"]


@every_config
async def test_after_the_first_chunk_a_failure_is_the_consumers(config: Any) -> None:
    log: list[str] = []
    chain = Streaming(label="1", fails_after=1, log=log).with_fallbacks([Streaming(label="2", log=log)])
    pieces = chain.stream("abc", config)
    assert next(pieces) == "a"
    with pytest.raises(DownError, match="1"):
        next(pieces)
    apieces: Any = chain.astream("abc", config)
    assert await anext(apieces) == "a"
    with pytest.raises(DownError, match="1"):
        await anext(apieces)
    assert log == ["1 starts", "1 closed"] * 2


async def test_closing_the_stream_closes_what_is_tried() -> None:
    log: list[str] = []
    chain = Streaming(label="1", fails_after=0, log=log).with_fallbacks([Streaming(label="2", log=log)])
    pieces: Any = chain.stream("abc")
    next(pieces)
    pieces.close()
    apieces: Any = chain.astream("abc")
    await anext(apieces)
    await apieces.aclose()
    assert log == ["1 starts", "1 closed", "2 starts", "2 closed"] * 2


@every_config
async def test_in_a_chain_a_failing_step_is_replaced_and_its_input_replayed(config: Any) -> None:
    log: list[str] = []

    def fails(pieces: Any) -> Iterator[str]:
        raise DownError(pieces)
        yield ""

    chain = Streaming(label="1", log=log) | RunnableLambda(fails).with_fallbacks([StrOutputParser()])
    assert list(chain.stream("abc", config)) == ["a", "b", "c"]
    assert [piece async for piece in chain.astream("abc", config)] == ["a", "b", "c"]
    assert log == ["1 starts", "1 closed"] * 2


async def test_a_failure_of_the_input_stream_has_no_fallback() -> None:
    log: list[str] = []
    chain = Streaming(label="1", fails_after=1, log=log) | RunnableLambda(str.lower).with_fallbacks([upper(log)])
    with pytest.raises(DownError):
        list(chain.stream("abc"))
    with pytest.raises(DownError):
        await anext(chain.astream("abc"))
    assert log == ["1 starts", "1 closed"] * 2
