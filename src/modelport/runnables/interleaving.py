"""Several streams as one: each runs in a thread or task of its own, and its pieces come as soon as they are there.

A stream makes its next piece once the consumer has come back from its last one, so at most one piece of each waits.
Whatever way the consumer leaves, every stream is closed, where it ran, and waited for.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

from modelport.engine.bridge_sync import END
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.concurrency import ends_the_task
from modelport.engine.threads import start_job
from modelport.runnables.joining import ajoined, aonce, joined, once
from modelport.runnables.tees import AsyncTee, Tee
from modelport.runs.loops import hold
from modelport.runs.run import UNKNOWN

Make = Callable[[Iterator[Any]], Iterator[Any]]
"""Makes a stream of its input stream; called, as all of the stream is run, in a context of the stream's own."""
AsyncMake = Callable[[AsyncIterator[Any]], AsyncIterator[Any]]
"""Makes an async stream of its input stream, likewise."""


def interleaved(
    makes: Sequence[Make], pieces: Iterator[Any], *, value: Any = UNKNOWN, limit: int | None = None
) -> Generator[tuple[int, Any], None, None]:
    """Yield `(number of the stream, piece)` of streams that run in threads.

    Args:
        makes: One for each stream.
        pieces: The input; every stream gets all of it, as it comes.
        value: The whole input, when it is known: `pieces` is not read, then.
        limit: How many streams run at once. When those are not all, the input is joined before the first one starts:
            nobody may wait for a stream that has not started.

    Raises:
        BaseException: A stream's failure, the first that happens, once the other streams are closed.
    """
    if value is UNKNOWN and limit is not None and limit < len(makes):
        present, value = joined(pieces)
        if not present:
            return
    tee = Tee(pieces, len(makes)) if value is UNKNOWN else None
    inputs = list(tee.readers) if tee is not None else [once(value) for _ in makes]
    outbox: SimpleQueue[tuple[_Source, Any, BaseException | None]] = SimpleQueue()
    later = deque(_Source(number, makes[number], inputs[number], outbox) for number in range(len(makes)))
    started: list[_Source] = []
    working = 0
    try:
        while True:
            while later and (limit is None or working < limit):
                started.append(later.popleft())
                started[-1].start()
                working += 1
            if not working:
                return
            source, piece, error = outbox.get()
            if error is not None:
                raise error
            if piece is END:
                working -= 1
            else:
                yield source.number, piece
                source.go_on()
    finally:
        _end(started, tee)


def _end(sources: Sequence[_Source], tee: Tee | None) -> None:
    """Close every stream and then the input, and wait for them."""
    if tee is not None:
        tee.close()
    for source in sources:
        source.leave()
    for source in sources:
        source.ended.wait()
    if tee is not None:
        tee.close_source()


class _Source:
    """Runs one stream in a thread, piece by piece."""

    __slots__ = ("_context", "_input", "_left", "_make", "_outbox", "_turns", "ended", "number")

    def __init__(self, number: int, make: Make, pieces: Iterator[Any], outbox: SimpleQueue[Any]) -> None:
        self.number = number
        self.ended = threading.Event()
        self._make = make
        self._input = pieces
        self._outbox = outbox
        self._context = contextvars.copy_context()
        hold(self._context)
        self._turns: SimpleQueue[None] = SimpleQueue()
        self._left = False

    def start(self) -> None:
        start_job(self._serve)

    def go_on(self) -> None:
        """Let the stream make its next piece."""
        self._turns.put(None)

    def leave(self) -> None:
        """Let the stream close after its current step."""
        self._left = True
        self._turns.put(None)

    def _serve(self) -> None:
        error: BaseException | None = None
        try:
            self._context.run(self._produce)
        except BaseException as raised:  # noqa: BLE001 - raised by the thread that waits
            error = raised
        self._outbox.put((self, END, error))
        self.ended.set()

    def _produce(self) -> None:
        output: Iterator[Any] | None = None
        try:
            output = self._make(self._input)
            for piece in output:
                self._outbox.put((self, piece, None))
                self._turns.get()
                if self._left:
                    return
        finally:
            close_quietly(output)
            close_quietly(self._input)


async def ainterleaved(
    makes: Sequence[AsyncMake], pieces: AsyncIterator[Any], *, value: Any = UNKNOWN, limit: int | None = None
) -> AsyncGenerator[tuple[int, Any], None]:
    """Yield `(number of the stream, piece)` of streams that run in tasks of the running loop, as `interleaved` does."""
    if value is UNKNOWN and limit is not None and limit < len(makes):
        present, value = await ajoined(pieces)
        if not present:
            return
    tee = AsyncTee(pieces, len(makes)) if value is UNKNOWN else None
    inputs = list(tee.readers) if tee is not None else [aonce(value) for _ in makes]
    outbox = _Outbox()
    later = deque(_AsyncSource(number, makes[number], inputs[number], outbox) for number in range(len(makes)))
    tasks: list[asyncio.Task[None]] = []
    working = 0
    try:
        while True:
            while later and (limit is None or working < limit):
                tasks.append(asyncio.create_task(later.popleft().serve()))
                working += 1
            if not working:
                return
            source, piece, error = await outbox.get()
            if error is not None:
                raise error
            if piece is END:
                working -= 1
            else:
                yield source.number, piece
                source.go_on()
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if tee is not None:
            await tee.aclose()


class _Outbox:
    """Hands what the streams made to their one consumer: at most one thing of each waits here."""

    __slots__ = ("_waiter", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[_AsyncSource, Any, BaseException | None]] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, source: _AsyncSource, piece: Any, error: BaseException | None) -> None:
        self._waiting.append((source, piece, error))
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def get(self) -> tuple[_AsyncSource, Any, BaseException | None]:
        while not self._waiting:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._waiting.popleft()


class _AsyncSource:
    """Runs one stream in a task, piece by piece."""

    __slots__ = ("_input", "_make", "_outbox", "_turn", "number")

    def __init__(self, number: int, make: AsyncMake, pieces: AsyncIterator[Any], outbox: _Outbox) -> None:
        self.number = number
        self._make = make
        self._input = pieces
        self._outbox = outbox
        self._turn: asyncio.Future[None] | None = None

    def go_on(self) -> None:
        """Let the stream make its next piece."""
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    async def serve(self) -> None:
        """Run the stream to its end; cancelled, it closes."""
        error: BaseException | None = None
        try:
            await self._produce()
        except BaseException as raised:
            if ends_the_task(raised):
                raise
            error = raised
        self._outbox.put(self, END, error)

    async def _produce(self) -> None:
        output: AsyncIterator[Any] | None = None
        loop = asyncio.get_running_loop()
        try:
            output = self._make(self._input)
            async for piece in output:
                self._turn = loop.create_future()
                self._outbox.put(self, piece, None)
                await self._turn
        finally:
            await aclose_quietly(output)
            await aclose_quietly(self._input)
