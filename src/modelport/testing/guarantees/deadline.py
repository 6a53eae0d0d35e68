"""Guarantee 7, deadline: the caller gets `ModelTimeoutError` at once, the hook is told, and the deadline is one."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable, check, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_no_batch, has_stream
from modelport.testing.gates import Gate, in_thread, patiently
from modelport.testing.guarantees.cancel import endless
from modelport.testing.probe import HookCall, Probe
from modelport.testing.subject import Subject
from modelport.testing.ways import BATCHES, STREAMS, WAYS, batch_by
from modelport.values.errors import ModelTimeoutError

SOURCE = "modelport guarantee 7 (deadline)"
_LONG_SECONDS = 3600.0


async def expect_timeout(probe: Probe, way: str, prompt: Any, config: Any) -> None:
    """Fail unless a call runs out of time; what holds the hook back is the caller's business."""
    try:
        async with patiently(f"`{way}` with {config}"):
            await WAYS[way].results(probe.face, prompt, config)
    except TimeoutError as error:
        expect(isinstance(error, ModelTimeoutError), f"the error is {error!r}, no ModelTimeoutError")
        return
    raise CheckFailure(f"`{way}` with {config} raised nothing")


async def time_out(probe: Probe, way: str, prompt: Any) -> HookCall:
    """Let a call run out of time while its hook runs, and return the hook call.

    Where the deadline passes before the hook gets going, a longer one is given.
    """
    for factor in (1, 10, 100):
        await expect_timeout(probe, way, prompt, {"timeout": factor * gates.SOON_SECONDS})
        if probe.calls and (probe.on_piece is None or probe.calls[-1].given):
            return probe.calls[-1]
    raise CheckFailure("the deadline passed before the hook was called")


@check_each_way("deadline:{way}:expires", source=SOURCE)
async def expires(subject: Subject, way: str) -> None:
    """`{way}` with a `timeout` raises `ModelTimeoutError` while the hook still runs, and the hook is told."""
    probe = subject.probe()
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        call = await time_out(probe, way, subject.prompts[0])
        told = lambda: call.ended or all(manager.cancelled for manager in call.managers)  # noqa: E731
        await probe.until(told, "telling the hook that its deadline has passed")


@check_each_way("deadline:{way}:between-chunks", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def between_chunks(subject: Subject, way: str) -> None:
    """The `timeout` of `{way}` lasts to the last chunk, not only to the first."""
    probe = subject.probe()
    probe.script = ["one", "two", "three"]
    with Gate() as gate:
        probe.on_piece = lambda call: gate if call.given else None
        await time_out(probe, way, subject.prompts[0])


@check_each_way("deadline:{way}:first-token", source=SOURCE)
async def first_token(subject: Subject, way: str) -> None:
    """`first_token_timeout` bounds the time to the first chunk of `{way}`."""
    probe = subject.probe()
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        await expect_timeout(probe, way, subject.prompts[0], {"first_token_timeout": gates.SOON_SECONDS})


@check_each_way("deadline:{way}:queueing", source=SOURCE)
async def queueing(subject: Subject, way: str) -> None:
    """The `timeout` of `{way}` includes waiting for a slot of `max_concurrency`."""
    probe = subject.probe()
    probe.model.max_concurrency = 1
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        holder = asyncio.create_task(WAYS[way].results(probe.face, subject.prompts[0]))
        await probe.until(lambda: bool(probe.calls), "calling the hook")
        try:
            await expect_timeout(probe, way, subject.prompts[1], {"timeout": gates.SOON_SECONDS})
        finally:
            gate.open()
            async with patiently("the call that holds the slot"):
                await holder
    expect_equal(len(probe.calls), 1, "the number of hook calls")


@check_each_way("deadline:{way}:thread-counts", source=SOURCE)
async def thread_counts(subject: Subject, way: str) -> None:
    """A sync hook whose caller ran out of time in `{way}` holds its slot until it returns."""
    if subject.hook_for(way).is_async:
        raise NotApplicable(f"`{way}` is answered by an async hook, which is cancelled")
    probe = subject.probe()
    probe.model.max_concurrency = 1
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        await time_out(probe, way, subject.prompts[0])
        await expect_timeout(probe, way, subject.prompts[1], {"timeout": gates.GLANCE_SECONDS})
        expect_equal(len(probe.calls), 1, "the number of hook calls while the first still runs")
    async with patiently("the call after the hook has returned"):
        await WAYS[way].results(probe.face, subject.prompts[1])


@check("deadline:stream:pulled", source=SOURCE, applies=[has_stream])
async def pulled(subject: Subject) -> None:
    """A sync stream is pulled, never read ahead, with a deadline and without."""
    for config in (None, {"timeout": _LONG_SECONDS}):
        probe = endless(subject)

        def read(probe: Probe = probe, config: Any = config) -> int:
            with closing(probe.face.stream(subject.prompts[0], config)) as pieces:
                next(pieces)
                next(pieces)
                return len(probe.calls[0].given)

        async with patiently("`stream`"):
            made = await in_thread(read)
        expect_equal(made, 2, f"how many chunks the hook made for two (config={config})")


@check_each_way("deadline:{way}:inherited", source=SOURCE)
async def inherited(subject: Subject, way: str) -> None:
    """A call that a hook makes under `{way}` inherits its deadline, and cannot set a later one."""
    probe = subject.probe()

    def nest(call: HookCall) -> None:
        if len(probe.calls) == 1:
            call.model.invoke(subject.prompts[1])
            call.model.invoke(subject.prompts[2], {"timeout": 2 * _LONG_SECONDS})

    probe.on_enter = nest
    async with patiently(f"a call inside `{way}`"):
        await WAYS[way].results(probe.face, subject.prompts[0], {"timeout": _LONG_SECONDS})
    deadlines = [call.manager.deadline for call in probe.calls]
    expect(deadlines[0] is not None, "`run_manager.deadline` is None in a call with a timeout")
    expect_equal(deadlines, [deadlines[0]] * 3, "the deadlines of the outer and the inner calls")


@check_each_way("deadline:{way}:shared", source=SOURCE, ways=BATCHES, applies=[has_no_batch])
async def shared(subject: Subject, way: str) -> None:
    """All items of one `{way}` share one deadline."""
    probe = subject.probe()
    async with patiently(f"`{way}`"):
        await batch_by(way, probe.face, subject.prompts, {"timeout": gates.answer_seconds()})
    deadlines = {call.manager.deadline for call in probe.calls}
    expect(None not in deadlines, "an item has no deadline")
    expect_equal(len(deadlines), 1, "the number of different deadlines")
