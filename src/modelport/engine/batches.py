"""Many prompts: one hook call for as many as `max_batch_size` lets, else concurrent single answers (guarantee 5).

Every item has its own run, output and slot in the result; a failure stays in its slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.engine.answers import arun, run
from modelport.engine.attempt import Attempt
from modelport.engine.bridge_sync import timed_out
from modelport.engine.call import Call
from modelport.engine.concurrency import amap_items, map_items
from modelport.engine.driving_async import avalue_of
from modelport.engine.driving_sync import value_of
from modelport.engine.hooks import Hook
from modelport.engine.lifecycle import aload, load
from modelport.engine.reading import results_of
from modelport.engine.telling import is_cut_short
from modelport.runs.llm_run import BatchRun
from modelport.values.generations import Generation

Outcome = Generation | BaseException
"""One item's answer, or why it has none."""


def run_many(calls: Sequence[Call], max_concurrency: int | None = None) -> list[Outcome]:
    """Answer many calls of one model; results are in the calls' order, failures in their slots."""
    if not calls:
        return []
    hook = calls[0].hooks.many
    if hook is None:
        return map_items(run, calls, max_concurrency)
    load(calls[0].model)
    outcomes: list[Outcome] = []
    for part in _parts(calls):
        outcomes += _run_part(part, hook)
    return outcomes


async def arun_many(calls: Sequence[Call], max_concurrency: int | None = None) -> list[Outcome]:
    """Answer many calls of one model on the running loop, as `run_many` does."""
    if not calls:
        return []
    hook = calls[0].hooks.async_many
    if hook is None:
        return await amap_items(arun, calls, max_concurrency)
    await aload(calls[0].model)
    outcomes: list[Outcome] = []
    for part in _parts(calls):
        outcomes += await _arun_part(part, hook)
    return outcomes


def _parts(calls: Sequence[Call]) -> list[Sequence[Call]]:
    size = calls[0].model.max_batch_size or len(calls)
    return [calls[start : start + size] for start in range(0, len(calls), size)]


def _run_part(calls: Sequence[Call], hook: Hook) -> list[Outcome]:
    """Run one hook call for all its items; the first item's attempt drives it."""
    attempts = [Attempt(call, hook, is_async=False) for call in calls]
    driver = _driver(attempts)
    for attempt in attempts:
        if attempt.run is not None:
            attempt.run.start(attempt.call.argument)
    try:
        results = results_of(value_of(driver), len(calls), hook.label)
    except BaseException as error:  # noqa: BLE001 - every item of this hook call shares it
        results = [error] * len(calls)
    outcomes: list[Outcome] = []
    for attempt, result in zip(attempts, results, strict=True):
        outcome = _outcome(attempt, result)
        if attempt.run is not None:
            if isinstance(outcome, Generation):
                attempt.run.end(attempt.llm_result(outcome))
            elif is_cut_short(outcome, attempt.deadline()):
                attempt.run.cancelled = True
                attempt.run.end(attempt.partial_result())
            else:
                attempt.run.error(outcome, attempt.partial_result())
        outcomes.append(outcome)
    return _without_interrupts(outcomes)


async def _arun_part(calls: Sequence[Call], hook: Hook) -> list[Outcome]:
    attempts = [Attempt(call, hook, is_async=True) for call in calls]
    driver = _driver(attempts)
    for attempt in attempts:
        if attempt.run is not None:
            await attempt.run.astart(attempt.call.argument)
    try:
        results = results_of(await avalue_of(driver), len(calls), hook.label)
    except BaseException as error:  # noqa: BLE001 - every item of this hook call shares it
        for attempt in attempts:
            attempt.cancel()
        results = [error] * len(calls)
    outcomes: list[Outcome] = []
    for attempt, result in zip(attempts, results, strict=True):
        outcome = _outcome(attempt, result)
        if attempt.run is not None:
            if isinstance(outcome, Generation):
                await attempt.run.aend(attempt.llm_result(outcome))
            elif is_cut_short(outcome, attempt.deadline()):
                attempt.run.cancelled = True
                await attempt.run.aend(attempt.partial_result())
            else:
                await attempt.run.aerror(outcome, attempt.partial_result())
        outcomes.append(outcome)
    return _without_interrupts(outcomes)


def _driver(attempts: Sequence[Attempt]) -> Attempt:
    """Return the attempt that calls the hook with all items' arguments and managers."""
    driver = attempts[0]
    driver.argument = [attempt.call.argument for attempt in attempts]
    driver.given_manager = BatchRun([attempt.manager for attempt in attempts])
    driver.items = attempts
    return driver


def _outcome(attempt: Attempt, result: Any) -> Outcome:
    """Turn one slot of the hook's result into the item's answer; a wrong type fails this item alone."""
    if isinstance(result, BaseException):
        return result
    if attempt.is_late():
        return timed_out("its batch ran")
    try:
        attempt.output.push(result)
        attempt.output.finish()
        return attempt.answer()
    except Exception as error:  # noqa: BLE001 - it belongs to this slot
        return error


def _without_interrupts(outcomes: list[Outcome]) -> list[Outcome]:
    """Raise what must not be kept in a slot: a cancel or an interrupt of the whole call."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
            raise outcome
    return outcomes


def raise_first(outcomes: Sequence[Any]) -> None:
    """Raise the first failure, in the order of the items."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
