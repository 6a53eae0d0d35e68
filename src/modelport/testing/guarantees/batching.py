"""Guarantee 5, dynamic batching: concurrent single calls share hook calls, and none disturbs another."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from modelport.engine.hooks import Hook
from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_batch
from modelport.testing.gates import Gate, Rendezvous, in_thread, patiently
from modelport.testing.guarantees.deadline import expect_timeout
from modelport.testing.probe import Probe, ProbeError
from modelport.testing.recorder import OwnRunsRecorder
from modelport.testing.subject import Subject, own_keyword
from modelport.testing.ways import SINGLES, WAYS, asking

SOURCE = "modelport guarantee 5 (batch): concurrent single calls run as batches"
_SIZE = 4
_CALLS = 12
_TURNS = 100
"""How many turns of its loop a call may need to reach an async hook."""
_ASYNC = [way for way in SINGLES if WAYS[way].is_async]


def _prompts(count: int) -> list[str]:
    return [f"prompt {number}" for number in range(count)]


def batching(subject: Subject, way: str, size: int, *, waits: bool = False) -> Probe:
    """Return a probe whose single calls go through the batch hook.

    Args:
        subject: The model under check.
        way: How it will be called.
        size: The largest batch.
        waits: Whether an idle model waits until so many calls are there; else it takes a lone call at once.

    Raises:
        NotApplicable: Streams are answered by a streaming hook.
    """
    if WAYS[way].streams and subject.hooks.stream is not None:
        raise NotApplicable(f"`{way}` is answered by a streaming hook, one call at a time")
    probe = subject.probe()
    probe.model.max_batch_size = size
    probe.model.max_concurrency = None
    probe.model.max_wait_ms = 3000 * gates.patience_seconds() if waits else 0
    return probe


def batch_hook(subject: Subject, way: str) -> Hook:
    """Return the batch hook that answers a way to call."""
    hook = subject.hooks.async_many if WAYS[way].is_async else subject.hooks.many
    assert hook is not None, "the check applies to classes with a batch hook"
    return hook


async def _expect_own_answers(probe: Probe, prompts: list[str], tasks: list[asyncio.Task[str]]) -> None:
    async with patiently("a call in company"):
        texts = await asyncio.gather(*tasks)
    expect_equal(texts, [probe.given_for(prompt) for prompt in prompts], "the answers")


@check_each_way("batch:{way}:shared-calls", source=SOURCE, ways=SINGLES, applies=[has_batch])
async def shared_calls(subject: Subject, way: str) -> None:
    """Calls by `{way}` that come while a batch runs share the next hook calls, none of more than `max_batch_size`."""
    probe, record, prompts = batching(subject, way, _SIZE), OwnRunsRecorder(), _prompts(_CALLS)
    with Gate() as gate:
        second = Rendezvous(2)
        probe.on_enter = lambda call: second.arrive() and gate
        async with asking(way, probe.face) as ask:
            tasks = [ask(prompts[0], {"callbacks": [record]})]
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            tasks += [ask(prompt, {"callbacks": [record]}) for prompt in prompts[1:]]
            await probe.until(lambda: len(record.starts) == _CALLS, "starting all calls")
            # From its start to the queue a call needs a moment that nothing tells of.
            await second.wait_async(gates.GLANCE_SECONDS)
            gate.open()
            await _expect_own_answers(probe, prompts, tasks)
    sizes = [len(call.argument) for call in probe.calls]
    expect(max(sizes) <= _SIZE, f"the hook calls had {sizes} prompts, with max_batch_size={_SIZE}")
    expect(len(sizes) <= _CALLS // 2, f"{_CALLS} concurrent calls made {len(sizes)} hook calls, of {sizes} prompts")


@check_each_way("batch:{way}:waits-for-company", source=SOURCE, ways=SINGLES, applies=[has_batch])
async def waits_for_company(subject: Subject, way: str) -> None:
    """With `max_wait_ms` an idle model waits until as many calls by `{way}` are there as share one hook call."""
    probe, prompts = batching(subject, way, 3, waits=True), _prompts(3)
    async with asking(way, probe.face) as ask:
        await _expect_own_answers(probe, prompts, [ask(prompt) for prompt in prompts])
    expect_equal([len(call.argument) for call in probe.calls], [3], "the sizes of the hook calls")


@check_each_way("batch:{way}:lone-call", source=SOURCE, ways=SINGLES, applies=[has_batch])
async def lone_call(subject: Subject, way: str) -> None:
    """A lone `{way}` on an idle model runs at once, alone; a sync hook runs in the thread of its sync caller."""
    probe, hook, prompt = batching(subject, way, _SIZE), batch_hook(subject, way), subject.prompts[0]
    await probe.model.aload()
    if not WAYS[way].is_async:
        async with patiently(f"a lone `{way}`"):
            thread = await in_thread(lambda: _ask_here(way, probe, prompt))
        if not hook.is_async and probe.calls[0].manager.deadline is None:
            expect_equal(probe.calls[0].thread, thread, "the hook's thread")
    else:
        async with asking(way, probe.face) as ask:
            task = ask(prompt)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            # Only an async hook is reached without a thread, when nothing else on the way needs one.
            is_reached_in_turns = hook.is_async and not subject.hooks.single_loop and subject.through is None
            at_once = bool(probe.calls) or not is_reached_in_turns
            expect(at_once, f"the hook was not called within {_TURNS} turns of its caller's loop")
            async with patiently(f"a lone `{way}`"):
                await task
    expect_equal([len(call.argument) for call in probe.calls], [1], "the sizes of the hook calls")


def _ask_here(way: str, probe: Probe, prompt: Any) -> int:
    """Ask in this thread, and return which it is."""
    if way == "invoke":
        probe.face.invoke(prompt)
    else:
        list(probe.face.stream(prompt))
    return threading.get_ident()


@check_each_way("batch:{way}:equal-only", source=SOURCE, ways=SINGLES, applies=[has_batch])
async def equal_only(subject: Subject, way: str) -> None:
    """Only calls by `{way}` with equal stop strings and keywords share a hook call."""
    kinds: list[dict[str, Any]] = [{}, {"stop": ["x"]}, {"stop": ["y"]}]
    keyword = own_keyword(batch_hook(subject, way))
    if keyword is not None:
        kinds += [{keyword: 1}, {keyword: 2}]
    probe = batching(subject, way, 2 * len(kinds))
    probe.script = ["an answer"]
    prompts = {f"prompt {number} {place}": kind for number, kind in enumerate(kinds) for place in range(2)}
    asked = {repr(probe.model.argument_of(prompt)): kind for prompt, kind in prompts.items()}
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        async with asking(way, probe.face) as ask:
            tasks = [ask(subject.prompts[0])]
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            tasks += [ask(prompt, **kind) for prompt, kind in prompts.items()]
            await Gate().wait_async(gates.GLANCE_SECONDS)
            gate.open()
            async with patiently(f"`{way}`"):
                await asyncio.gather(*tasks)
    for call in probe.calls[1:]:
        wanted = [asked[repr(argument)] for argument in call.argument]
        given = {**({"stop": call.stop} if call.stop else {}), **call.keywords}
        expect(all(one == given for one in wanted), f"calls with {wanted} were answered by one hook call with {given}")


@check_each_way("batch:{way}:queued-leaves", source=SOURCE, ways=_ASYNC, applies=[has_batch])
async def queued_leaves(subject: Subject, way: str) -> None:
    """A `{way}` that is cancelled while it waits for a batch never reaches the hook, and the others are answered."""
    probe, prompts = batching(subject, way, _SIZE), _prompts(3)
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        async with asking(way, probe.face) as ask:
            first = ask(prompts[0])
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            goes, stays = ask(prompts[1]), ask(prompts[2])
            await Gate().wait_async(gates.GLANCE_SECONDS)
            goes.cancel()
            async with patiently(f"a cancelled `{way}`"):
                await asyncio.wait([goes])
            gate.open()
            await _expect_own_answers(probe, [prompts[0], prompts[2]], [first, stays])
    reached = [argument for call in probe.calls for argument in call.argument]
    expect(probe.model.argument_of(prompts[1]) not in reached, "the hook was given the prompt of the cancelled call")


@check_each_way("batch:{way}:running-leaves", source=SOURCE, ways=_ASYNC, applies=[has_batch])
async def running_leaves(subject: Subject, way: str) -> None:
    """A `{way}` that is cancelled while its batch runs leaves; the hook is told by its item, the others stay."""
    probe, prompts = batching(subject, way, 3, waits=True), _prompts(3)
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        async with asking(way, probe.face) as ask:
            tasks = [ask(prompt) for prompt in prompts]
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            tasks[1].cancel()
            async with patiently(f"a cancelled `{way}`"):
                await asyncio.wait([tasks[1]])
            call = probe.calls[0]
            goes = call.argument.index(probe.model.argument_of(prompts[1]))
            await probe.until(lambda: call.managers[goes].cancelled, "telling the hook that one item has left")
            told = [manager.cancelled for manager in call.managers]
            expect_equal(sum(told), 1, f"of `cancelled` of the items, {told}, the number that is true")
            expect(not call.manager.cancelled, "the whole batch is told as cancelled")
            gate.open()
            await _expect_own_answers(probe, [prompts[0], prompts[2]], [tasks[0], tasks[2]])
    expect_equal(len(probe.calls), 1, "the number of hook calls")


@check_each_way("batch:{way}:all-left", source=SOURCE, ways=_ASYNC, applies=[has_batch])
async def all_left(subject: Subject, way: str) -> None:
    """When every `{way}` of a running batch is cancelled, the hook is cancelled, or told so by `cancelled`."""
    probe = batching(subject, way, 2, waits=True)
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        async with asking(way, probe.face) as ask:
            tasks = [ask(prompt) for prompt in _prompts(2)]
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            for task in tasks:
                task.cancel()
            call = probe.calls[0]
            await probe.until(lambda: call.manager.cancelled, "telling the hook that everybody has left")
            if call.hook.is_async:
                await probe.until(lambda: call.ended, "cancelling the hook that everybody has left")


@check_each_way("batch:{way}:slot-fails-alone", source=SOURCE, ways=SINGLES, applies=[has_batch])
async def slot_fails_alone(subject: Subject, way: str) -> None:
    """An exception in a slot of a batch hook's result fails its own `{way}`, and no other."""
    probe, prompts = batching(subject, way, 3, waits=True), _prompts(3)
    probe.fail_for = probe.model.argument_of(prompts[1])
    async with asking(way, probe.face) as ask:
        tasks = [ask(prompt) for prompt in prompts]
        try:
            async with patiently(f"`{way}`"):
                await tasks[1]
        except ProbeError as error:
            expect(error is probe.failure, f"{error!r} was raised in place of what the slot holds")
        else:
            raise CheckFailure("the call of the failed slot was answered")
        await _expect_own_answers(probe, [prompts[0], prompts[2]], [tasks[0], tasks[2]])


@check_each_way("batch:{way}:own-deadline", source=SOURCE, ways=SINGLES, applies=[has_batch])
async def own_deadline(subject: Subject, way: str) -> None:
    """The deadline of one `{way}` of a running batch ends that call alone, and tells the hook by its item."""
    for factor in (1, 10, 100):
        probe, (late, other, spare) = batching(subject, way, 2, waits=True), _prompts(3)
        goes = probe.model.argument_of(late)
        with Gate() as gate:
            probe.on_enter = lambda call, gate=gate: gate
            async with asking(way, probe.face) as ask:
                task = ask(other)
                await expect_timeout(probe, way, late, {"timeout": factor * gates.SOON_SECONDS})
                call = next((one for one in probe.calls if goes in one.argument), None)
                gate.open()
                if call is None:  # it passed before the two were together: fill the batch, and give more time
                    probe.model.max_wait_ms = 0
                    await _expect_own_answers(probe, [other, spare], [task, ask(spare)])
                    continue
                await _expect_own_answers(probe, [other], [task])
        told = [manager.cancelled for manager in call.managers]
        wanted = [argument == goes for argument in call.argument]
        expect_equal(told, wanted, "`cancelled` of the items, of which one's deadline has passed")
        return
    raise CheckFailure("two calls were never together in a batch before a deadline passed")


@check_each_way("batch:{way}:item-runs", source=SOURCE, ways=SINGLES, applies=[has_batch])
async def item_runs(subject: Subject, way: str) -> None:
    """Each `{way}` of a shared hook call has its own run: its prompt, its answer, one start and one end."""
    probe, record, prompts = batching(subject, way, 3, waits=True), OwnRunsRecorder(), _prompts(3)
    async with asking(way, probe.face) as ask:
        tasks = [ask(prompt, {"callbacks": [record]}) for prompt in prompts]
        await _expect_own_answers(probe, prompts, tasks)
    expect_equal(len(probe.calls), 1, "the number of hook calls")
    starts = {event.run_id: event.payload for event in record.starts}
    expect_equal(len(starts), 3, "the number of runs started")
    expect_equal(len(record.ends), 3, "the number of end events")
    ends = {event.run_id: event.payload.generations[0][0].text for event in record.ends}
    for prompt, task in zip(prompts, tasks, strict=True):
        runs = [run_id for run_id, given in starts.items() if given == [probe.model.argument_of(prompt)]]
        expect_equal([ends.get(run_id) for run_id in runs], [task.result()], f"the end events of {prompt!r}'s runs")
