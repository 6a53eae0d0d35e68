"""How far a sync generator runs ahead of its async consumer, seen between the hand-over and the count of it."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Iterator

from modelport.engine.read_ahead import READ_AHEAD_CHUNKS, ReadAhead


class Counted(deque[str]):
    """Is a buffer that notes, at each hand-over, what the thread would count as being ahead."""

    owner: ReadAhead
    seen: list[int]

    def popleft(self) -> str:
        item = super().popleft()
        self.seen.append(len(self) + self.owner._outstanding)
        return item


def some(count: int) -> Iterator[str]:
    yield from ["x"] * count


async def test_what_is_handed_over_is_counted_before_it_leaves_the_buffer() -> None:
    source = ReadAhead(lambda: some(0), contextvars.copy_context(), lambda: None)
    assert await source.take() == []
    buffer = Counted(["x"] * READ_AHEAD_CHUNKS)
    buffer.owner, buffer.seen = source, []
    source._items = buffer
    assert len(await source.take()) == READ_AHEAD_CHUNKS
    assert min(buffer.seen) >= READ_AHEAD_CHUNKS
