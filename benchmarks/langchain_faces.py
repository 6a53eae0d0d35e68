"""What `to_langchain(model)` costs beside the same class written for LangChain.

    python benchmarks/langchain_faces.py [--quick] [--only astream]

Both are called by LangChain's own methods, are consumed by the same loops and take turns in one run (`timing.py`). A
limit that is passed is printed as such and fails nothing: benchmarks inform.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

from langchain_core import language_models as langchain
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate

from modelport import ChatModel
from modelport.integrations.langchain import to_langchain
from subjects import SLOW_SECONDS, langchain_subject, modelport_subject
from timing import Kind, Pace, items, median_seconds

FULL = Pace(rounds=21, sample_seconds=0.02)
QUICK = Pace(rounds=7, sample_seconds=0.006)
SLEEPING_ROUNDS = 5
TOKENS = 200
PROMPT = "abcdefghij" * (TOKENS // 10)
EIGHT = [f"prompt {index}" for index in range(8)]
FACE, DIRECT = "face", "direct"
NAME_WIDTH = 40
TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
"""Unset here: a trace sent over the network is not what is compared."""


class DirectChat(langchain.BaseChatModel):
    """Echoes the last message, as its author writes it for LangChain."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=messages[-1].content))])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=messages[-1].content))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for char in messages[-1].content:
            yield ChatGenerationChunk(message=AIMessageChunk(content=char))

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for char in messages[-1].content:
            yield ChatGenerationChunk(message=AIMessageChunk(content=char))

    @property
    def _llm_type(self) -> str:
        return "direct-chat"


class PortedChat(ChatModel):
    """Echoes the last message, as its author writes it for modelport."""

    def _call(self, messages: Any, **kwargs: Any) -> str:
        return messages[-1].content

    async def _acall(self, messages: Any, **kwargs: Any) -> str:
        return messages[-1].content

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        yield from messages[-1].content

    async def _astream(self, messages: Any, **kwargs: Any) -> AsyncIterator[str]:
        for char in messages[-1].content:
            yield char


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    work: Callable[[Any], Any]
    """One run of a side's model."""
    models: tuple[Any, Any]
    """The face, and the model written for LangChain."""
    kind: Kind = "call"
    per: int = 1
    """Tokens or events of a run; its time is given for one of them."""
    limit: float | None = None
    """How much more than the direct model's a face's time may be."""
    sleeps: bool = False
    """The run mostly sleeps: few rounds are enough."""


def rows() -> list[Row]:
    """All lines of the table."""
    ours, theirs = modelport_subject(), langchain_subject()
    prompt = ChatPromptTemplate.from_messages([("system", "you are a bot"), ("human", "{input}")])
    echo = to_langchain(ours.echo, as_chat=False), theirs.echo
    native = to_langchain(ours.native, as_chat=False), theirs.native
    slow = to_langchain(ours.slow, as_chat=False), theirs.slow
    chat = to_langchain(PortedChat()), DirectChat()
    chain: tuple[Any, Any] = prompt | echo[0], prompt | cast("Any", echo[1])
    native_chain: tuple[Any, Any] = prompt | native[0], prompt | cast("Any", native[1])
    counted = {"callbacks": [theirs.counter]}
    variables = {"input": PROMPT}
    return [
        Row("invoke", lambda model: model.invoke("hello"), echo, limit=1.1),
        Row("ainvoke, async hooks", lambda model: model.ainvoke("hello"), native, "acall", limit=1.1),
        Row("invoke, one handler", lambda model: model.invoke("hello", counted), echo),
        Row("prompt | llm, invoke", lambda model: model.invoke(variables), chain),
        Row("stream, token", lambda model: model.stream(PROMPT), echo, "stream", TOKENS),
        Row("astream, async hooks, token", lambda model: model.astream(PROMPT), native, "astream", TOKENS, 1.25),
        Row("astream, sync hooks, token", lambda model: model.astream(PROMPT), echo, "astream", TOKENS, 1.25),
        Row(
            "astream, one handler, token",
            lambda model: model.astream(PROMPT, counted), native, "astream", TOKENS,
        ),
        Row("prompt | llm, astream, token", lambda model: model.astream(variables), native_chain, "astream", TOKENS),
        Row(
            "prompt | llm, astream_events, event",
            lambda model: model.astream_events(variables, version="v2"), native_chain, "astream", 2 * TOKENS,
        ),
        Row("chat: invoke", lambda model: model.invoke("hello"), chat, limit=1.1),
        Row("chat: ainvoke", lambda model: model.ainvoke("hello"), chat, "acall", limit=1.1),
        Row("chat: stream, token", lambda model: model.stream(PROMPT), chat, "stream", TOKENS),
        Row("chat: astream, token", lambda model: model.astream(PROMPT), chat, "astream", TOKENS, 1.25),
        Row("batch of 8 calls of 50 ms", lambda model: model.batch(EIGHT), slow, sleeps=True),
        Row("abatch of 8 calls of 50 ms", lambda model: model.abatch(EIGHT), slow, "acall", sleeps=True),
    ]  # fmt: skip


def _text(given: list[Any]) -> str:
    texts = [item if isinstance(item, str) else getattr(item, "text", "") for item in given]
    return "".join(texts)


def _measured(runner: asyncio.Runner, row: Row, pace: Pace) -> dict[str, float]:
    """Median seconds of both sides; what they give is compared first, unmeasured."""
    sources = {
        side: lambda model=model: row.work(model) for side, model in zip((FACE, DIRECT), row.models, strict=True)
    }
    given = {side: items(runner, row.kind, source) for side, source in sources.items()}
    if _text(given[FACE]) != _text(given[DIRECT]) or abs(len(given[FACE]) - len(given[DIRECT])) > 1:
        raise SystemExit(f"{row.name!r} is not comparable: the sides give {given!r}"[:400])
    pace = Pace(min(pace.rounds, SLEEPING_ROUNDS), pace.sample_seconds) if row.sleeps else pace
    return median_seconds(runner, row.kind, sources, pace)


def _print(row: Row, seconds: dict[str, float]) -> bool:
    """Print a line; tell whether its limit is kept."""
    face, direct = (seconds[side] / row.per for side in (FACE, DIRECT))
    ratio = face / direct
    kept = row.limit is None or ratio <= row.limit
    verdict = "" if row.limit is None else f"<= {row.limit:g}x {'ok' if kept else 'MISS'}"
    if row.sleeps:
        waves = face / SLOW_SECONDS
        kept = waves < 2
        verdict = f"{waves:.1f} waves (< 2 {'ok' if kept else 'MISS'}), direct {direct / SLOW_SECONDS:.1f}"
    unit, scale = ("ms", 1e3) if row.sleeps else ("us", 1e6)
    numbers = f"{face * scale:>10.2f}{direct * scale:>10.2f}{ratio:>9.2f}x"
    print(f"{row.name:<{NAME_WIDTH}}{unit:<4}{numbers}  {verdict}".rstrip(), flush=True)
    return kept


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples")
    parser.add_argument("--only", default="", help="only rows whose name has this text")
    given = parser.parse_args()
    for name in TRACING:
        os.environ.pop(name, None)
    pace = QUICK if given.quick else FULL
    print(", ".join(f"{name} {version(name)}" for name in ("modelport", "langchain-core", "pydantic")))
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores")
    print(f"Medians of {pace.rounds} rounds in one process, the sides in turns; x = {FACE} over {DIRECT}.\n")
    print(f"{'':<{NAME_WIDTH}}{'unit':<4}{FACE:>10}{DIRECT:>10}{'ratio':>10}")
    with asyncio.Runner() as runner:
        kept = [_print(row, _measured(runner, row, pace)) for row in rows() if given.only in row.name]
    print(f"\n{kept.count(False)} limits passed." if False in kept else "\nAll limits kept.")


if __name__ == "__main__":
    main()
