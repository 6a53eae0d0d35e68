"""An answer piece by piece: `stream` for sync callers, `astream` for async ones (guarantees 1 to 4, 6 to 8, 14).

Both yield `GenerationChunk`s (for chats `ChatGenerationChunk`s). The last one has no text; it carries the finish
reason and the usage of the whole answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

from modelport.engine.answers import arun, atell_failure, open_attempt, run, tell_failure
from modelport.engine.attempt import Attempt
from modelport.engine.call import Call
from modelport.engine.driving_async import apieces_of
from modelport.engine.driving_sync import pieces_of
from modelport.engine.lifecycle import aload, load
from modelport.engine.output import last_chunk
from modelport.engine.reading import chunk_of_message
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import ChatGeneration, ChatGenerationChunk

TURN_EVERY = 16
"""After how many chunks a ready async stream gives the loop a turn (guarantee 14)."""


def as_stream(answer: Generation) -> list[GenerationChunk]:
    """Return a whole answer as a stream of at most one chunk of text, and the last chunk."""
    last = last_chunk(answer)
    if isinstance(answer, ChatGeneration):
        message = chunk_of_message(answer.message)
        message = type(message)(content=message.content, tool_calls=message.tool_calls, id=message.id)
        whole: GenerationChunk = ChatGenerationChunk(answer.text, tool_calls=answer.tool_calls, message=message)
        return [whole, last] if answer.message.content or answer.tool_calls else [last]
    return [GenerationChunk(answer.text, logprobs=answer.logprobs), last] if answer.text else [last]


def stream(call: Call) -> Generator[GenerationChunk, None, None]:
    """Stream one answer; closing the generator closes the hook.

    Raises:
        ModelTimeoutError: The deadline passed.
        HookError: The hook yielded something that is no piece of text.
        Exception: Whatever the hook raised, unchanged.
    """
    if call.hooks.stream is None:
        yield from as_stream(run(call))
        return
    load(call.model)
    attempt = open_attempt(call, call.hooks.stream, is_async=False)
    observed = attempt.run
    if observed is not None:
        observed.start(call.argument)
    try:
        yield from _released(attempt)
        answer = attempt.answer()
        last = last_chunk(answer)
        if observed is not None and call.chat:
            observed.token(last)
    except BaseException as error:
        if observed is not None:
            tell_failure(attempt, error)
        raise
    if observed is not None:
        observed.end(attempt.llm_result(answer))
    yield last


def _released(attempt: Attempt) -> Generator[GenerationChunk, None, None]:
    """Yield what the output releases, each chunk told just before."""
    observed, output, take = attempt.run, attempt.output, attempt.take
    held: GenerationChunk | None = None
    while True:
        try:
            with closing(pieces_of(attempt)) as pieces:
                for piece in pieces:
                    chunk = take(piece)
                    if output.cut:
                        held = chunk
                        break
                    if chunk is not None:
                        if observed is not None:
                            observed.token(chunk)
                        yield chunk
            break
        except NotImplementedError:
            if not attempt.may_retry_without_stop():
                raise
    # The hook is closed by now, also when a stop string cut it off: only then comes what is left.
    for chunk in (held, output.finish()):
        if chunk is not None:
            if observed is not None:
                observed.token(chunk)
            yield chunk


async def astream(call: Call) -> AsyncGenerator[GenerationChunk, None]:
    """Stream one answer on the running loop; raises as `stream` does."""
    if call.hooks.astream is None:
        for chunk in as_stream(await arun(call)):
            yield chunk
        return
    await aload(call.model)
    attempt = open_attempt(call, call.hooks.astream, is_async=True)
    observed = attempt.run
    if observed is not None:
        await observed.astart(call.argument)
    try:
        async with aclosing(_areleased(attempt)) as chunks:
            async for chunk in chunks:
                yield chunk
        answer = attempt.answer()
        last = last_chunk(answer)
        if observed is not None and call.chat:
            await observed.atoken(last)
    except BaseException as error:
        if observed is not None:
            await atell_failure(attempt, error)
        raise
    if observed is not None:
        await observed.aend(attempt.llm_result(answer))
    yield last


async def _areleased(attempt: Attempt) -> AsyncGenerator[GenerationChunk, None]:
    """Yield what the output releases, each chunk told just before; a ready hook gives the loop a turn."""
    observed, output, take = attempt.run, attempt.output, attempt.take
    held: GenerationChunk | None = None
    turn = TURN_EVERY
    while True:
        try:
            async with aclosing(apieces_of(attempt)) as pieces:
                async for piece in pieces:
                    chunk = take(piece)
                    if output.cut:
                        held = chunk
                        break
                    if chunk is not None:
                        # Told without a coroutine unless a listener has to be waited for: this is per token.
                        if observed is not None and (pending := observed.tell_token(chunk)):
                            await observed.wait_for(pending)
                        yield chunk
                    turn -= 1
                    if not turn:
                        turn = TURN_EVERY
                        await asyncio.sleep(0)
            break
        except NotImplementedError:
            if not attempt.may_retry_without_stop():
                raise
    for chunk in (held, output.finish()):
        if chunk is not None:
            if observed is not None:
                await observed.atoken(chunk)
            yield chunk
