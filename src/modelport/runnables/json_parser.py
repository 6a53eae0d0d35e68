"""`JsonOutputParser`: JSON out of an answer, growing while the answer streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json
from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.runnables.joining import snapshot
from modelport.runnables.json_reader import JsonReader
from modelport.runnables.parsers import OutputParser, StrOutputParser
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope
from modelport.values.errors import InputError, OutputParserError

_TEXTS = StrOutputParser(name="JsonOutputParser")


class JsonOutputParser(OutputParser[Any]):
    """Gives the JSON in an answer: of a str, a message or a generation, in a fence or with prose around it.

    The JSON is the first object or list in the text; without one, the text as a whole. A stream yields the object or
    list as it grows, each time it has changed: every piece holds all that came before it, and joined the last one
    counts. For each piece of text what has come so far is parsed again (natively), so a stream's cost grows with the
    square of the answer's length: 1,000 pieces of 4 characters take some 20 ms in all, 10,000 some 2 s.
    """

    __slots__ = ("pydantic_object",)

    def __init__(self, *, pydantic_object: type[BaseModel] | None = None, name: str | None = None) -> None:
        """Make a parser.

        Args:
            pydantic_object: What a model is told to write, by `get_format_instructions`. Answers are given as they
                come, not validated (as in LangChain).
            name: The name that events carry.

        Raises:
            InputError: `pydantic_object` is no pydantic model class.
        """
        super().__init__(name=name)
        given: Any = pydantic_object
        if given is not None and not (isinstance(given, type) and issubclass(given, BaseModel)):
            raise InputError(f"pydantic_object must be a pydantic model class, not {given!r:.200}")
        self.pydantic_object = pydantic_object
        """What a model is told to write."""

    @override
    def __repr__(self) -> str:
        given = "" if self.pydantic_object is None else f"pydantic_object={self.pydantic_object.__name__}"
        return f"JsonOutputParser({given})"

    def get_format_instructions(self) -> str:
        """Return what to tell a model in its prompt, so that it writes JSON that this parser reads."""
        if self.pydantic_object is None:
            return "Answer with one JSON object and nothing else."
        schema = to_json(self.pydantic_object.model_json_schema()).decode()
        return (
            "Answer with one JSON object and nothing else. Write an object that is valid against this JSON Schema, "
            f"not the schema itself:\n```json\n{schema}\n```"
        )

    @override
    def parse(self, value: Any) -> Any:
        """Return the JSON in an answer.

        Raises:
            InputError: The value has no text.
            OutputParserError: There is no JSON in the text, or it is malformed or ends too early.
        """
        growth = _Growth()
        growth.push(_TEXTS.parse(value), is_last=True)
        return growth.value

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[Any, None, None]:
        growth = _Growth()
        try:
            for piece in pieces:
                if growth.push(_TEXTS.parse(piece)):
                    yield snapshot(growth.value)
            if growth.began and growth.push("", is_last=True):
                yield snapshot(growth.value)
        finally:
            close_quietly(pieces)

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[Any, None]:
        growth = _Growth()
        try:
            async for piece in pieces:
                if growth.push(_TEXTS.parse(piece)):
                    yield snapshot(growth.value)
            if growth.began and growth.push("", is_last=True):
                yield snapshot(growth.value)
        finally:
            await aclose_quietly(pieces)


class _Growth:
    """Is the JSON of one answer while it grows; says when it has changed."""

    def __init__(self) -> None:
        self._reader = JsonReader()
        self.began = False
        """Whether any piece has come."""
        self.value: Any = None
        """What has come so far."""
        self._has_value = False

    def push(self, text: str, *, is_last: bool = False) -> bool:
        """Take a piece of the answer; tell whether the value is another one now.

        Raises:
            OutputParserError: It is no JSON, or it was the last piece and the JSON has not ended.
        """
        self.began = True
        is_new = self._reader.feed(text)
        if not is_new and not (is_last and not self._reader.is_complete):
            return False
        try:
            value = self._reader.rest() if is_last and not self._reader.is_complete else self._reader.value()
        except ValueError as error:
            raise OutputParserError(
                f"the answer is no JSON ({error}): {self._reader.text!r:.500}", llm_output=self._reader.text
            ) from error
        if self._has_value and not self._differs(value):
            return False
        self.value, self._has_value = value, True
        return True

    def _differs(self, value: Any) -> bool:
        # The last value has its exact types: 1 may have become 1.0, which is equal to it.
        return value != self.value or (self._reader.is_complete and to_json(value) != to_json(self.value))
