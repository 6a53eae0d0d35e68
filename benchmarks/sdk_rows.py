"""The rows of the SDK benchmark: what every side does, how its answer is read, and the ratios aimed at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rows import PROMPT, TOKENS
from sdk_subjects import HANDLER, LOOP_HANDLER, MODEL, URL, VECTOR, Way

if TYPE_CHECKING:
    from timing import Source

Kind = Literal["call", "acall", "stream", "astream"]
"""What a row's work gives: a result, an awaitable of one, a stream, an awaitable of one."""

MESSAGES = [{"role": "user", "content": PROMPT}]
TEXTS = [PROMPT]
LITELLM_TARGET, ANY_LLM_TARGET = 120.0, 3.0
BOTH = (MODEL, HANDLER)


@dataclass(frozen=True)
class Row:
    """One kind of work."""

    name: str
    kind: Kind
    work: Callable[[Way], Source | None]
    """One run; None: this way does not do it."""
    read: Callable[[Any], str]
    """The text of a result, or of a chunk."""
    answer: str
    """What every run must give."""
    ours: Sequence[str] = BOTH
    """The ways of ours that are measured; each is a line of the table."""
    litellm_target: float | None = None
    """How many times faster than litellm modelport means to be."""
    any_llm_target: float | None = None
    """How many times faster than any-llm."""

    @property
    def unit(self) -> str:
        """The unit of the row's times."""
        return "µs/chunk" if "stream" in self.kind else "µs/call"

    @property
    def units_per_second(self) -> float:
        """What turns seconds of one run into the row's unit."""
        return 1e6 / TOKENS if "stream" in self.kind else 1e6


def _content(result: Any) -> str:
    return result.choices[0].message.content


def _delta(chunk: Any) -> str:
    return chunk.choices[0].delta.content or ""


def _url(result: Any) -> str:
    return result.data[0].url


def _vector(result: Any) -> str:
    [one] = result.data
    return repr(list(one["embedding"] if isinstance(one, dict) else one.embedding))


def _if_there(work: Callable[..., Any] | None, *arguments: Any) -> Source | None:
    return None if work is None else lambda: work(*arguments)


async def drained(opening: Awaitable[Any]) -> None:
    """Read an async stream to its end, for all sides alike."""
    async for _chunk in await opening:
        pass


async def collected(opening: Awaitable[Any]) -> list[Any]:
    """All chunks of an async stream."""
    return [chunk async for chunk in await opening]


ROWS = [
    Row(
        "completion",
        "call",
        lambda way: lambda: way.completion(MESSAGES),
        _content,
        PROMPT,
        litellm_target=LITELLM_TARGET,
        any_llm_target=ANY_LLM_TARGET,
    ),
    Row(
        "acompletion",
        "acall",
        lambda way: lambda: way.acompletion(MESSAGES),
        _content,
        PROMPT,
        ours=(*BOTH, LOOP_HANDLER),
    ),
    Row(
        "stream",
        "stream",
        lambda way: lambda: way.completion(MESSAGES, stream=True),
        _delta,
        PROMPT,
        litellm_target=LITELLM_TARGET,
        any_llm_target=ANY_LLM_TARGET,
    ),
    Row(
        "astream",
        "astream",
        lambda way: lambda: way.acompletion(MESSAGES, stream=True),
        _delta,
        PROMPT,
        ours=(*BOTH, LOOP_HANDLER),
    ),
    Row("mock_response", "call", lambda way: _if_there(way.mock, MESSAGES, PROMPT), _content, PROMPT, ours=(MODEL,)),
    Row("image_generation", "call", lambda way: _if_there(way.image, PROMPT), _url, URL),
    Row("aimage_generation", "acall", lambda way: _if_there(way.aimage, PROMPT), _url, URL, ours=(*BOTH, LOOP_HANDLER)),
    Row("embedding", "call", lambda way: _if_there(way.embedding, TEXTS), _vector, repr(VECTOR)),
    Row(
        "aembedding",
        "acall",
        lambda way: _if_there(way.aembedding, TEXTS),
        _vector,
        repr(VECTOR),
        ours=(*BOTH, LOOP_HANDLER),
    ),
]
"""All of them, in the order of the table."""
