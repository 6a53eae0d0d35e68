"""`astream_events`: one call in a task of its own, its events to one consumer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, cast

from modelport.runs.events import EventStream
from modelport.runs.scope import Scope, scope_of

if TYPE_CHECKING:
    from modelport.runnables.base import Runnable
    from modelport.runs.config import RunnableConfig


async def stream_events(
    runnable: Runnable[Any, Any], value: Any, config: Any, version: Literal["v1", "v2"], kwargs: Mapping[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of one streamed call; closing the generator cancels the call and waits for it.

    Raises:
        Exception: What the call raised, after its error events.
    """
    events = EventStream(version)
    events.root_input = value
    scope = (scope_of(config) or Scope()).with_handlers([events])
    scope.owns_context = runnable.scopes_its_code
    given: dict[str, Any] = {"callbacks": scope}
    for key in ("run_name", "run_id"):
        if config and config.get(key):
            given[key] = config[key]
    # The call may not run in the consumer's task: what it suspends on, and what it cancels, is not the consumer's.
    task = asyncio.create_task(_drive(runnable.astream(value, cast("RunnableConfig", given), **kwargs), events))
    waiting = events.waiting
    try:
        while True:
            while waiting:
                yield waiting.popleft()
            events.taken()
            # Asked only now: had it ended while the consumer was busy, nobody would end the wait.
            if task.done():
                break
            await events.wait()
        await task
    finally:
        events.close()
        task.cancel()
        # Also when the call is over: an exception that nobody has asked for would be reported by the loop.
        await asyncio.gather(task, return_exceptions=True)


async def _drive(pieces: Any, events: EventStream) -> None:
    """Consume the call to its end; pieces of a model at the root become events here."""
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                room = events.on_root_piece(piece)
                if room is not None:
                    await room
    finally:
        events.wake()
