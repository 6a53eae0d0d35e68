"""Many prompts: one hook call for as many as `max_batch_size` lets, else concurrent single answers (guarantee 5).

Every item has its own run, output and slot in the result; a failure stays in its slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.engine.answers import arun, run
from modelport.engine.attempt import Attempt
from modelport.engine.batcher import batcher_for
from modelport.engine.bridge_sync import timed_out
from modelport.engine.caching import Lookup, lookup_for
from modelport.engine.call import Call
from modelport.engine.concurrency import amap_items, map_items
from modelport.engine.driving_async import avalue_of
from modelport.engine.driving_sync import value_of
from modelport.engine.flights import Turn
from modelport.engine.hooks import Hook
from modelport.engine.lifecycle import aload, load
from modelport.engine.reading import results_of
from modelport.engine.replaying import areplay, replay
from modelport.engine.telling import is_cut_short
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
    lookups = [lookup_for(call) for call in calls]
    if not any(lookups):
        return _run_many(calls, hook)
    found: list[Any] = [None] * len(calls)
    try:
        turns = [Turn.ALONE if lookup is None else lookup.look() for lookup in lookups]
        asked = [place for place, turn in enumerate(turns) if turn in (Turn.LEAD, Turn.ALONE)]
        for place, outcome in zip(asked, _run_many([calls[place] for place in asked], hook), strict=True):
            found[place], lookup = outcome, lookups[place]
            if lookup is not None and not isinstance(outcome, BaseException):
                lookup.store([outcome], None)
    finally:
        for lookup in lookups:
            if lookup is not None:
                lookup.end()
    # What was there is told; what another call was finding is there by now, or is found by `run`.
    places = [place for place in range(len(calls)) if found[place] is None]
    hits = map_items(lambda place: _replayed(calls[place], lookups[place]), places, max_concurrency)
    for place, outcome in zip(places, hits, strict=True):
        found[place] = outcome
    return found


def _replayed(call: Call, lookup: Lookup | None) -> Generation:
    if lookup is None or lookup.entry is None:
        return run(call)
    return replay(call, lookup.entry, call.hooks.many)[0]


async def _areplayed(call: Call, lookup: Lookup | None) -> Generation:
    if lookup is None or lookup.entry is None:
        return await arun(call)
    return (await areplay(call, lookup.entry, call.hooks.async_many))[0]


async def arun_many(calls: Sequence[Call], max_concurrency: int | None = None) -> list[Outcome]:
    """Answer many calls of one model on the running loop, as `run_many` does."""
    if not calls:
        return []
    hook = calls[0].hooks.async_many
    if hook is None:
        return await amap_items(arun, calls, max_concurrency)
    lookups = [lookup_for(call) for call in calls]
    if not any(lookups):
        return await _arun_many(calls, hook)
    found: list[Any] = [None] * len(calls)
    try:
        turns = [Turn.ALONE if lookup is None else await lookup.alook() for lookup in lookups]
        asked = [place for place, turn in enumerate(turns) if turn in (Turn.LEAD, Turn.ALONE)]
        for place, outcome in zip(asked, await _arun_many([calls[place] for place in asked], hook), strict=True):
            found[place], lookup = outcome, lookups[place]
            if lookup is not None and not isinstance(outcome, BaseException):
                await lookup.astore([outcome], None)
    finally:
        for lookup in lookups:
            if lookup is not None:
                lookup.end()
    places = [place for place in range(len(calls)) if found[place] is None]
    hits = await amap_items(lambda place: _areplayed(calls[place], lookups[place]), places, max_concurrency)
    for place, outcome in zip(places, hits, strict=True):
        found[place] = outcome
    return found


def _run_many(calls: Sequence[Call], hook: Hook) -> list[Outcome]:
    """Answer calls by the batch hook, telling each item's run."""
    if not calls:
        return []
    load(calls[0].model)
    attempts = [Attempt(call, hook, is_async=False) for call in calls]
    for attempt in attempts:
        if attempt.run is not None:
            attempt.run.start(attempt.call.argument)
    outcomes: list[Outcome] = []
    for attempt, result in zip(attempts, _results(attempts, hook), strict=True):
        outcome = _outcome(attempt, result)
        if attempt.run is not None:
            if not isinstance(outcome, BaseException):
                attempt.run.end(attempt.llm_result(outcome))
            elif is_cut_short(outcome, attempt.deadline()):
                attempt.run.cancelled = True
                attempt.run.end(attempt.partial_result())
            else:
                attempt.run.error(outcome, attempt.partial_result())
        outcomes.append(outcome)
    return _without_interrupts(outcomes)


async def _arun_many(calls: Sequence[Call], hook: Hook) -> list[Outcome]:
    if not calls:
        return []
    await aload(calls[0].model)
    attempts = [Attempt(call, hook, is_async=True) for call in calls]
    for attempt in attempts:
        if attempt.run is not None:
            await attempt.run.astart(attempt.call.argument)
    outcomes: list[Outcome] = []
    for attempt, result in zip(attempts, await _aresults(attempts, hook), strict=True):
        outcome = _outcome(attempt, result)
        if attempt.run is not None:
            if not isinstance(outcome, BaseException):
                await attempt.run.aend(attempt.llm_result(outcome))
            elif is_cut_short(outcome, attempt.deadline()):
                attempt.run.cancelled = True
                await attempt.run.aend(attempt.partial_result())
            else:
                await attempt.run.aerror(outcome, attempt.partial_result())
        outcomes.append(outcome)
    return _without_interrupts(outcomes)


def _results(attempts: Sequence[Attempt], hook: Hook) -> list[Any]:
    """Return each item's slot of a hook's result, or the exception that it gets."""
    results: list[Any] = []
    try:
        batcher = batcher_for(attempts[0].call, hook, is_async=False)
        if batcher is not None:
            return batcher.answer(attempts)
        for part in _parts(attempts):
            try:
                results += results_of(value_of(Attempt.for_batch(part)), len(part), hook.label)
            except Exception as error:  # noqa: BLE001 - every item of this hook call shares it
                results += [error] * len(part)
    except BaseException as error:  # noqa: BLE001 - it ends the whole call, once every item's run has ended
        results += [error] * (len(attempts) - len(results))
    return results


async def _aresults(attempts: Sequence[Attempt], hook: Hook) -> list[Any]:
    results: list[Any] = []
    try:
        batcher = batcher_for(attempts[0].call, hook, is_async=True)
        if batcher is not None:
            return await batcher.answer_async(attempts)
        for part in _parts(attempts):
            try:
                results += results_of(await avalue_of(Attempt.for_batch(part)), len(part), hook.label)
            except Exception as error:  # noqa: BLE001 - every item of this hook call shares it
                results += [error] * len(part)
    except BaseException as error:  # noqa: BLE001 - it ends the whole call, once every item's run has ended
        for attempt in attempts:
            attempt.cancel()
        results += [error] * (len(attempts) - len(results))
    return results


def _parts(attempts: Sequence[Attempt]) -> list[Sequence[Attempt]]:
    size = attempts[0].call.model.max_batch_size or len(attempts)
    return [attempts[start : start + size] for start in range(0, len(attempts), size)]


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
