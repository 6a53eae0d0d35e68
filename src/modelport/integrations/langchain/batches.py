"""Batches of a LangChain face: concurrent calls whose model answers them together, when it has a hook for many.

Each input is one genuine call of LangChain's `invoke`: its callbacks, its cache, its run. Where the model answers many
at once, the calls meet at a `Gathering` just before it is asked, and it is asked once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list

from modelport.engine.batches import raise_first
from modelport.engine.concurrency import amap_items, ends_the_task, map_items
from modelport.integrations.langchain.gathering import Gathering, Place

MOST_TOGETHER = 128
"""How many calls of one sync batch meet: each has a thread that waits."""
_PLACE: ContextVar[Place | None] = ContextVar("modelport_langchain_place", default=None)
_OPENED: ContextVar[list[AsyncGenerator[Any, None]] | None] = ContextVar("modelport_langchain_opened", default=None)


class BatchingFace:
    """Gives a LangChain face `batch` and `abatch` in which a failure stays in its slot, and its streams an end."""

    if TYPE_CHECKING:
        modelport_model: Any

        def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
            """Return one answer."""

        async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
            """Return one answer."""

    def _place(self) -> Place | None:
        place = _PLACE.get()
        return place if place is not None and place.is_for(self.modelport_model) else None

    def _meets(self, count: int) -> bool:
        """Tell whether the calls of a batch meet: a limiter of their rate would have them wait for one another."""
        hooks = self.modelport_model.__modelport_hooks__
        return count > 1 and hooks.many is not None and getattr(self, "rate_limiter", None) is None

    def batch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Answer many inputs at once, in order; a failure is raised at the end, or stays in its slot.

        A model with a hook for many is asked once for all of them; `max_concurrency` bounds how many it gets at once.
        """
        configs = get_config_list(config, len(inputs)) if inputs else []
        limit = configs[0].get("max_concurrency") if configs else None
        meets = self._meets(len(inputs))
        size = (limit or MOST_TOGETHER) if meets else max(len(inputs), 1)
        outcomes: list[Any] = []
        for start in range(0, len(inputs), size):
            group = range(start, min(start + size, len(inputs)))
            gathering = Gathering(len(group)) if meets else None

            def answer(i: int, gathering: Gathering | None = gathering) -> Any:
                if gathering is None:
                    return self.invoke(inputs[i], configs[i], **kwargs)
                place = Place(gathering, self.modelport_model)
                _PLACE.set(place)  # in a context of this item's own
                try:
                    return self.invoke(inputs[i], configs[i], **kwargs)
                finally:
                    place.leave()

            outcomes += map_items(answer, group, len(group) if meets else limit)
        if not return_exceptions:
            raise_first(outcomes)
        return outcomes

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Answer many inputs at once on the running loop; see `batch`."""
        configs = get_config_list(config, len(inputs)) if inputs else []
        limit = configs[0].get("max_concurrency") if configs else None
        meets = self._meets(len(inputs))
        size = limit if meets and limit else max(len(inputs), 1)
        outcomes: list[Any] = []
        for start in range(0, len(inputs), size):
            group = range(start, min(start + size, len(inputs)))
            gathering = Gathering(len(group)) if meets else None

            async def answer(i: int, gathering: Gathering | None = gathering) -> Any:
                if gathering is None:
                    return await self.ainvoke(inputs[i], configs[i], **kwargs)
                place = Place(gathering, self.modelport_model)
                _PLACE.set(place)
                try:
                    return await self.ainvoke(inputs[i], configs[i], **kwargs)
                except asyncio.CancelledError as error:
                    if ends_the_task(error):
                        gathering.cut()
                    raise
                finally:
                    await place.aleave()

            outcomes += await amap_items(answer, group, None if meets else limit)
        if not return_exceptions:
            raise_first(outcomes)
        return outcomes

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        """Stream an answer; closing the generator closes the model's hook at once.

        LangChain's own leaves its source to the garbage collector.
        """
        opened: list[AsyncGenerator[Any, None]] = []
        source = cast("AsyncGenerator[Any, None]", cast("Any", super()).astream(input, config, **kwargs))
        token = _OPENED.set(opened)
        try:
            first = await anext(source)
        except StopAsyncIteration:
            return
        finally:
            _OPENED.reset(token)
        try:
            async with aclosing(source):
                yield first
                async for piece in source:
                    yield piece
        finally:
            for one in opened:
                await one.aclose()

    def _opened(self, source: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Note a stream of the engine for the `astream` that is opening it."""
        opened = _OPENED.get()
        if opened is not None:
            opened.append(cast("AsyncGenerator[Any, None]", source))
        return source
