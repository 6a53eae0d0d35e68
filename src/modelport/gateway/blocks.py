"""A stream's events in blocks: what is ready shares a write, and nothing ever waits for more.

A block ends where the model has to wait, or when it is full; a full block is followed by a turn of the loop, so that
a model which is always ready keeps nobody else waiting. There is no task, no queue and no timer in between: the
model runs in the request's own task, and never further ahead of the connection than one block.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from modelport.engine.turns import TURN

T = TypeVar("T")

EVENTS_PER_BLOCK = 32
"""How many events a write carries at most, a little more when one chunk makes several."""


class _Full:
    """Is awaited by the source when a block is full; its driver takes the block and goes on."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        yield self


_FULL = _Full()
_NOT_WAITING: Any = object()


class Blocks(Generic[T]):
    """Pulls a model's chunks and gives their events in blocks.

    Used as `async with`: leaving it closes the source, and with it the model's hook.
    """

    __slots__ = ("_chunks", "_ended", "_error", "_events", "_full", "_run", "_waits_for", "count")

    def __init__(
        self,
        source: AsyncGenerator[T, None],
        encode: Callable[[T], Iterable[bytes]],
        last_events: Callable[[], Iterable[bytes]],
    ) -> None:
        """Make the blocks of a stream.

        Args:
            source: The model's chunks; it is closed here.
            encode: Gives the events of a chunk.
            last_events: Gives the events after the last chunk.
        """
        self._events: list[bytes] = []
        self._run = self._collect(source, encode, last_events)
        self._waits_for = _NOT_WAITING
        self._error: Exception | None = None
        self._ended = False
        self._full = False
        self._chunks = 0
        self.count = 0
        """How many chunks of text the last block is made of."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended:
            await self._close()

    @property
    def finished(self) -> bool:
        """Whether nothing more comes, not even an error."""
        return self._ended and self._error is None

    async def take(self) -> bytes:
        """Return the next block, once there is one; empty when nothing more comes.

        Raises:
            Exception: Whatever the source raised, after its last event has been taken.
        """
        if self._full:
            self._full = False
            await TURN
        if not self._ended:
            await self._fill()
        events = self._events
        # The source's last chunk has no text: it says how the answer ended.
        self.count = self._chunks - 1 if self._ended and self._chunks else self._chunks
        self._chunks = 0
        if not events:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return b""
        block = b"".join(events) if len(events) > 1 else events[0]
        events.clear()
        return block

    async def _collect(
        self,
        source: AsyncGenerator[T, None],
        encode: Callable[[T], Iterable[bytes]],
        last_events: Callable[[], Iterable[bytes]],
    ) -> None:
        events = self._events
        async with aclosing(source):
            async for chunk in source:
                events += encode(chunk)
                self._chunks += 1
                if len(events) >= EVENTS_PER_BLOCK:
                    await _FULL
        events += last_events()

    @types.coroutine
    def _fill(self) -> Generator[Any, Any, None]:
        """Run the source until it ends, has a full block, or has to wait and has something to send before."""
        run, waits_for = self._run, self._waits_for
        try:
            while True:
                if waits_for is _NOT_WAITING:
                    waits_for = run.send(None)
                else:
                    try:
                        yield waits_for
                    except BaseException as error:  # noqa: BLE001 - the model is to hear of it
                        waits_for = run.throw(error)
                    else:
                        waits_for = run.send(None)
                if waits_for is _FULL:
                    self._full = True
                    waits_for = _NOT_WAITING
                    return
                if self._events:
                    return
        except StopIteration:
            self._ended = True
        except Exception as error:  # noqa: BLE001 - what came before it is sent first
            self._ended = True
            self._error = error
        except BaseException:
            self._ended = True
            raise
        finally:
            self._waits_for = waits_for

    @types.coroutine
    def _close(self) -> Generator[Any, Any, None]:
        """End a source that is in the middle of its work, as cancelling its task would."""
        run, waits_for = self._run, self._waits_for
        self._ended = True
        if not run.cr_suspended:
            run.close()  # it was never begun
            return
        if isinstance(waits_for, asyncio.Future):
            # It may be another task, which must not go on alone, and whose end is to be waited for.
            waits_for.cancel()
            with suppress(asyncio.CancelledError):
                yield waits_for
        try:
            waits_for = run.throw(asyncio.CancelledError())
            while True:
                try:
                    yield waits_for
                except BaseException as error:  # noqa: BLE001 - handed on
                    waits_for = run.throw(error)
                else:
                    waits_for = run.send(None)
        except (StopIteration, asyncio.CancelledError):
            return
