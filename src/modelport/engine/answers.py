"""One answer: `run` for sync callers, `arun` for async ones (guarantees 1, 2, 4, 6 to 8)."""

from __future__ import annotations

from contextlib import aclosing, closing

from modelport.engine.attempt import Attempt
from modelport.engine.call import Call
from modelport.engine.driving_async import apieces_of, avalue_of
from modelport.engine.driving_sync import pieces_of, value_of
from modelport.engine.hooks import Hook
from modelport.engine.lifecycle import aload, load
from modelport.engine.telling import Telling
from modelport.runs.llm_run import BatchRun
from modelport.values.generations import Generation


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
    load(call.model)
    attempt = open_attempt(call, call.hooks.answer, is_async=False)
    with Telling(attempt) as telling:
        if attempt.hook.is_stream:
            _join(attempt, telling)
        else:
            attempt.take_value(value_of(attempt))
        answers = telling.answers = attempt.answers()
    return answers


def _join(attempt: Attempt, telling: Telling) -> None:
    """Take all pieces of a streaming hook, telling each."""
    output = attempt.output
    with closing(pieces_of(attempt)) as pieces:
        for piece in pieces:
            chunk = output.push(piece)
            if chunk is not None:
                telling.tell(chunk)
            if output.cut:
                break
    chunk = output.finish()
    if chunk is not None:
        telling.tell(chunk)


async def arun_all(call: Call) -> list[Generation]:
    """Answer one call with all choices, on the running loop; raises as `run_all` does."""
    await aload(call.model)
    attempt = open_attempt(call, call.hooks.async_answer, is_async=True)
    async with Telling(attempt) as telling:
        if attempt.hook.is_stream:
            await _ajoin(attempt, telling)
        else:
            attempt.take_value(await avalue_of(attempt))
        answers = telling.answers = attempt.answers()
    return answers


async def _ajoin(attempt: Attempt, telling: Telling) -> None:
    output = attempt.output
    async with aclosing(apieces_of(attempt)) as pieces:
        async for piece in pieces:
            chunk = output.push(piece)
            if chunk is not None:
                await telling.atell(chunk)
            if output.cut:
                break
    chunk = output.finish()
    if chunk is not None:
        await telling.atell(chunk)
