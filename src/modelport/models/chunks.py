"""The streams of a chat model: message chunks of the engine's chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

from modelport.engine.call import Call
from modelport.engine.streams import astream, stream
from modelport.values.generations import GenerationChunk
from modelport.values.messages import AIMessageChunk, ChatGenerationChunk


def message_of(chunk: GenerationChunk) -> AIMessageChunk:
    """Return the message of a chat call's chunk."""
    assert isinstance(chunk, ChatGenerationChunk), "a chat call's output releases chat chunks"
    return chunk.message


def chunk_messages(call: Call) -> Generator[AIMessageChunk, None, None]:
    """Yield the message chunks of a call."""
    with closing(stream(call)) as chunks:
        for chunk in chunks:
            yield message_of(chunk)


async def achunk_messages(call: Call) -> AsyncGenerator[AIMessageChunk, None]:
    """Yield the message chunks of a call, on the running loop."""
    async with aclosing(astream(call)) as chunks:
        async for chunk in chunks:
            yield message_of(chunk)
