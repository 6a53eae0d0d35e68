"""One answer: `run` for sync callers, `arun` for async ones (guarantees 1, 2, 4, 6 to 8)."""

from __future__ import annotations

from contextlib import aclosing, closing

from modelport.engine.attempt import Attempt
from modelport.engine.bare import abare_answers, bare_answers, is_bare
from modelport.engine.batcher import batcher_for
from modelport.engine.caching import lookup_for
from modelport.engine.call import Call
from modelport.engine.driving_async import apieces_of, avalue_of
from modelport.engine.driving_sync import pieces_of, value_of
from modelport.engine.hooks import Hook
from modelport.engine.lifecycle import aload, load
from modelport.engine.replaying import areplay, replay
from modelport.engine.telling import Telling
from modelport.runs.llm_run import BatchRun
from modelport.values.generations import Generation, GenerationChunk


def open_attempt(call: Call, hook: Hook | None, *, is_async: bool) -> Attempt:
    """Return an attempt at a call; a batch hook that answers one prompt is given a batch of one."""
    assert hook is not None, "a class without hooks cannot be instantiated"
    attempt = Attempt(call, hook, is_async=is_async)
    if hook.is_batch:
        attempt.argument = [call.argument]
        attempt.given_manager = BatchRun([attempt.manager])
    return attempt


def run(call: Call) -> Generation:
    """Answer one call; of several choices that the hook gives, the first. Raises as `run_all` does."""
    return run_all(call)[0]


async def arun(call: Call) -> Generation:
    """Answer one call on the running loop, as `run` does."""
    return (await arun_all(call))[0]


def run_all(call: Call) -> list[Generation]:
    """Answer one call with all choices that the hook gives: one, unless it supports `n` and returns a list.

    Raises:
        ModelTimeoutError: The deadline passed.
        HookError: The hook gave something that is no answer.
        Exception: Whatever the hook raised, unchanged.
    """
    hook = call.hooks.bare_answer
    if hook is not None and is_bare(call):
        return bare_answers(hook, call.model, call.argument, call.kwargs)
    lookup = lookup_for(call)
    if lookup is None:
        return _run_all(call)
    with lookup:
        if lookup.entry is None:
            pieces: list[GenerationChunk] = []
            answers = _run_all(call, pieces)
            lookup.store(answers, pieces or None)
            return answers
    batches = batcher_for(call, call.hooks.many, is_async=False) is not None
    return replay(call, lookup.entry, call.hooks.many if batches else call.hooks.answer)


def _run_all(call: Call, pieces: list[GenerationChunk] | None = None) -> list[Generation]:
    load(call.model)
    batcher = batcher_for(call, call.hooks.many, is_async=False)
    attempt = open_attempt(call, call.hooks.answer if batcher is None else call.hooks.many, is_async=False)
    with Telling(attempt) as telling:
        if batcher is not None:
            attempt.take_value(batcher.answer([attempt]))
        elif attempt.hook.is_stream:
            _join(attempt, telling, pieces)
        else:
            attempt.take_value(value_of(attempt))
        answers = telling.answers = attempt.answers()
    return answers


def _join(attempt: Attempt, telling: Telling, released: list[GenerationChunk] | None) -> None:
    """Take all pieces of a streaming hook, telling and keeping each that is released."""
    output = attempt.output
    with closing(pieces_of(attempt)) as pieces:
        for piece in pieces:
            chunk = output.push(piece)
            if chunk is not None:
                telling.tell(chunk)
                if released is not None:
                    released.append(chunk)
            if output.cut:
                break
    chunk = output.finish()
    if chunk is not None:
        telling.tell(chunk)
        if released is not None:
            released.append(chunk)


async def arun_all(call: Call) -> list[Generation]:
    """Answer one call with all choices, on the running loop; raises as `run_all` does."""
    hook = call.hooks.bare_async_answer
    if hook is not None and is_bare(call):
        return await abare_answers(hook, call.model, call.argument, call.kwargs)
    lookup = lookup_for(call)
    if lookup is None:
        return await _arun_all(call)
    async with lookup:
        if lookup.entry is None:
            pieces: list[GenerationChunk] = []
            answers = await _arun_all(call, pieces)
            await lookup.astore(answers, pieces or None)
            return answers
    batches = batcher_for(call, call.hooks.async_many, is_async=True) is not None
    return await areplay(call, lookup.entry, call.hooks.async_many if batches else call.hooks.async_answer)


async def _arun_all(call: Call, pieces: list[GenerationChunk] | None = None) -> list[Generation]:
    await aload(call.model)
    batcher = batcher_for(call, call.hooks.async_many, is_async=True)
    attempt = open_attempt(call, call.hooks.async_answer if batcher is None else call.hooks.async_many, is_async=True)
    async with Telling(attempt) as telling:
        if batcher is not None:
            attempt.take_value(await batcher.answer_async([attempt]))
        elif attempt.hook.is_stream:
            await _ajoin(attempt, telling, pieces)
        else:
            attempt.take_value(await avalue_of(attempt))
        answers = telling.answers = attempt.answers()
    return answers


async def _ajoin(attempt: Attempt, telling: Telling, released: list[GenerationChunk] | None) -> None:
    output = attempt.output
    async with aclosing(apieces_of(attempt)) as pieces:
        async for piece in pieces:
            chunk = output.push(piece)
            if chunk is not None:
                await telling.atell(chunk)
                if released is not None:
                    released.append(chunk)
            if output.cut:
                break
    chunk = output.finish()
    if chunk is not None:
        await telling.atell(chunk)
        if released is not None:
            released.append(chunk)
