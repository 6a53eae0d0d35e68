"""An input stream that can be read anew from its start, as long as another attempt may need it."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

from modelport.engine.bridge_sync import END
from modelport.engine.closing import aclose_quietly, close_quietly


class Replay:
    """Keeps the pieces of a stream that were read, and gives each reader all of them from the start.

    Readers are made one after the other. An older one may still wait for a piece in a thread that nobody waits for
    any more; what it reads is the newer one's.
    """

    __slots__ = ("_closed", "_keeps", "_kept", "_readers", "_reading", "_source", "failed")

    def __init__(self, source: Any) -> None:
        """Keep what is read of `source`, an iterator or an async iterator."""
        self.failed = False
        """Whether the stream itself failed, or reading it was cancelled: nothing more can be read of it, by anybody."""
        self._source = source
        self._kept: list[Any] = []
        self._keeps = True
        self._closed = False
        self._readers = 0
        self._reading = threading.Lock()

    def forget(self) -> None:
        """Keep no further pieces: there will be no other reader."""
        self._keeps = False

    def read(self) -> Generator[Any, None, None]:
        """Return a generator of all pieces; closing it does not close the stream."""
        self._readers += 1
        return self._read(self._readers)

    def _read(self, reader: int) -> Generator[Any, None, None]:
        position = 0
        while reader == self._readers:
            with self._reading:
                piece = self._piece_at(position, reader)
            if self._closed:
                self.close()
                return
            if piece is END:
                return
            position += 1
            yield piece

    def _piece_at(self, position: int, reader: int) -> Any:
        if position < len(self._kept):
            return self._kept[position]
        try:
            piece = next(self._source, END)
        except BaseException:
            self.failed = True
            raise
        if piece is not END and (self._keeps or reader != self._readers):
            self._kept.append(piece)
        return piece

    def close(self) -> None:
        """Close the stream; when an older reader's thread is at it, that thread does it once it is back."""
        self._closed = True
        if self._reading.acquire(blocking=False):
            try:
                close_quietly(self._source)
            finally:
                self._reading.release()

    async def aread(self) -> AsyncGenerator[Any, None]:
        """Yield all pieces of an async stream; closing this generator does not close the stream."""
        position = 0
        while True:
            if position < len(self._kept):
                piece = self._kept[position]
            else:
                try:
                    piece = await anext(self._source, END)
                except BaseException:
                    self.failed = True
                    raise
                if piece is END:
                    return
                if self._keeps:
                    self._kept.append(piece)
            position += 1
            yield piece

    async def aclose(self) -> None:
        """Close the async stream."""
        await aclose_quietly(self._source)
