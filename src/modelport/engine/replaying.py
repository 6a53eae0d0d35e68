"""Answering from the cache: the same events, pieces and answer as the call that found it, marked (guarantee 10)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from modelport.engine.attempt import Attempt
from modelport.engine.cache_entries import Entry
from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.engine.output import Output, last_chunk
from modelport.engine.reading import chunk_of_message
from modelport.engine.telling import Telling
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import ChatGeneration, ChatGenerationChunk


def as_stream(answer: Generation) -> list[GenerationChunk]:
    """Return a whole answer as a stream of at most one chunk of text, and the last chunk."""
    last = last_chunk(answer)
    if isinstance(answer, ChatGeneration):
        message = chunk_of_message(answer.message)
        message = type(message)(content=message.content, tool_calls=message.tool_calls, id=message.id)
        whole: GenerationChunk = ChatGenerationChunk(answer.text, tool_calls=answer.tool_calls, message=message)
        return [whole, last] if answer.message.content or answer.tool_calls else [last]
    if not (answer.text or answer.tool_calls):
        return [last]
    return [GenerationChunk(answer.text, logprobs=answer.logprobs, tool_calls=answer.tool_calls), last]


def _open(call: Call, hook: Hook | None, *, is_async: bool) -> Attempt:
    """Return an attempt that runs no hook: its output takes what has been cut and counted already."""
    assert hook is not None, "a class without hooks cannot be instantiated"
    attempt = Attempt(call, hook, is_async=is_async)
    attempt.output = Output(hook.label, chat=call.chat, stop=None, budget=None)
    if attempt.run is not None:
        attempt.run.cached = True
    return attempt


def replay(call: Call, entry: Entry, hook: Hook | None) -> list[Any]:
    """Return an entry's answers, telling a run; its tokens too, when the hook would have streamed them.

    Args:
        call: The call that the entry is for.
        entry: What the cache has for it.
        hook: The hook that would have answered.
    """
    if call.scope is None and not call.model.callbacks:
        return entry.answers  # nobody listens
    attempt = _open(call, hook, is_async=False)
    with Telling(attempt) as telling:
        if attempt.hook.is_stream:
            for chunk in entry.pieces or as_stream(entry.answers[0])[:-1]:
                attempt.output.push(chunk)
                telling.tell(chunk)
        telling.answers = entry.answers
    return entry.answers


async def areplay(call: Call, entry: Entry, hook: Hook | None) -> list[Any]:
    """Return an entry's answers as `replay` does, on the running loop."""
    if call.scope is None and not call.model.callbacks:
        return entry.answers
    attempt = _open(call, hook, is_async=True)
    async with Telling(attempt) as telling:
        if attempt.hook.is_stream:
            for chunk in entry.pieces or as_stream(entry.answers[0])[:-1]:
                attempt.output.push(chunk)
                await telling.atell(chunk)
        telling.answers = entry.answers
    return entry.answers


def replay_stream(call: Call, entry: Entry) -> Generator[GenerationChunk, None, None]:
    """Yield an entry's pieces and its last chunk, as the hook streamed them."""
    attempt = _open(call, call.hooks.stream, is_async=False)
    answer = entry.answers[0]
    with Telling(attempt) as telling:
        for chunk in entry.pieces or as_stream(answer)[:-1]:
            attempt.output.push(chunk)
            telling.tell(chunk)
            yield chunk
        telling.answers = [answer]
        last = last_chunk(answer)
        if call.chat:
            telling.tell(last)
        yield last


async def areplay_stream(call: Call, entry: Entry) -> AsyncGenerator[GenerationChunk, None]:
    """Yield an entry's pieces and its last chunk on the running loop, as `replay_stream` does."""
    attempt = _open(call, call.hooks.astream, is_async=True)
    answer = entry.answers[0]
    async with Telling(attempt) as telling:
        for chunk in entry.pieces or as_stream(answer)[:-1]:
            attempt.output.push(chunk)
            await telling.atell(chunk)
            yield chunk
        telling.answers = [answer]
        last = last_chunk(answer)
        if call.chat:
            await telling.atell(last)
        yield last
