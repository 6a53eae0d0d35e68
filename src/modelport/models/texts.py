"""The bare ways of a text model: what runs when nobody listens and nothing has to be enforced.

As few frames as possible stand between the hook and its consumer; whatever is unusual goes through the engine's
`Output`, like everything else does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, closing
from typing import Any

from modelport.engine.answers import open_attempt
from modelport.engine.call import Call
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.driving_async import read_ahead
from modelport.engine.hooks import Hook
from modelport.engine.output import Output, nothing_yielded
from modelport.engine.reading import async_iterator_of, iterator_of
from modelport.engine.streams import stream
from modelport.engine.turns import TURN, TURN_EVERY, Turns
from modelport.runs.llm_run import SilentAsyncRun, SilentRun
from modelport.values.generations import GenerationChunk

_NOTHING: Any = object()


def _check_given(last_piece: Any, hook: Hook) -> None:
    if last_piece is _NOTHING:
        raise nothing_yielded(hook.label)


def text_of(value: Any, hook: Hook) -> str:
    """Return the text of what a hook returned that is no str.

    Raises:
        HookError: It is no answer.
    """
    output = Output(hook.label, chat=False, stop=None, budget=None)
    output.push(value)
    output.finish()
    return output.text


def bare_texts(model: Any, prompt: str, hook: Hook, kwargs: Mapping[str, Any]) -> Generator[str, None, None]:
    """Yield the texts of a sync streaming hook, in the caller's thread."""
    manager = SilentRun()
    iterator = iterator_of(hook.bind(model, prompt, None, manager, kwargs), hook.label)
    piece: Any = _NOTHING
    try:
        for piece in iterator:
            kind = piece.__class__
            if kind is GenerationChunk and piece.text.__class__ is str:
                text = piece.text
            elif kind is str:
                text = piece
            else:
                yield from _odd_texts(piece, iterator, hook)
                return
            if text:
                yield text
        _check_given(piece, hook)
    except GeneratorExit:
        manager.cancelled = True
        raise
    finally:
        close_quietly(iterator)


def _odd_texts(first: Any, rest: Iterator[Any], hook: Hook) -> Iterator[str]:
    """Yield the texts of a hook that yields bytes, messages or the like, from the first such piece on."""
    output = Output(hook.label, chat=False, stop=None, budget=None)
    chunk = output.push(first)
    while True:
        if chunk is not None and chunk.text:
            yield chunk.text
        try:
            chunk = output.push(next(rest))
        except StopIteration:
            break
    chunk = output.finish()
    if chunk is not None:
        yield chunk.text


async def abare_texts(model: Any, prompt: str, hook: Hook, kwargs: Mapping[str, Any]) -> AsyncGenerator[str, None]:
    """Yield the texts of an async streaming hook, on the caller's loop, which gets its turns (`engine.turns`)."""
    manager = SilentAsyncRun()
    iterator: Any = async_iterator_of(hook.bind(model, prompt, None, manager, kwargs), hook.label)
    turn, turns = TURN_EVERY, Turns()
    odd: list[Any] | None = None
    piece: Any = _NOTHING
    try:
        async for piece in iterator:
            if piece.__class__ is GenerationChunk and (text := piece.text).__class__ is str:
                if text:
                    yield text
            elif piece.__class__ is str:
                if piece:
                    yield piece
            else:
                odd = [piece]
                break
            turn -= 1
            if not turn:
                turn = TURN_EVERY
                if turns.due():
                    await TURN
        else:
            iterator = None  # it has ended by itself: there is nothing to close
            _check_given(piece, hook)
        if odd is not None:
            async with aclosing(_aodd_texts(odd[0], iterator, hook)) as texts:
                async for text in texts:
                    yield text
    except (GeneratorExit, asyncio.CancelledError):
        manager.cancelled = True
        raise
    finally:
        if iterator is not None:
            await aclose_quietly(iterator)


async def _aodd_texts(first: Any, rest: AsyncIterator[Any], hook: Hook) -> AsyncGenerator[str, None]:
    """Yield the texts of a hook that yields bytes, messages or the like, from the first such piece on."""
    output = Output(hook.label, chat=False, stop=None, budget=None)
    chunk = output.push(first)
    if chunk is not None and chunk.text:
        yield chunk.text
    async for piece in rest:
        chunk = output.push(piece)
        if chunk is not None and chunk.text:
            yield chunk.text
        await TURN
    chunk = output.finish()
    if chunk is not None:
        yield chunk.text


async def thread_texts(call: Call, hook: Hook) -> AsyncGenerator[str, None]:
    """Yield the texts of a sync streaming hook that runs in a worker thread."""
    attempt = open_attempt(call, hook, is_async=True)
    source = await read_ahead(attempt)
    output = attempt.output
    push, plain = output.push, True
    try:
        while pieces := await source.take():
            output.started = True
            for piece in pieces:
                kind = piece.__class__
                if kind is GenerationChunk and plain and piece.text.__class__ is str:
                    text = piece.text
                elif kind is str and plain:
                    text = piece
                else:
                    plain = False
                    chunk = push(piece)
                    text = chunk.text if chunk is not None else ""
                if text:
                    yield text
        chunk = output.finish()
        if chunk is not None:
            yield chunk.text
    except BaseException:
        attempt.cancel()
        raise
    finally:
        source.close()


def chunk_texts(call: Call) -> Generator[str, None, None]:
    """Yield the texts of a call that goes through the whole engine."""
    with closing(stream(call)) as chunks:
        for chunk in chunks:
            if chunk.text:
                yield chunk.text
