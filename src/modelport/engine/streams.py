"""An answer piece by piece: `stream` for sync callers, `astream` for async ones (guarantees 1 to 4, 6 to 8, 14).

Both yield `GenerationChunk`s (for chats `ChatGenerationChunk`s). The last one has no text; it carries the finish
reason and the usage of the whole answer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any

from modelport.engine.answers import arun, open_attempt, run
from modelport.engine.bare import abare_stream, is_bare
from modelport.engine.caching import Lookup, lookup_for
from modelport.engine.call import Call
from modelport.engine.driving_async import apieces_of
from modelport.engine.driving_sync import pieces_of
from modelport.engine.lifecycle import aload, load
from modelport.engine.output import last_chunk
from modelport.engine.replaying import areplay_stream, as_stream, replay_stream
from modelport.engine.telling import Telling
from modelport.values.generations import Generation, GenerationChunk


def stream(call: Call) -> Generator[GenerationChunk, None, None]:
    """Stream one answer; closing the generator closes the hook.

    Raises:
        ModelTimeoutError: The deadline passed.
        HookError: The hook yielded something that is no piece of text.
        Exception: Whatever the hook raised, unchanged.
    """
    if call.hooks.stream is None:
        return _yielded(call)
    lookup = lookup_for(call)
    return _stream(call) if lookup is None else _looked_up(call, lookup)


def _yielded(call: Call) -> Generator[GenerationChunk, None, None]:
    yield from as_stream(run(call))


def _looked_up(call: Call, lookup: Lookup) -> Generator[GenerationChunk, None, None]:
    """Stream what the cache has; else stream from the hook and keep it, when the consumer stays to the end."""
    with lookup:
        if lookup.entry is None:
            answers: list[Generation] = []
            pieces: list[GenerationChunk] = []
            with closing(_stream(call, answers)) as chunks:
                for chunk in chunks:
                    if answers:
                        lookup.store(answers, pieces)
                    pieces.append(chunk)
                    lookup.park(time.monotonic())
                    yield chunk
                    lookup.park(None)
            return
    yield from replay_stream(call, lookup.entry)


def _stream(call: Call, found: list[Generation] | None = None) -> Generator[GenerationChunk, None, None]:
    """Stream from the hook; `found` gets the whole answer before the last chunk is yielded."""
    load(call.model)
    attempt = open_attempt(call, call.hooks.stream, is_async=False)
    output, push = attempt.output, attempt.output.push
    chunk: GenerationChunk | None = None
    with Telling(attempt) as telling:
        with closing(pieces_of(attempt)) as pieces:
            for piece in pieces:
                chunk = push(piece)
                if output.cut:
                    break
                if chunk is not None:
                    telling.tell(chunk)
                    yield chunk
            else:
                chunk = None
        # The hook is closed by now, also when a stop string cut it off: only then comes what is left.
        for rest in (chunk, output.finish()):
            if rest is not None:
                telling.tell(rest)
                yield rest
        telling.answers = [attempt.answer()]
        if found is not None:
            found += telling.answers
        last = last_chunk(telling.answers[0])
        if call.chat:
            telling.tell(last)
        yield last


def astream(call: Call) -> AsyncGenerator[GenerationChunk, None]:
    """Stream one answer on the running loop; raises as `stream` does."""
    hook = call.hooks.bare_astream
    if hook is not None and hook.is_async and is_bare(call):
        return abare_stream(call, hook)
    return _astream_of(call, texts=False)


def astream_texts(call: Call) -> AsyncGenerator[str, None]:
    """Stream the texts of one answer, none empty, on the running loop; raises as `stream` does."""
    return _astream_of(call, texts=True)


def _astream_of(call: Call, *, texts: bool) -> AsyncGenerator[Any, None]:
    if call.hooks.astream is None:
        return _whole(call, texts=texts)
    lookup = lookup_for(call)
    return _astream(call, texts=texts) if lookup is None else _alooked_up(call, lookup, texts=texts)


async def _alooked_up(call: Call, lookup: Lookup, *, texts: bool) -> AsyncGenerator[Any, None]:
    async with lookup:
        if lookup.entry is None:
            answers: list[Generation] = []
            pieces: list[GenerationChunk] = []
            async with aclosing(_astream(call, texts=False, found=answers)) as chunks:
                async for chunk in chunks:
                    if answers:
                        await lookup.astore(answers, pieces)
                    pieces.append(chunk)
                    lookup.park(time.monotonic())
                    if not texts:
                        yield chunk
                    elif chunk.text:
                        yield chunk.text
                    lookup.park(None)
            return
    async with aclosing(areplay_stream(call, lookup.entry)) as chunks:
        async for chunk in chunks:
            if not texts:
                yield chunk
            elif chunk.text:
                yield chunk.text


async def _whole(call: Call, *, texts: bool) -> AsyncGenerator[Any, None]:
    for chunk in as_stream(await arun(call)):
        if not texts or chunk.text:
            yield chunk.text if texts else chunk


async def _astream(call: Call, *, texts: bool, found: list[Generation] | None = None) -> AsyncGenerator[Any, None]:
    """Stream chunks or texts: a generator that only turned one into the other would cost a frame per token."""
    await aload(call.model)
    attempt = open_attempt(call, call.hooks.astream, is_async=True)
    output, push = attempt.output, attempt.output.push
    chunk: GenerationChunk | None = None
    async with Telling(attempt) as telling:
        tell = telling.token
        async with aclosing(apieces_of(attempt)) as pieces:
            async for piece in pieces:
                chunk = push(piece)
                if output.cut:
                    break
                if chunk is not None:
                    # Told without a coroutine unless a listener has to be waited for: this is per token.
                    if tell is not None and (pending := tell(chunk)):
                        await telling.wait_for(pending)
                    if not texts:
                        yield chunk
                    elif chunk.text:
                        yield chunk.text
            else:
                chunk = None
        for rest in (chunk, output.finish()):
            if rest is not None:
                await telling.atell(rest)
                yield rest.text if texts else rest
        telling.answers = [attempt.answer()]
        if found is not None:
            found += telling.answers
        last = last_chunk(telling.answers[0])
        if call.chat:
            await telling.atell(last)
        if not texts:
            yield last
