"""`StrOutputParser`: the text of whatever a step gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import langchain_core.messages
import pytest

from modelport import (
    AIMessage,
    AIMessageChunk,
    BaseCallbackHandler,
    Generation,
    GenerationChunk,
    StrOutputParser,
)
from modelport.values.errors import InputError


@pytest.mark.parametrize(
    "value",
    [
        "abc",
        AIMessage("abc"),
        AIMessageChunk("abc"),
        AIMessage(["a", {"type": "text", "text": "bc"}]),
        Generation("abc"),
        GenerationChunk("abc"),
        langchain_core.messages.AIMessage("abc"),
    ],
)
async def test_it_gives_the_text(value: Any) -> None:
    parser = StrOutputParser()
    assert parser.parse(value) == "abc"
    assert parser.invoke(value) == "abc"
    assert await parser.ainvoke(value) == "abc"
    assert list(parser.stream(value)) == ["abc"]
    assert [piece async for piece in parser.astream(value)] == ["abc"]
    assert parser.batch([value]) == ["abc"]


async def test_it_streams_piece_by_piece_and_closes_its_input() -> None:
    closed: list[str] = []

    def pieces() -> Iterator[Any]:
        try:
            yield AIMessageChunk("a")
            yield "b"
            yield GenerationChunk("c")
        finally:
            closed.append("sync")

    async def apieces() -> AsyncIterator[Any]:
        try:
            for piece in pieces():
                yield piece
        finally:
            closed.append("async")

    for config in (None, {"callbacks": [BaseCallbackHandler()]}):
        parser: Any = StrOutputParser()
        stream = parser.transform(pieces(), config)
        assert next(stream) == "a"
        stream.close()
        assert closed == ["sync"]
        assert list(parser.transform(pieces(), config)) == ["a", "b", "c"]
        closed.clear()
        astream = parser.atransform(apieces(), config)
        assert await anext(astream) == "a"
        await astream.aclose()
        assert "async" in closed
        assert [piece async for piece in parser.atransform(apieces(), config)] == ["a", "b", "c"]
        closed.clear()


@pytest.mark.parametrize("value", [4, None, {"text": "x"}])
async def test_what_has_no_text_is_refused(value: Any) -> None:
    parser = StrOutputParser()
    with pytest.raises(InputError, match="takes a text, a message or a generation, not"):
        parser.invoke(value)
    with pytest.raises(InputError):
        await parser.ainvoke(value, {"callbacks": [BaseCallbackHandler()]})


async def test_it_is_heard_of_as_a_parser() -> None:
    heard: list[Any] = []

    class Hears(BaseCallbackHandler):
        def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
            heard.append((kwargs["name"], kwargs["run_type"], inputs))

        def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            heard.append(outputs)

    config: Any = {"callbacks": [Hears()]}
    StrOutputParser(name="text").invoke("x", config)
    await StrOutputParser().ainvoke("y", config)
    list(StrOutputParser().stream("z", config))
    list(StrOutputParser().transform(iter("z"), config))
    assert heard == [
        ("text", "parser", "x"),
        "x",
        ("StrOutputParser", "parser", "y"),
        "y",
        ("StrOutputParser", "parser", "z"),
        "z",
        ("StrOutputParser", "parser", ""),  # an input that streams in is known at its end
        "z",
    ]


def test_it_prints_its_class() -> None:
    assert repr(StrOutputParser()) == "StrOutputParser()"
