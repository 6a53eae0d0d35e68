"""The streams of a chat model: message chunks of the engine's chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

import msgspec

from modelport.engine.answers import arun, run
from modelport.engine.call import Call
from modelport.engine.reading import chunk_of_message
from modelport.engine.streams import astream, stream
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import AIMessageChunk, ChatGeneration, ChatGenerationChunk


def message_of(chunk: GenerationChunk) -> AIMessageChunk:
    """Return the message of a chat call's chunk."""
    assert isinstance(chunk, ChatGenerationChunk), "a chat call's output releases chat chunks"
    return chunk.message


def whole_chunk(answer: Generation) -> AIMessageChunk:
    """Return a whole answer as the one chunk of its stream."""
    assert isinstance(answer, ChatGeneration), "a chat call's output makes chat generations"
    return msgspec.structs.replace(chunk_of_message(answer.message), chunk_position="last")


def chunk_messages(call: Call) -> Generator[AIMessageChunk, None, None]:
    """Yield the message chunks of a call; an answer that comes whole is one chunk."""
    if call.hooks.stream is None:
        yield whole_chunk(run(call))
        return
    with closing(stream(call)) as chunks:
        for chunk in chunks:
            yield message_of(chunk)


async def achunk_messages(call: Call) -> AsyncGenerator[AIMessageChunk, None]:
    """Yield the message chunks of a call, on the running loop."""
    if call.hooks.astream is None:
        yield whole_chunk(await arun(call))
        return
    async with aclosing(astream(call)) as chunks:
        async for chunk in chunks:
            yield message_of(chunk)
