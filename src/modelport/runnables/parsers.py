"""Output parsers: from what a model gives to what a program wants."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, ClassVar

from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.runnables.base import Out
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import PiecewiseStreams
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import Message


class OutputParser(PiecewiseStreams[Any, Out]):
    """Gives what `parse` makes of an answer; how it parses a stream is said by `_pieces` and `_apieces`."""

    __slots__ = ("name",)
    __modelport_kind__: ClassVar[str] = "parser"

    def __init__(self, *, name: str | None = None) -> None:
        """Make a parser; `name` is what events carry."""
        self.name = name
        """The name that events carry; the class's name when None."""

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    @property
    @override
    def InputType(self) -> Any:
        return str | Message

    def parse(self, value: Any) -> Out:
        """Return what is in an answer."""
        raise NotImplementedError

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self.parse(input)
        return observe(self, "parser", scope, input, lambda _: self.parse(input))

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self.parse(input)

        async def work(_: Any) -> Out:
            return self.parse(input)

        return await aobserve(self, "parser", scope, input, work)


class StrOutputParser(OutputParser[str]):
    """Gives the text of an answer: of a str, a message or a generation; streams piece by piece."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return "StrOutputParser()"

    @override
    def parse(self, value: Any) -> str:
        """Return the text of an answer.

        Raises:
            InputError: The value has no text.
        """
        if isinstance(value, str):
            return value
        if isinstance(value, (Message, Generation, GenerationChunk)):
            return value.text
        content = getattr(value, "content", None)
        if isinstance(content, str):
            return content
        raise InputError(f"{self.get_name()} takes a text, a message or a generation, not {value!r:.200}")

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[str, None, None]:
        try:
            for piece in pieces:
                yield self.parse(piece)
        finally:
            close_quietly(pieces)

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[str, None]:
        try:
            async for piece in pieces:
                yield self.parse(piece)
        finally:
            await aclose_quietly(pieces)
