"""`astream_events` and `stream_events`: one call in a task of its own, its events to one consumer."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, cast

from modelport.engine.bridge_sync import iterate_on_loop
from modelport.runs.event_filter import EventFilter
from modelport.runs.events import EventStream, FilteredEventStream
from modelport.runs.loops import background_loop
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.base import Runnable
    from modelport.runs.config import RunnableConfig

_VERSIONS = ("v1", "v2")


class EventRequest:
    """Is what one call of `astream_events` or `stream_events` asks for, checked."""

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        value: Any,
        config: Any,
        version: Literal["v1", "v2"],
        filters: Mapping[str, Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        """Check what is asked for.

        Args:
            runnable: What is called.
            value: Its input.
            config: Its config.
            version: "v1" or "v2".
            filters: The arguments of `EventFilter`.
            kwargs: Keywords of the call.

        Raises:
            InputError: The version is unknown, or a filter is no list of texts.
        """
        if version not in _VERSIONS:
            raise InputError(f"astream_events knows the versions 'v1' and 'v2', not {version!r}")
        self.runnable = runnable
        """What is called."""
        self.value = value
        """Its input."""
        self.config = config
        """Its config."""
        self.kwargs = kwargs
        """Keywords of the call."""
        self._version: Literal["v1", "v2"] = version
        asked = any(one is not None for one in filters.values())
        self._filter = EventFilter(**filters) if asked else None

    def open(self) -> EventStream:
        """Return the listener, on the running loop."""
        if self._filter is None:
            return EventStream(self._version)
        return FilteredEventStream(self._version, self._filter)


async def astream_events(request: EventRequest) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of one streamed call; closing the generator cancels the call and waits for it.

    Raises:
        Exception: What the call raised, after its error events.
    """
    events = request.open()
    events.root_input = request.value
    config = request.config
    scope = (scope_of(config) or Scope()).with_handlers([events])
    scope.owns_context = request.runnable.scopes_its_code
    given: dict[str, Any] = {"callbacks": scope}
    for key in ("run_name", "run_id"):
        if config and config.get(key):
            given[key] = config[key]
    pieces = request.runnable.astream(request.value, cast("RunnableConfig", given), **request.kwargs)
    # The call may not run in the consumer's task: what it suspends on, and what it cancels, is not the consumer's.
    task = asyncio.create_task(_drive(pieces, events))
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


def stream_events(request: EventRequest) -> Generator[dict[str, Any], None, None]:
    """Yield the events of one streamed call to sync code; the call runs on a background loop.

    Closing the generator cancels the call and waits until it has ended.

    Raises:
        Exception: What the call raised, after its error events.
    """
    ended, thread = threading.Event(), threading.get_ident()
    context = contextvars.copy_context()
    events = iterate_on_loop(background_loop(), lambda: astream_events(request), context, lambda: None, ended.set)
    try:
        yield from events
    finally:
        events.close()
        # Where the events were waited for, their end can be; a generator that nobody closed is closed by the garbage
        # collector, in any thread (the loop's too), or when the interpreter ends.
        if threading.get_ident() == thread and not sys.is_finalizing():
            ended.wait()
