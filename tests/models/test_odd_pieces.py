"""Pieces that are neither str nor a plain chunk: the same text, and the hook is closed when its consumer leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from modelport import LLM


class Bytes(LLM):
    ended: list[str]

    async def _astream(self, prompt: str) -> AsyncIterator[bytes]:
        try:
            for byte in prompt.encode():
                yield bytes([byte])
        finally:
            self.ended.append("closed")


async def test_a_consumer_that_leaves_a_stream_of_bytes_closes_the_hook() -> None:
    model = Bytes(ended=[])
    async with aclosing(model.astream("héllo")) as pieces:
        assert [await anext(pieces), await anext(pieces)] == ["h", "é"]
        assert model.ended == []
    assert model.ended == ["closed"]
