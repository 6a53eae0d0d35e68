"""Carries a stream's events from the model to the connection: what is ready shares a write, nothing waits for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Self

from modelport.gateway.exchange import CANCELLED_ITSELF
from modelport.values.errors import ModelportError

EVENTS_PER_WRITE = 16
"""How many events one write carries at most, and how many the model may be ahead of the connection."""


class Pump:
    """Runs a source of events in a task of its own, at most `EVENTS_PER_WRITE` events ahead.

    Used as `async with`: leaving it closes the source, and with it the model's hook.
    """

    __slots__ = ("_ended", "_error", "_events", "_ready", "_source", "_space", "_task")

    def __init__(self, source: AsyncGenerator[list[bytes], None]) -> None:
        self._source = source
        self._events: list[bytes] = []
        self._ready = asyncio.Event()
        self._space = asyncio.Event()
        self._error: BaseException | None = None
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        # The source is closed when this returns; its errors are in `_error`, not in the task.
        await asyncio.wait([self._task])

    @property
    def finished(self) -> bool:
        """Whether nothing more comes, not even an error."""
        return self._ended and not self._events and self._error is None

    async def take(self) -> bytes:
        """Wait for the next event and return it, joined with those that are ready too; empty at the end.

        Raises:
            BaseException: Whatever the source raised, after its last event has been taken.
        """
        while not self._events and not self._ended:
            self._ready.clear()
            await self._ready.wait()
        ready = self._events[:EVENTS_PER_WRITE]
        if not ready and self._error is not None:
            error, self._error = self._error, None
            raise error
        del self._events[:EVENTS_PER_WRITE]
        self._space.set()
        return b"".join(ready)

    async def _run(self) -> None:
        try:
            async with aclosing(self._source) as source:
                async for events in source:
                    self._events.extend(events)
                    self._ready.set()
                    if len(self._events) >= EVENTS_PER_WRITE:
                        self._space.clear()
                        await self._space.wait()
        except asyncio.CancelledError as error:
            # Ours when the consumer has left, who reads no error; else the model's code raised it.
            self._error = ModelportError(CANCELLED_ITSELF)
            self._error.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - raised by `take`; SystemExit must not end the server
            self._error = error
        finally:
            self._ended = True
            self._ready.set()
