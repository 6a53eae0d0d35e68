"""The rows that grow: longer prompts, more tokens, longer tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import floor
from rows import Row, text
from subjects import WIDE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIB = 1024
PROMPT_BYTES = {"1 KB": KIB, "32 KB": 32 * KIB, "1 MB": KIB * KIB}
NARROW_TOKENS = (10, 100, 1_000, 10_000)
WIDE_TOKENS = (100, 1_000, 10_000)
FLAT = 1.3
"""The most that a token of 10,000 may cost over one of 100 for the cost to count as flat."""
SHAPES = (
    "stream, 1-char tokens",
    "stream, 50-char tokens",
    "astream, native, 1-char tokens",
    "astream, native, 50-char tokens",
)
"""What the names of the rows of each growing stream begin with."""


def prompt_rows() -> Iterator[Row]:
    """`invoke` with longer and longer prompts."""
    for size, characters in PROMPT_BYTES.items():
        prompt = text(characters)
        yield Row(
            f"invoke, prompt of {size}",
            "call",
            lambda side, prompt=prompt: lambda: side.echo.invoke(prompt),
            lambda prompt=prompt: floor.call(prompt),
            prompt,
        )


def token_rows() -> Iterator[Row]:
    """Streams of more and more tokens, of 1 and of 50 characters."""
    for tokens in NARROW_TOKENS:
        yield _stream_row(tokens)
    for tokens in WIDE_TOKENS:
        yield _wide_stream_row(tokens)
    for tokens in NARROW_TOKENS:
        yield _astream_row(tokens)
    for tokens in WIDE_TOKENS:
        yield _wide_astream_row(tokens)


def _stream_row(tokens: int) -> Row:
    prompt = text(tokens)
    return Row(
        f"{SHAPES[0]}: {tokens:,}",
        "stream",
        lambda side: lambda: side.echo.stream(prompt),
        lambda: floor.tokens(prompt),
        prompt,
        tokens,
    )


def _wide_stream_row(tokens: int) -> Row:
    prompt = text(tokens * WIDE_CHARACTERS)
    return Row(
        f"{SHAPES[1]}: {tokens:,}",
        "stream",
        lambda side: lambda: side.wide.stream(prompt),
        lambda: floor.wide_tokens(prompt),
        prompt,
        tokens,
    )


def _astream_row(tokens: int) -> Row:
    prompt = text(tokens)
    return Row(
        f"{SHAPES[2]}: {tokens:,}",
        "astream",
        lambda side: lambda: side.native.astream(prompt),
        lambda: floor.atokens(prompt),
        prompt,
        tokens,
    )


def _wide_astream_row(tokens: int) -> Row:
    prompt = text(tokens * WIDE_CHARACTERS)
    return Row(
        f"{SHAPES[3]}: {tokens:,}",
        "astream",
        lambda side: lambda: side.native_wide.astream(prompt),
        lambda: floor.wide_atokens(prompt),
        prompt,
        tokens,
    )


def flatness(costs: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Each stream's cost per token at 10,000 tokens over that at 100, where both were measured."""
    for shape in SHAPES:
        few, many = costs.get(f"{shape}: 100"), costs.get(f"{shape}: 10,000")
        if few is not None and many is not None:
            yield shape, many / few
