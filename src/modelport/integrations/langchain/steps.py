"""LangChain's runnables as steps of our pipes: prompts, parsers, functions and chains, between conversions.

What comes in is given to them in LangChain's objects, what they give is ours again. Their runs are LangChain's, with
its names; they are part of the one run tree of the call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.runnables import Runnable as LangChainRunnable
from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.integrations.langchain.foreign import from_langchain
from modelport.integrations.langchain.foreign_calls import unbound
from modelport.integrations.langchain.surroundings import config_inside
from modelport.integrations.langchain.translation import from_langchain_value, to_langchain_value
from modelport.runnables.base import Runnable
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import scope_of


def step_for(value: LangChainRunnable[Any, Any]) -> Runnable[Any, Any]:
    """Return the step that a LangChain runnable is; of one of its models the model that `from_langchain` gives."""
    if isinstance(unbound(value).model, (BaseLLM, BaseChatModel)):
        return from_langchain(value)
    return LangChainStep(value)


class LangChainStep(Runnable[Any, Any]):
    """Is a LangChain runnable in a pipe of ours."""

    __slots__ = ("runnable",)

    def __init__(self, runnable: LangChainRunnable[Any, Any]) -> None:
        self.runnable = runnable
        """LangChain's runnable."""

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    @override
    def get_name(self) -> str:
        return self.runnable.get_name()

    @property
    @override
    def InputType(self) -> Any:
        return self.runnable.InputType

    @property
    @override
    def OutputType(self) -> Any:
        return self.runnable.OutputType

    def _config(self, config: RunnableConfig | None, *, is_async: bool) -> Any:
        return config_inside(scope_of(config), is_async=is_async)

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        given = to_langchain_value(input)
        return from_langchain_value(self.runnable.invoke(given, self._config(config, is_async=False), **kwargs))

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        given = to_langchain_value(input)
        return from_langchain_value(await self.runnable.ainvoke(given, self._config(config, is_async=True), **kwargs))

    @override
    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Any, None, None]:
        pieces = self.runnable.stream(to_langchain_value(input), self._config(config, is_async=False), **kwargs)
        return _ours(pieces)

    @override
    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncGenerator[Any, None]:
        pieces = self.runnable.astream(to_langchain_value(input), self._config(config, is_async=True), **kwargs)
        return _aours(pieces)

    @override
    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Any, None, None]:
        given = map(to_langchain_value, input)
        pieces = self.runnable.transform(given, self._config(config, is_async=False), **kwargs)
        return _ours(pieces)

    @override
    def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        given = _atheirs(input)
        pieces = self.runnable.atransform(given, self._config(config, is_async=True), **kwargs)
        return _aours(pieces)


def _ours(pieces: Iterator[Any]) -> Generator[Any, None, None]:
    try:
        for piece in pieces:
            yield from_langchain_value(piece)
    finally:
        close_quietly(pieces)


async def _aours(pieces: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    try:
        async for piece in pieces:
            yield from_langchain_value(piece)
    finally:
        await aclose_quietly(pieces)


async def _atheirs(pieces: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    try:
        async for piece in pieces:
            yield to_langchain_value(piece)
    finally:
        await aclose_quietly(pieces)
