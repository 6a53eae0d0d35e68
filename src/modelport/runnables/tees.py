"""One input stream for several steps: each reads all of it, none gets further ahead than `TEE_PIECES`.

A step that asks for more than has been read makes the source give its next piece; it waits while another step has
`TEE_PIECES` still before it. A step that is done reads no more, and holds nobody up.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

from modelport.engine.bridge_sync import END
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.concurrency import ends_the_task

TEE_PIECES = 64
"""How many pieces may wait for the slowest step."""


class Tee:
    """Gives a stream to steps that run in threads of their own; whoever asks first pulls the source."""

    def __init__(self, source: Iterator[Any], count: int) -> None:
        self.readers: list[TeeReader] = [TeeReader(self) for _ in range(count)]
        """One for each step; those that were closed are left out."""
        self._source = source
        self._context = contextvars.copy_context()
        self._changed = threading.Condition()
        self._pulling = False
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None

    def take(self, reader: TeeReader) -> Any:
        """Return a reader's next piece; `END` after the last.

        Raises:
            GeneratorExit: The consumer has left: what was read so far must not pass for the whole.
            BaseException: What the source raised, after its pieces.
        """
        with self._changed:
            while not (reader.waiting or self._ended or self._closed):
                if not self._pulling and all(len(one.waiting) < TEE_PIECES for one in self.readers):
                    self._pulling = True
                    break
                self._changed.wait()
            else:
                return self._waiting(reader)
        return self._pull(reader)

    def _waiting(self, reader: TeeReader) -> Any:
        if self._closed:
            raise GeneratorExit
        if reader.waiting:
            if len(reader.waiting) == TEE_PIECES:
                self._changed.notify_all()
            return reader.waiting.popleft()
        if self._error is not None:
            raise self._error
        return END

    def _pull(self, reader: TeeReader) -> Any:
        piece, error = END, None
        try:
            piece = self._context.run(next, self._source, END)
        except BaseException as raised:  # noqa: BLE001 - every step hears of it
            error = raised
        with self._changed:
            self._pulling = False
            if piece is END:
                self._ended, self._error = True, error
            else:
                for other in self.readers:
                    if other is not reader:
                        other.waiting.append(piece)
            self._changed.notify_all()
        if error is not None:
            raise error
        return piece

    def leave(self, reader: TeeReader) -> None:
        """Take no notice of a reader any more."""
        with self._changed:
            if reader in self.readers:
                self.readers.remove(reader)
                reader.waiting.clear()
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more: the consumer has left, or all is read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close_source(self) -> None:
        """Close the source; nobody may be reading."""
        self._context.run(close_quietly, self._source)


class TeeReader:
    """Is one step's copy of the stream."""

    __slots__ = ("_tee", "waiting")

    def __init__(self, tee: Tee) -> None:
        self._tee = tee
        self.waiting: deque[Any] = deque()
        """The pieces that this step has still before it."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        piece = self._tee.take(self)
        if piece is END:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Read no more."""
        self._tee.leave(self)


class AsyncTee:
    """Gives a stream to steps that run in tasks of their own; one more task pulls the source when a step asks.

    The source is never pulled in a step's task: a step that is cancelled, or that stops waiting at a deadline of its
    own, would end it for the others.
    """

    def __init__(self, source: AsyncIterator[Any], count: int) -> None:
        self.readers: list[AsyncTeeReader] = [AsyncTeeReader(self) for _ in range(count)]
        """One for each step; those that were closed are left out."""
        self.ended = False
        """Whether the source has given its last piece, or has failed."""
        self.error: BaseException | None = None
        """Why it failed."""
        self._source = source
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None

    async def _pull(self) -> None:
        try:
            while True:
                while not self._is_asked():
                    self._idle = self._loop.create_future()
                    await self._idle
                piece = await anext(self._source, END)
                if piece is END:
                    return
                for reader in self.readers:
                    reader.waiting.append(piece)
                    reader.wake()
        except BaseException as error:
            self.error = error
            if ends_the_task(error):
                raise
        finally:
            self.ended = True
            for reader in self.readers:
                reader.wake()
            await aclose_quietly(self._source)

    def _is_asked(self) -> bool:
        """Tell whether a step waits for a piece, and every other one has room for it."""
        asked = any(reader.asks for reader in self.readers)
        return asked and all(len(reader.waiting) < TEE_PIECES for reader in self.readers)

    def wake(self) -> None:
        """Make the source's task look whether it is asked."""
        if self._task is None:
            self._task = self._loop.create_task(self._pull(), context=self._context)
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    def leave(self, reader: AsyncTeeReader) -> None:
        """Take no notice of a reader any more."""
        if reader in self.readers:
            self.readers.remove(reader)
            reader.waiting.clear()
            if self._task is not None:
                self.wake()

    async def aclose(self) -> None:
        """Close the source and wait for it; nobody may be reading."""
        if self._task is None:
            await aclose_quietly(self._source)
        elif not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


class AsyncTeeReader:
    """Is one step's copy of the stream."""

    __slots__ = ("_tee", "_waiter", "waiting")

    def __init__(self, tee: AsyncTee) -> None:
        self._tee = tee
        self._waiter: asyncio.Future[None] | None = None
        self.waiting: deque[Any] = deque()
        """The pieces that this step has still before it."""

    @property
    def asks(self) -> bool:
        """Whether the step waits for its next piece."""
        return self._waiter is not None and not self.waiting

    def wake(self) -> None:
        """Make the step look whether its next piece is there."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        tee = self._tee
        while not self.waiting:
            if tee.error is not None:
                raise tee.error
            if tee.ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            tee.wake()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if len(self.waiting) == TEE_PIECES:
            tee.wake()
        return self.waiting.popleft()

    async def aclose(self) -> None:
        """Read no more."""
        self._tee.leave(self)
