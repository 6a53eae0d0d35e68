"""Continuing prompts with a model: what `text_completion` and the gateway's `/completions` have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from typing import Any

from modelport.engine.call import Call
from modelport.engine.choices import arun_choices, run_choices
from modelport.engine.indexed_choices import astream_all_choices
from modelport.engine.streams import stream as stream_of
from modelport.sdk.stream import choices_of
from modelport.values.generations import GenerationChunk
from modelport.wire.completion import now_seconds
from modelport.wire.text_chunks import TextChunks
from modelport.wire.text_completion import TextCompletion, new_text_completion_id
from modelport.wire.text_response import text_completion

Piece = tuple[int, GenerationChunk]
"""A piece of a choice, with the choice's index, counted through all prompts."""


class Continuation:
    """Is one request for the continuation of prompts: a call of the engine for each, answered n times."""

    __slots__ = ("_echoes", "_include_usage", "_name", "calls", "n")

    def __init__(
        self, calls: Sequence[Call], n: int, *, name: str, echoes: Sequence[str] | None, include_usage: bool
    ) -> None:
        """Make one.

        Args:
            calls: The engine's calls, one for each prompt.
            n: How many choices each prompt has.
            name: The model's name, as answers carry it.
            echoes: The prompts, when each choice begins with its own.
            include_usage: Whether a stream ends with a chunk that has the usage.
        """
        self.calls = calls
        """The engine's calls, one for each prompt."""
        self.n = n
        """How many choices each prompt has."""
        self._name = name
        self._echoes = echoes
        self._include_usage = include_usage

    def run(self) -> TextCompletion:
        """Return the answer; the first failure is raised."""
        return self._response(run_choices(self.calls, self.n))

    async def arun(self) -> TextCompletion:
        """Return the answer, on the running loop."""
        return self._response(await arun_choices(self.calls, self.n))

    def _response(self, outcomes: Sequence[Any]) -> TextCompletion:
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return text_completion(
            outcomes,
            completion_id=new_text_completion_id(),
            created=now_seconds(),
            model=self._name,
            echoes=self._echoes,
        )

    def new_chunks(self) -> TextChunks:
        """Return what makes chunks of the pieces."""
        return TextChunks(
            completion_id=new_text_completion_id(),
            created=now_seconds(),
            model=self._name,
            include_usage=self._include_usage,
            n=self.n,
            echoes=self._echoes,
        )

    def pieces(self) -> Generator[Piece, None, None]:
        """Yield the pieces: one prompt after the other, the choices of each at once."""
        n = self.n
        for position, call in enumerate(self.calls):
            with closing(choices_of(call, n) if n > 1 else _alone(call)) as pieces:
                for index, piece in pieces:
                    yield position * n + index, piece

    async def apieces(self) -> AsyncGenerator[Piece, None]:
        """Yield the pieces on the running loop, as `pieces` does."""
        n = self.n
        for position, call in enumerate(self.calls):
            async with aclosing(astream_all_choices(call, n)) as pieces:
                async for index, piece in pieces:
                    yield position * n + index, piece


def _alone(call: Call) -> Generator[Piece, None, None]:
    with closing(stream_of(call)) as pieces:
        for piece in pieces:
            yield 0, piece
