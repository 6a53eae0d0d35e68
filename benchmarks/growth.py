"""The rows that grow: longer prompts, more tokens, longer tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import floor
from rows import Row, text
from subjects import WIDE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from subjects import Subject
    from timing import Kind, Source

KIB = 1024
PROMPT_BYTES = {"1 KB": KIB, "32 KB": 32 * KIB, "1 MB": KIB * KIB}
NARROW_TOKENS = (10, 100, 1_000, 10_000)
WIDE_TOKENS = (100, 1_000, 10_000)
FLAT = 1.3
"""The most that a token of 10,000 may cost over one of 100 for the cost to count as flat."""


@dataclass(frozen=True)
class Shape:
    """One growing stream."""

    name: str
    """What the names of its rows begin with."""
    kind: Kind
    counts: tuple[int, ...]
    """How many tokens its rows have."""
    characters: int
    """How long a token is."""
    ask: Callable[[Subject], Callable[[str], Any]]
    """Returns what streams a prompt's tokens."""
    floor: Callable[[str], Any]
    """Streams them in bare Python."""


SHAPES = (
    Shape("stream, 1-char tokens", "stream", NARROW_TOKENS, 1, lambda side: side.echo.stream, floor.tokens),
    Shape(
        "stream, 50-char tokens",
        "stream",
        WIDE_TOKENS,
        WIDE_CHARACTERS,
        lambda side: side.wide.stream,
        floor.wide_tokens,
    ),
    Shape(
        "astream, native, 1-char tokens",
        "astream",
        NARROW_TOKENS,
        1,
        lambda side: side.native.astream,
        floor.atokens,
    ),
    Shape(
        "astream, native, 50-char tokens",
        "astream",
        WIDE_TOKENS,
        WIDE_CHARACTERS,
        lambda side: side.native_wide.astream,
        floor.wide_atokens,
    ),
)


def prompt_rows() -> Iterator[Row]:
    """`invoke` with longer and longer prompts."""
    for size, characters in PROMPT_BYTES.items():
        prompt = text(characters)
        yield Row(
            f"invoke, prompt of {size}",
            lambda side, prompt=prompt: lambda: side.echo.invoke(prompt),
            lambda prompt=prompt: floor.call(prompt),
            prompt,
        )


def token_rows() -> Iterator[Row]:
    """Streams of more and more tokens, of 1 and of 50 characters."""
    for shape in SHAPES:
        for tokens in shape.counts:
            prompt = text(tokens * shape.characters)
            yield Row(
                f"{shape.name}: {tokens:,}",
                lambda side, shape=shape, prompt=prompt: _asked(shape.ask(side), prompt),
                _asked(shape.floor, prompt),
                prompt,
                shape.kind,
                tokens,
            )


def _asked(ask: Callable[[str], Any], prompt: str) -> Source:
    return lambda: ask(prompt)


def flatness(costs: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Each stream's cost per token at 10,000 tokens over that at 100, where both were measured."""
    for shape in SHAPES:
        few, many = costs.get(f"{shape.name}: 100"), costs.get(f"{shape.name}: 10,000")
        if few is not None and many is not None:
            yield shape.name, many / few
