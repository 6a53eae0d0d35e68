"""Every way to call a runnable that answers with text, and the configs to call it with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from modelport import BaseCallbackHandler


async def atransform(chain: Any, value: Any, config: Any) -> Any:
    async def pieces() -> AsyncIterator[Any]:
        yield value

    return "".join([piece async for piece in chain.atransform(pieces(), config)])


async def astream(chain: Any, value: Any, config: Any) -> Any:
    return "".join([piece async for piece in chain.astream(value, config)])


async def acompleted(chain: Any, value: Any, config: Any) -> Any:
    return {place: one async for place, one in chain.abatch_as_completed([value], config)}[0]


async def now(value: Any) -> Any:
    return value


async def first(values: Awaitable[list[Any]]) -> Any:
    return (await values)[0]


WAYS: dict[str, Callable[[Any, Any, Any], Awaitable[Any]]] = {
    "invoke": lambda chain, value, config: now(chain.invoke(value, config)),
    "ainvoke": lambda chain, value, config: chain.ainvoke(value, config),
    "batch": lambda chain, value, config: now(chain.batch([value], config)[0]),
    "abatch": lambda chain, value, config: first(chain.abatch([value], config)),
    "stream": lambda chain, value, config: now("".join(chain.stream(value, config))),
    "astream": astream,
    "transform": lambda chain, value, config: now("".join(chain.transform(iter([value]), config))),
    "atransform": atransform,
    "batch_as_completed": lambda chain, value, config: now(dict(chain.batch_as_completed([value], config))[0]),
    "abatch_as_completed": acompleted,
}
every_way = pytest.mark.parametrize("way", WAYS)


async def batched(chain: Any, way: str, inputs: list[Any], config: Any = None, **kwargs: Any) -> list[Any]:
    answers = getattr(chain, way)(inputs, config, **kwargs)
    return await answers if way == "abatch" else answers


class Silent(BaseCallbackHandler):
    """Listens."""


CONFIGS: dict[str, Any] = {"bare": None, "timed": {"timeout": 60}, "heard": {"callbacks": [Silent()]}}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
