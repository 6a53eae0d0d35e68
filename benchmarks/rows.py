"""The rows of the table: what both sides do, what the floor does, and the ratio aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import floor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from subjects import Subject
    from timing import Kind, Source

TOKENS = 1_000
"""Tokens of one answer, in the rows that do not vary them."""
CHAIN_PREFIX = "System: you are a bot\nHuman: "
"""What the chain's prompt adds to its input; the echo model answers with it."""
COUNTER = floor.Counter()
"""The floor's handler."""


def text(characters: int) -> str:
    """English-like text of that length."""
    words = "the quick brown fox jumps over a lazy dog; "
    return (words * (characters // len(words) + 1))[:characters]


PROMPT = text(TOKENS)
CHAIN_INPUT = text(TOKENS - len(CHAIN_PREFIX))
CHAIN_ANSWER = CHAIN_PREFIX + CHAIN_INPUT
VARIABLES = {"input": CHAIN_INPUT}
EIGHT = [f"prompt {index}" for index in range(8)]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    work: Callable[[Subject], Source]
    """One run, in the same code for modelport and langchain-core."""
    floor: Source
    """One run in bare Python."""
    answer: str = PROMPT
    """What every side's run must give, joined."""
    kind: Kind = "call"
    """What a run gives."""
    tokens: int = 0
    """Tokens of a run that streams: its time is given per token. 0: per run."""
    target: float | None = None
    """How many times faster than langchain-core modelport means to be."""
    told: int = 0
    """Token events that a run brings to its handler."""
    sleeps: bool = False
    """The run mostly sleeps: its time is given in ms, and few rounds are enough."""

    @property
    def unit(self) -> str:
        """The unit of the row's times."""
        return "ms" if self.sleeps else "µs/token" if self.tokens else "µs/call"

    @property
    def units_per_second(self) -> float:
        """What turns seconds of one run into the row's unit."""
        return 1e3 if self.sleeps else 1e6 / (self.tokens or 1)


call = Row
acall = partial(Row, kind="acall")
slow_call = partial(call, sleeps=True)
slow_acall = partial(acall, sleeps=True)
stream = partial(Row, kind="stream", tokens=TOKENS)
astream = partial(Row, kind="astream", tokens=TOKENS)
told_stream = partial(stream, told=TOKENS)
told_astream = partial(astream, told=TOKENS)


def call_rows() -> Iterator[Row]:
    """One answer, in every way to ask for it."""
    yield call("invoke", lambda side: lambda: side.echo.invoke(PROMPT), lambda: floor.call(PROMPT), target=35)
    yield call(
        "invoke + handler", lambda side: lambda: side.echo.invoke(PROMPT, side.config), lambda: floor.call(PROMPT)
    )
    yield call(
        "prompt | llm invoke",
        lambda side: lambda: side.echo_chain.invoke(VARIABLES),
        lambda: floor.chain_call(CHAIN_INPUT),
        CHAIN_ANSWER,
        target=35,
    )
    yield acall(
        "ainvoke, native", lambda side: lambda: side.native.ainvoke(PROMPT), lambda: floor.acall(PROMPT), target=40
    )
    yield acall(
        "ainvoke, native + handler",
        lambda side: lambda: side.native.ainvoke(PROMPT, side.config),
        lambda: floor.acall(PROMPT),
    )
    yield acall(
        "ainvoke over a sync hook", lambda side: lambda: side.echo.ainvoke(PROMPT), lambda: floor.call_in_thread(PROMPT)
    )
    yield acall(
        "ainvoke over a sync hook + handler",
        lambda side: lambda: side.echo.ainvoke(PROMPT, side.config),
        lambda: floor.call_in_thread(PROMPT),
    )


def stream_rows() -> Iterator[Row]:
    """An answer of `TOKENS` one-character tokens, in every way to stream it."""
    yield stream("stream", lambda side: lambda: side.echo.stream(PROMPT), lambda: floor.tokens(PROMPT), target=10)
    yield told_stream(
        "stream + handler",
        lambda side: lambda: side.echo.stream(PROMPT, side.config),
        lambda: floor.told_tokens(PROMPT, COUNTER),
    )
    yield astream(
        "astream, native", lambda side: lambda: side.native.astream(PROMPT), lambda: floor.atokens(PROMPT), target=8
    )
    yield told_astream(
        "astream, native + handler",
        lambda side: lambda: side.native.astream(PROMPT, side.config),
        lambda: floor.told_atokens(PROMPT, COUNTER),
    )
    yield astream(
        "astream over a sync generator",
        lambda side: lambda: side.echo.astream(PROMPT),
        lambda: floor.tokens_in_thread(PROMPT),
        target=20,
    )
    yield told_astream(
        "astream over a sync generator + handler",
        lambda side: lambda: side.echo.astream(PROMPT, side.config),
        lambda: floor.told_tokens_in_thread(PROMPT, COUNTER),
    )


def event_rows() -> Iterator[Row]:
    """The same answer as v2 events; a chain makes two of each token."""
    yield astream(
        "events v2, native",
        lambda side: lambda: side.native.astream_events(PROMPT, version="v2"),
        lambda: floor.events(floor.atokens(PROMPT)),
        target=18,
    )
    yield astream(
        "events v2, native, prompt | llm",
        lambda side: lambda: side.native_chain.astream_events(VARIABLES, version="v2"),
        lambda: floor.chain_events(floor.atokens(CHAIN_ANSWER)),
        CHAIN_ANSWER,
        target=18,
    )
    yield astream(
        "events v2 over a sync generator",
        lambda side: lambda: side.echo.astream_events(PROMPT, version="v2"),
        lambda: floor.events(floor.tokens_in_thread(PROMPT)),
        target=60,
    )
    yield astream(
        "events v2 over a sync generator, prompt | llm",
        lambda side: lambda: side.echo_chain.astream_events(VARIABLES, version="v2"),
        lambda: floor.chain_events(floor.tokens_in_thread(CHAIN_ANSWER)),
        CHAIN_ANSWER,
        target=60,
    )


def batch_rows() -> Iterator[Row]:
    """Eight calls that each block their thread for 50 ms."""
    yield slow_call(
        "batch of 8 calls that block 50 ms",
        lambda side: lambda: side.slow.batch(EIGHT),
        lambda: floor.batch(EIGHT),
        "".join(EIGHT),
    )
    yield slow_acall(
        "abatch of 8 calls that block 50 ms",
        lambda side: lambda: side.slow.abatch(EIGHT),
        lambda: floor.abatch(EIGHT),
        "".join(EIGHT),
    )
