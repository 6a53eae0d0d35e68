"""One answer: `run` for sync callers, `arun` for async ones (guarantees 1, 2, 4, 6 to 8)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing

from modelport.engine.attempt import Attempt
from modelport.engine.call import Call
from modelport.engine.driving_async import apieces_of, avalue_of
from modelport.engine.driving_sync import pieces_of, value_of
from modelport.engine.hooks import Hook
from modelport.engine.lifecycle import aload, load
from modelport.runs.llm_run import BatchRun
from modelport.values.errors import ModelTimeoutError
from modelport.values.generations import Generation

CUT_SHORT = (GeneratorExit, asyncio.CancelledError, KeyboardInterrupt, ModelTimeoutError)
"""What ends a call from outside: its end event carries what was produced, and is no error event (guarantee 6)."""


def is_cut_short(error: BaseException) -> bool:
    """Tell whether an exception means that the consumer left or the deadline passed, not that the hook failed."""
    return isinstance(error, CUT_SHORT)


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
    observed = attempt.run
    if observed is not None:
        observed.start(call.argument)
    try:
        while True:
            try:
                _fill(attempt)
                break
            except NotImplementedError:
                if not attempt.may_retry_without_stop():
                    raise
        answers = attempt.answers()
    except BaseException as error:
        if observed is not None:
            tell_failure(attempt, error)
        raise
    if observed is not None:
        observed.end(attempt.llm_result(*answers))
    return answers


def _fill(attempt: Attempt) -> None:
    """Take all that the hook gives into the attempt's output, telling each token of a streaming hook."""
    output, observed = attempt.output, attempt.run
    if not attempt.hook.is_stream:
        attempt.take_value(value_of(attempt))
        return
    with closing(pieces_of(attempt)) as pieces:  # type: ignore[type-var]
        for piece in pieces:
            chunk = attempt.take(piece)
            if chunk is not None and observed is not None:
                observed.token(chunk)
            if output.cut:
                break
    chunk = output.finish()
    if chunk is not None and observed is not None:
        observed.token(chunk)


def tell_failure(attempt: Attempt, error: BaseException) -> None:
    """Tell an observed attempt's end: marked as cut short, or as an error."""
    observed = attempt.run
    assert observed is not None
    if is_cut_short(error):
        observed.cancelled = True
        observed.end(attempt.partial_result())
    else:
        observed.error(error, attempt.partial_result())


async def atell_failure(attempt: Attempt, error: BaseException) -> None:
    """Tell an observed attempt's end as `tell_failure` does."""
    observed = attempt.run
    assert observed is not None
    if is_cut_short(error):
        observed.cancelled = True
        await observed.aend(attempt.llm_result(attempt.answer()))
    else:
        await observed.aerror(error, attempt.partial_result())


async def arun_all(call: Call) -> list[Generation]:
    """Answer one call with all choices, on the running loop; raises as `run_all` does."""
    await aload(call.model)
    attempt = open_attempt(call, call.hooks.async_answer, is_async=True)
    observed = attempt.run
    if observed is not None:
        await observed.astart(call.argument)
    try:
        while True:
            try:
                await _afill(attempt)
                break
            except NotImplementedError:
                if not attempt.may_retry_without_stop():
                    raise
        answers = attempt.answers()
    except BaseException as error:
        if observed is not None:
            await atell_failure(attempt, error)
        raise
    if observed is not None:
        await observed.aend(attempt.llm_result(*answers))
    return answers


async def _afill(attempt: Attempt) -> None:
    if not attempt.hook.is_stream:
        attempt.take_value(await avalue_of(attempt))
        return
    async with aclosing(apieces_of(attempt)) as pieces:
        async for piece in pieces:
            chunk = attempt.take(piece)
            if chunk is not None and attempt.run is not None:
                await attempt.run.atoken(chunk)
            if attempt.output.cut:
                break
    chunk = attempt.output.finish()
    if chunk is not None and attempt.run is not None:
        await attempt.run.atoken(chunk)
