"""`with_retry`: streams are tried again until their first chunk, with an input that is replayed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import (
    LLM,
    PromptTemplate,
    Runnable,
    RunnableLambda,
    StrOutputParser,
)
from modelport.testing.gates import Gate
from modelport.values.errors import HookError
from tests.runnables.failing import DownError, Flaky
from tests.runnables.ways import every_config

pytestmark = pytest.mark.usefixtures("waits")


class Streaming(LLM):
    """Streams letters; the first calls fail after some of them. Notes its starts and closes."""

    fails_after: list[int]
    log: Any

    def _stream(self, prompt: str) -> Iterator[str]:
        after = self.fails_after.pop(0) if self.fails_after else len(prompt)
        self.log.append("start")
        try:
            yield from prompt[:after]
            if after < len(prompt):
                raise DownError(after)
        finally:
            self.log.append("closed")

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for letter in self._stream(prompt):
            yield letter


async def streamed(chain: Any, way: str, value: Any, config: Any = None) -> tuple[str, BaseException | None]:
    """Return what came of a stream, and what ended it."""
    text = ""
    try:
        if way == "stream":
            for piece in chain.stream(value, config):
                text += piece
        else:
            async for piece in chain.astream(value, config):
                text += piece
    except DownError as error:
        return text, error
    return text, None


@every_config
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_stream_is_tried_again_until_its_first_chunk(way: str, config: Any) -> None:
    log: list[str] = []
    chain = Streaming(fails_after=[0, 0], log=log).with_retry()
    assert await streamed(chain, way, "abc", config) == ("abc", None)
    assert log == ["start", "closed"] * 3


@every_config
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_after_the_first_chunk_a_failure_is_the_consumers(way: str, config: Any, waits: list[float]) -> None:
    log: list[str] = []
    text, error = await streamed(Streaming(fails_after=[1], log=log).with_retry(), way, "abc", config)
    assert text == "a"
    assert isinstance(error, DownError)
    assert log == ["start", "closed"]
    assert waits == []


async def test_a_model_that_yields_nothing_is_tried_again() -> None:
    log: list[str] = []
    chain = Streaming(fails_after=[], log=log).with_retry(stop_after_attempt=2)
    with pytest.raises(HookError, match="yielded nothing"):
        list(chain.stream(""))
    with pytest.raises(HookError, match="yielded nothing"):
        [piece async for piece in chain.astream("")]
    assert log == ["start", "closed"] * 4


async def test_closing_the_stream_closes_what_is_tried() -> None:
    log: list[str] = []
    chain = Streaming(fails_after=[0], log=log).with_retry()
    pieces: Any = chain.stream("abc")
    next(pieces)
    pieces.close()
    assert log == ["start", "closed"] * 2
    apieces: Any = chain.astream("abc")
    await anext(apieces)
    await apieces.aclose()
    assert log == ["start", "closed"] * 3


class Letters(Runnable[str, str]):
    """Turns each piece into its first letter; fails after having read some, as often as it is told."""

    def __init__(self, times: int, read: int) -> None:
        self.times, self.read, self.inputs = times, read, []

    def transform(self, input: Iterator[str], config: Any = None, **kwargs: Any) -> Iterator[str]:
        read: list[str] = []
        self.inputs.append(read)
        failing = len(self.inputs) <= self.times
        for piece in input:
            read.append(piece)
            if failing and len(read) == self.read:
                raise DownError
            if len(read) >= self.read:
                yield piece[0]

    async def atransform(self, input: AsyncIterator[str], config: Any = None, **kwargs: Any) -> AsyncIterator[str]:
        read: list[str] = []
        self.inputs.append(read)
        failing = len(self.inputs) <= self.times
        async for piece in input:
            read.append(piece)
            if failing and len(read) == self.read:
                raise DownError
            if len(read) >= self.read:
                yield piece[0]


class Source:
    """Is an input stream that notes how far it was read, and may fail at its end."""

    def __init__(self, *pieces: str, fails: bool = False) -> None:
        self.pieces, self.fails, self.log = pieces, fails, []

    def sync(self) -> Iterator[str]:
        try:
            for piece in self.pieces:
                self.log.append(piece)
                yield piece
            if self.fails:
                raise DownError("input")
        finally:
            self.log.append("closed")

    async def asynchronous(self) -> AsyncIterator[str]:
        for piece in self.sync():
            yield piece


async def transformed(chain: Any, source: Source, way: str, config: Any) -> list[str]:
    if way == "transform":
        return list(chain.transform(source.sync(), config))
    return [piece async for piece in chain.atransform(source.asynchronous(), config)]


@every_config
@pytest.mark.parametrize("way", ["transform", "atransform"])
async def test_a_transformed_stream_is_read_once_and_replayed(way: str, config: Any) -> None:
    source, step = Source("one", "two", "three", "four"), Letters(2, 2)
    assert await transformed(step.with_retry(), source, way, config) == ["t", "t", "f"]
    assert step.inputs == [["one", "two"], ["one", "two"], ["one", "two", "three", "four"]]
    assert source.log == ["one", "two", "three", "four", "closed"]


@every_config
@pytest.mark.parametrize("way", ["transform", "atransform"])
async def test_a_failure_of_the_input_stream_is_not_tried_again(way: str, config: Any, waits: list[float]) -> None:
    source, step = Source("one", fails=True), Letters(0, 2)
    with pytest.raises(DownError, match="input"):
        await transformed(step.with_retry(), source, way, config)
    assert step.inputs == [["one"]]
    assert waits == []


@every_config
async def test_closing_a_transformed_stream_closes_its_input(config: Any) -> None:
    source = Source("one", "two")
    given: Any = source.sync()
    pieces: Any = Letters(1, 1).with_retry().transform(given, config)
    assert next(pieces) == "o"
    pieces.close()
    assert source.log == ["one", "closed"]
    source.log.clear()
    agiven: Any = source.asynchronous()
    apieces: Any = Letters(1, 1).with_retry().atransform(agiven, config)
    assert await anext(apieces) == "o"
    await apieces.aclose()
    assert agiven.ag_frame is None


class Word(str):
    """Is a text that a weak reference can watch."""

    __slots__ = ("__weakref__",)


async def test_after_the_first_chunk_no_input_is_kept() -> None:
    watched: list[weakref.ref[Word]] = []

    def words() -> Iterator[str]:
        for _ in range(3):
            word = Word("word")
            watched.append(weakref.ref(word))
            yield word
            del word

    async def awords() -> AsyncIterator[str]:
        for word in words():
            yield word
            del word

    chain = StrOutputParser().with_retry()
    alive: list[bool] = []
    for _ in chain.transform(words()):
        alive = [one() is not None for one in watched]
    assert alive == [True, False, True]
    watched.clear()
    async for _ in chain.atransform(awords()):
        alive = [one() is not None for one in watched]
    assert alive == [True, False, True]


@every_config
async def test_in_a_chain_each_step_is_tried_again_by_itself(config: Any) -> None:
    log: list[str] = []
    model = Streaming(fails_after=[0], log=log)
    parser = RunnableLambda(Flaky(1))
    chain = PromptTemplate("{x}") | model.with_retry() | StrOutputParser() | parser.with_retry()
    assert "".join(chain.stream({"x": "ab"}, config)) == "AB"
    assert log == ["start", "closed"] * 2
    model.fails_after.append(1)
    with pytest.raises(DownError):
        chain.invoke({"x": "ab"}, {"timeout": 0.5})


async def test_a_timed_out_step_that_still_reads_its_input_takes_nothing_from_the_next_attempt(
    gate: Gate,
) -> None:
    reading = threading.Event()
    readers: list[str] = []

    def slow() -> Iterator[str]:
        yield "a"
        reading.set()
        gate.wait()
        yield "b"
        yield "c"

    class Joins(Runnable[str, str]):
        def transform(self, input: Iterator[str], config: Any = None, **kwargs: Any) -> Iterator[str]:
            readers.append("reader")
            if len(readers) == 2:
                gate.open()
            yield "".join(input)

    chain = Joins().with_timeout(0.2).with_retry(wait_exponential_jitter=False)
    assert list(chain.transform(slow())) == ["abc"]
    assert reading.is_set()
    assert len(readers) == 2
