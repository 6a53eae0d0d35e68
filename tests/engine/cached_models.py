"""Models that note what their hooks were asked, and every way to ask them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from modelport import (
    LLM,
)

ASKED: list[str] = []
"""What the hooks of this module's models were asked, by the running test."""


class First(LLM):
    """Gives the first `n` characters (the guide's model)."""

    n: int = 5

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        ASKED.append(prompt)
        return prompt[: self.n]


class Streaming(First):
    """Gives them one by one."""

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[str]:
        ASKED.append(prompt)
        yield from prompt[: self.n]


class AsyncStreaming(First):
    """Gives them one by one, on the loop."""

    async def _astream(self, prompt: str, stop: Any = None, run_manager: Any = None) -> AsyncIterator[str]:
        ASKED.append(prompt)
        for character in prompt[: self.n]:
            await asyncio.sleep(0)
            yield character


async def joined(pieces: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in pieces])


WAYS: dict[str, Callable[[LLM, str], str]] = {
    "invoke": lambda model, prompt: model.invoke(prompt),
    "ainvoke": lambda model, prompt: asyncio.run(model.ainvoke(prompt)),
    "stream": lambda model, prompt: "".join(model.stream(prompt)),
    "astream": lambda model, prompt: asyncio.run(joined(model.astream(prompt))),
    "batch": lambda model, prompt: model.batch([prompt])[0],
    "abatch": lambda model, prompt: asyncio.run(model.abatch([prompt]))[0],
    "generate": lambda model, prompt: model.generate([prompt]).generations[0][0].text,
}
