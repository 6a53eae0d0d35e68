"""Several choices of one call (guarantee 9): each its own run, in a stream interleaved by index.

A hook that supports `n` is called once with it, and may return a list of answers; else n concurrent calls are made
without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from modelport.engine.answers import arun_all, run_all
from modelport.engine.batches import Outcome, arun_many, run_many
from modelport.engine.call import Call
from modelport.engine.concurrency import amap_items, ends_the_task, map_items
from modelport.engine.hooks import Hook
from modelport.engine.streams import astream
from modelport.values.generations import Generation, GenerationChunk

Choices = list[Generation] | BaseException
"""One call's choices, or why it has none."""


def _spread(calls: Sequence[Call], n: int) -> list[Call]:
    return [call.for_choice(index) for call in calls for index in range(n)]


def _gather(outcomes: Sequence[Outcome], n: int) -> list[Choices]:
    """Group the outcomes of each call; one failed choice fails its call."""
    groups: list[Choices] = []
    for start in range(0, len(outcomes), n):
        group = outcomes[start : start + n]
        failure = next((one for one in group if isinstance(one, BaseException)), None)
        groups.append(failure if failure is not None else [one for one in group if isinstance(one, Generation)])
    return groups


def _may_give_choices(hook: Hook | None) -> bool:
    """Tell whether one call of the hook may give several choices without being asked: a handler's may."""
    return hook is not None and "choices" in hook.supports


def _gather_lists(outcomes: Sequence[list[Generation] | BaseException], n: int) -> list[Choices]:
    """Group the outcomes of each call; a first one that has n choices already is taken as the n."""
    groups: list[Choices] = []
    for start in range(0, len(outcomes), n):
        group = outcomes[start : start + n]
        first = group[0]
        if not isinstance(first, BaseException) and len(first) >= n:
            groups.append(first[:n])
            continue
        failure = next((one for one in group if isinstance(one, BaseException)), None)
        groups.append(failure if failure is not None else [one[0] for one in group if isinstance(one, list)])
    return groups


def run_choices(calls: Sequence[Call], n: int, max_concurrency: int | None = None) -> list[Choices]:
    """Answer each call n times; results are in the calls' order, failures in their slots."""
    if calls and _does_n(calls[0], calls[0].hooks.answer, calls[0].hooks.many):
        return map_items(lambda call: run_all(call.with_n(n)), calls, max_concurrency)
    if calls and _may_give_choices(calls[0].hooks.answer):
        return _gather_lists(map_items(run_all, _spread(calls, n), max_concurrency), n)
    return _gather(run_many(_spread(calls, n), max_concurrency), n)


async def arun_choices(calls: Sequence[Call], n: int, max_concurrency: int | None = None) -> list[Choices]:
    """Answer each call n times on the running loop, as `run_choices` does."""
    if calls and _does_n(calls[0], calls[0].hooks.async_answer, calls[0].hooks.async_many):
        return await amap_items(lambda call: arun_all(call.with_n(n)), calls, max_concurrency)
    if calls and _may_give_choices(calls[0].hooks.async_answer):
        return _gather_lists(await amap_items(arun_all, _spread(calls, n), max_concurrency), n)
    return _gather(await arun_many(_spread(calls, n), max_concurrency), n)


def _does_n(call: Call, hook: Hook | None, many: Hook | None) -> bool:
    """Tell whether one call of the hook gives n choices: it supports `n`, and is neither a stream nor a batch."""
    if many is not None and call.model.max_batch_size is not None:
        return False  # single answers go through the batch hook
    return hook is not None and "n" in hook.supports and not (hook.is_stream or hook.is_batch)


async def astream_choices(call: Call, n: int) -> AsyncGenerator[tuple[int, GenerationChunk], None]:
    """Stream n answers at once, as `(choice index, chunk)` in whatever order they come.

    Raises:
        Exception: The first failure of any choice; the others are cancelled.
    """
    if n == 1:
        async with aclosing(astream(call)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield 0, chunk
        return
    # Bounded by the number of choices: a slow consumer holds every choice back at its next chunk.
    queue: asyncio.Queue[tuple[int, GenerationChunk | BaseException | None]] = asyncio.Queue(maxsize=n)

    async def pump(index: int) -> None:
        try:
            async with aclosing(astream(call.for_choice(index))) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    await queue.put((index, chunk))
            await queue.put((index, None))
        except BaseException as error:
            if ends_the_task(error):
                raise
            await queue.put((index, error))

    tasks = [asyncio.create_task(pump(index)) for index in range(n)]
    try:
        open_choices = n
        while open_choices:
            index, chunk = await queue.get()
            if isinstance(chunk, BaseException):
                raise chunk
            if chunk is None:
                open_choices -= 1
            else:
                yield index, chunk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
