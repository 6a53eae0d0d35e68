"""The compositions of the table, and the ways to call them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

from modelport import (
    ModelTimeoutError,
    Runnable,
    RunnableBranch,
    RunnableParallel,
)
from tests.runnables.failing import DownError

ATTEMPTS = 3
"""How many attempts `with_retry` makes by default."""


def whole(pieces: list[Any]) -> Any:
    """Return what a stream's pieces are together; a parallel's are dicts."""
    if not pieces or isinstance(pieces[0], str):
        return "".join(pieces)
    keys = {key for piece in pieces for key in piece}
    return {key: "".join(piece.get(key, "") for piece in pieces) for key in keys}


async def caught(work: Awaitable[Any]) -> list[Any]:
    """Return a single call's outcome as a batch would."""
    try:
        return [await work]
    except (DownError, ModelTimeoutError) as error:
        return [error]


async def ainput(value: str) -> AsyncIterator[str]:
    yield value


async def invoke(chain: Any, values: list[str], config: Any) -> list[Any]:
    async def work() -> Any:
        return chain.invoke(values[0], config)

    return await caught(work())


async def ainvoke(chain: Any, values: list[str], config: Any) -> list[Any]:
    return await caught(chain.ainvoke(values[0], config))


def streaming(open_stream: Callable[[Any, str, Any], Iterator[Any]]) -> Any:
    async def way(chain: Any, values: list[str], config: Any) -> list[Any]:
        async def work() -> Any:
            return whole(list(open_stream(chain, values[0], config)))

        return await caught(work())

    return way


def astreaming(open_stream: Callable[[Any, str, Any], AsyncIterator[Any]]) -> Any:
    async def way(chain: Any, values: list[str], config: Any) -> list[Any]:
        async def work() -> Any:
            return whole([piece async for piece in open_stream(chain, values[0], config)])

        return await caught(work())

    return way


async def batch(chain: Any, values: list[str], config: Any) -> list[Any]:
    return chain.batch(values, config, return_exceptions=True)


async def abatch(chain: Any, values: list[str], config: Any) -> list[Any]:
    return await chain.abatch(values, config, return_exceptions=True)


async def batch_as_completed(chain: Any, values: list[str], config: Any) -> list[Any]:
    outcomes = dict(chain.batch_as_completed(values, config, return_exceptions=True))
    return [outcomes[place] for place in range(len(values))]


async def abatch_as_completed(chain: Any, values: list[str], config: Any) -> list[Any]:
    pairs = chain.abatch_as_completed(values, config, return_exceptions=True)
    outcomes = {place: outcome async for place, outcome in pairs}
    return [outcomes[place] for place in range(len(values))]


OPEN: dict[str, Callable[[Any, str, Any], Any]] = {
    "stream": lambda chain, value, config: chain.stream(value, config),
    "transform": lambda chain, value, config: chain.transform(iter([value]), config),
    "astream": lambda chain, value, config: chain.astream(value, config),
    "atransform": lambda chain, value, config: chain.atransform(ainput(value), config),
}


class Way(NamedTuple):
    """Is one way to call: gives one outcome for each value, failures among them."""

    call: Callable[[Any, list[str], Any], Awaitable[list[Any]]]
    many: bool = False
    together: bool = False
    """Whether all values come at once, so that one hook call may answer them."""


WAYS = {
    "invoke": Way(invoke),
    "ainvoke": Way(ainvoke),
    "stream": Way(streaming(OPEN["stream"])),
    "astream": Way(astreaming(OPEN["astream"])),
    "transform": Way(streaming(OPEN["transform"])),
    "atransform": Way(astreaming(OPEN["atransform"])),
    "batch": Way(batch, many=True, together=True),
    "abatch": Way(abatch, many=True, together=True),
    "batch_as_completed": Way(batch_as_completed, many=True),
    "abatch_as_completed": Way(abatch_as_completed, many=True),
}


class Composition(NamedTuple):
    """Is one composition: what it makes of the inner thing and a spare one, and what it promises."""

    make: Callable[[Any, Any], Runnable[str, Any]]
    answer: Callable[[str], Any] = str.upper
    recovers: bool = False
    """Whether one failure of the inner thing is mended."""
    attempts_to_recover: int = 1
    """How often the inner hook is called for a prompt that fails once."""
    attempts_in_vain: int = 1
    """How often it is called for one that always fails."""
    spare_mends: bool = False
    """Whether it is the spare that mends."""


COMPOSITIONS = {
    "retry": Composition(
        lambda inner, spare: inner.with_retry(), recovers=True, attempts_to_recover=2, attempts_in_vain=ATTEMPTS
    ),
    "fallback": Composition(lambda inner, spare: inner.with_fallbacks([spare]), recovers=True, spare_mends=True),
    "timeout": Composition(lambda inner, spare: inner.with_timeout(60)),
    "branch": Composition(lambda inner, spare: RunnableBranch((str.islower, inner), spare)),
    "parallel": Composition(
        lambda inner, spare: RunnableParallel(inner=inner, spare=spare),
        answer=lambda value: {"inner": value.upper(), "spare": value.upper()},
    ),
}
