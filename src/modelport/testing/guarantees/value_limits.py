"""What bounds calls for vectors and images alike: deadlines, cancels, and how many hook calls run at once."""

from __future__ import annotations

import asyncio
from typing import Any

from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable, expect, expect_equal
from modelport.testing.gates import Gate, Rendezvous, patiently
from modelport.testing.probe import HookCall, Probe
from modelport.testing.subject import Subject
from modelport.testing.value_ways import ASYNC_VALUES, ValueWay, check_values
from modelport.values.errors import ModelTimeoutError

DEADLINE = "modelport guarantee 7 (deadline), for embedding and image models"
CANCEL = "modelport guarantee 6 (cancel), for embedding and image models"
BATCH = "modelport guarantee 5 (batch), for embedding and image models: `max_concurrency` bounds hook calls"
_LIMIT = 2
_CALLS = 6


async def _expect_timeout(way: ValueWay, probe: Probe, text: str, seconds: float) -> None:
    """Fail unless a call runs out of time; what holds the hook back is the caller's business."""
    try:
        async with patiently(f"`{way.name}` with a timeout of {seconds} seconds"):
            await way.results(probe.model, text, {"timeout": seconds})
    except TimeoutError as error:
        expect(isinstance(error, ModelTimeoutError), f"the error is {error!r}, no ModelTimeoutError")
        return
    raise CheckFailure(f"`{way.name}` with a timeout of {seconds} seconds raised nothing")


async def _time_out(way: ValueWay, probe: Probe, text: str) -> HookCall:
    """Let a call run out of time while its hook runs, and return the hook call."""
    for factor in (1, 10, 100):
        await _expect_timeout(way, probe, text, factor * gates.SOON_SECONDS)
        if probe.calls:
            return probe.calls[-1]
    raise CheckFailure("the deadline passed before the hook was called")


def _is_told(call: HookCall) -> bool:
    return call.ended or all(manager.cancelled for manager in call.managers)


@check_values("expires", source=DEADLINE)
async def expires(subject: Subject, way: ValueWay) -> None:
    """`{way}` with a `timeout` raises `ModelTimeoutError` while the hook still runs, and the hook is told."""
    probe = way.probe(subject)
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        call = await _time_out(way, probe, subject.prompts[0])
        await probe.until(lambda: _is_told(call), "telling the hook that its deadline has passed")


@check_values("queueing", source=DEADLINE)
async def queueing(subject: Subject, way: ValueWay) -> None:
    """The `timeout` of `{way}` includes waiting for a slot of `max_concurrency`."""
    probe = way.probe(subject)
    probe.model.max_concurrency = 1
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        holder = asyncio.create_task(way.results(probe.model, subject.prompts[0]))
        await probe.until(lambda: bool(probe.calls), "calling the hook")
        try:
            await _expect_timeout(way, probe, subject.prompts[1], gates.SOON_SECONDS)
        finally:
            gate.open()
            async with patiently("the call that holds the slot"):
                await holder
    expect_equal(len(probe.calls), 1, "the number of hook calls")


@check_values("thread-counts", source=DEADLINE)
async def thread_counts(subject: Subject, way: ValueWay) -> None:
    """A sync hook whose caller ran out of time in `{way}` holds its slot until it returns."""
    if way.hook(subject).is_async:
        raise NotApplicable(f"`{way.name}` is answered by an async hook, which is cancelled")
    probe = way.probe(subject)
    probe.model.max_concurrency = 1
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        await _time_out(way, probe, subject.prompts[0])
        await _expect_timeout(way, probe, subject.prompts[1], gates.GLANCE_SECONDS)
        expect_equal(len(probe.calls), 1, "the number of hook calls while the first still runs")
    async with patiently("the call after the hook has returned"):
        await way.results(probe.model, subject.prompts[1])


@check_values("task", source=CANCEL, ways=ASYNC_VALUES)
async def task_cancelled(subject: Subject, way: ValueWay) -> None:
    """Cancelling the task that waits for `{way}` reaches the hook at once."""
    probe = way.probe(subject)
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        task = asyncio.create_task(way.results(probe.model, subject.prompts[0]))
        await probe.until(lambda: bool(probe.calls), "calling the hook")
        task.cancel()
        async with patiently(f"a cancelled `{way.name}`"):
            await asyncio.wait([task])
        expect(task.cancelled(), f"the task of `{way.name}` was not cancelled: {task!r:.200}")
        await probe.until(lambda: _is_told(probe.calls[0]), "telling the hook that nobody waits any more")


@check_values("max-concurrency", source=BATCH)
async def max_concurrency(subject: Subject, way: ValueWay) -> None:
    """Of many calls by `{way}` never more than `max_concurrency` are in a hook at once, and all are answered."""
    probe, texts = way.probe(subject), [f"text {number}" for number in range(_CALLS)]
    probe.model.max_concurrency = _LIMIT
    with Rendezvous(_LIMIT + 1) as crowd:
        probe.on_enter = lambda call: crowd.arrive()
        tasks = [asyncio.create_task(way.results(probe.model, text)) for text in texts]
        await probe.until(lambda: bool(probe.calls), "calling the hook")
        await crowd.wait_async(gates.GLANCE_SECONDS)
        crowd.open()
        async with patiently(f"{_CALLS} calls by `{way.name}`"):
            answers: list[Any] = await asyncio.gather(*tasks)
    expect(probe.peak <= _LIMIT, f"{probe.peak} hook calls ran at once, with max_concurrency={_LIMIT}")
    expect_equal(answers, [way.expected(text) for text in texts], "the answers")
