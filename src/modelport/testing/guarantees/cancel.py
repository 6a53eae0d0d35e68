"""Guarantee 6, cancel: whoever leaves, the hook hears of it, and the end event says so."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing
from itertools import islice
from typing import Any

from modelport.engine.read_ahead import READ_AHEAD_CHUNKS
from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable, check, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_stream, has_sync_stream
from modelport.testing.gates import Gate, in_thread, patiently
from modelport.testing.probe import HookCall, Probe
from modelport.testing.recorder import OwnRunsRecorder
from modelport.testing.subject import Subject
from modelport.testing.ways import ASYNC_WAYS, STREAMS, WAYS, text_of
from modelport.values.errors import ModelTimeoutError
from modelport.values.generations import LLMResult

SOURCE = "modelport guarantee 6 (cancel)"
_LENGTH_TOKENS = 10_000
_TAKEN = 2
_SLACK = 2
"""How many tokens more a model may make before it is stopped."""


def endless(subject: Subject) -> Probe:
    """Return a probe whose hook answers many tokens."""
    probe = subject.probe()
    probe.script = ["token "] * _LENGTH_TOKENS
    return probe


def ahead(subject: Subject, way: str) -> int:
    """Return how many tokens the hook may be ahead of the consumer."""
    sync_under_async = way == "astream" and not subject.hook_for(way).is_async
    return READ_AHEAD_CHUNKS if sync_under_async else 0


async def abandon(way: str, model: Any, prompt: Any, config: Any = None, *, pieces: int = _TAKEN) -> list[str]:
    """Take some pieces of a stream, when it has as many, close it, and return them."""

    def read() -> list[str]:
        with closing(model.stream(prompt, config)) as stream:
            return [text_of(piece) for piece in islice(stream, pieces)]

    async with patiently(f"leaving `{way}`"):
        if way == "stream":
            return await in_thread(read)
        taken: list[str] = []
        async with aclosing(model.astream(prompt, config)) as stream:
            async for piece in stream:
                taken.append(text_of(piece))
                if len(taken) == pieces:
                    break
        return taken


@check_each_way("cancel:{way}:closed", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def closed(subject: Subject, way: str) -> None:
    """A `{way}` that is closed after two tokens stops a model of 10,000 within a token or two."""
    probe = endless(subject)
    await abandon(way, probe.face, subject.prompts[0])
    await probe.until(lambda: probe.calls[0].ended, f"closing the hook of an abandoned `{way}`")
    most = _TAKEN + _SLACK + ahead(subject, way)
    made = len(probe.calls[0].given)
    expect(made <= most, f"the hook made {made} tokens; {most} are enough")
    expect(probe.calls[0].told, "the hook was not told that its consumer has left")


@check_each_way("cancel:{way}:own-answer", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def own_answer(subject: Subject, way: str) -> None:
    """A `{way}` of the author's own answer that is left after one piece ends the hook, with an end event, no error."""
    probe, record = subject.probe(), OwnRunsRecorder()
    prompt = max(subject.prompts, key=lambda one: len(str(one)))
    taken = await abandon(way, probe.face, prompt, {"callbacks": [record]}, pieces=1)
    if not taken:
        raise NotApplicable("the hook gave no piece")
    await probe.until(lambda: probe.calls[0].ended, f"closing the hook of an abandoned `{way}`")
    await probe.until(lambda: bool(record.ends or record.failures), "firing the end event")
    expect(not record.failures, "an error event was fired for a consumer who left")


@check("cancel:astream:break", source=SOURCE, applies=[has_stream])
async def left_by_break(subject: Subject) -> None:
    """A `break` out of `async for` over `astream` closes the hook."""
    probe = endless(subject)

    async def read() -> None:
        async for _ in probe.face.astream(subject.prompts[0]):
            break

    async with patiently("`astream`"):
        await read()
    await probe.until(lambda: probe.calls[0].ended, "closing the hook after `break`")


@check("cancel:astream:read-ahead", source=SOURCE, applies=[has_sync_stream])
async def read_ahead(subject: Subject) -> None:
    """A sync generator under `astream` is never more than its read-ahead (64 chunks) ahead of the consumer."""
    probe = endless(subject)
    taken, crowd = 0, Gate()

    def look(call: HookCall) -> None:
        if len(call.given) > taken + READ_AHEAD_CHUNKS + 1:
            crowd.open()

    probe.on_piece = look
    async with patiently("`astream`"), aclosing(probe.face.astream(subject.prompts[0])) as pieces:
        async for _ in pieces:
            taken += 1
            # A moment in which the hook could run ahead: at the first chunk, and once a whole read-ahead was taken.
            if taken in (1, READ_AHEAD_CHUNKS + 6):
                await crowd.wait_async(gates.GLANCE_SECONDS)
            if crowd.is_open or taken > READ_AHEAD_CHUNKS + 10:
                break
    expect(not crowd.is_open, f"the hook was more than {READ_AHEAD_CHUNKS} chunks ahead of its consumer")


@check("cancel:astream:own-thread", source=SOURCE, applies=[has_sync_stream])
async def own_thread(subject: Subject) -> None:
    """A sync generator under `astream` is closed in the thread that runs it."""
    probe = endless(subject)
    await abandon("astream", probe.face, subject.prompts[0])
    call = probe.calls[0]
    await probe.until(lambda: call.ended, "closing the hook")
    expect_equal(call.closing_thread, call.thread, "the thread that closed the generator")


@check_each_way("cancel:{way}:task", source=SOURCE, ways=ASYNC_WAYS)
async def task_cancelled(subject: Subject, way: str) -> None:
    """Cancelling the task that waits for `{way}` reaches the hook at once."""
    probe = subject.probe()
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        task = asyncio.create_task(WAYS[way].results(probe.face, subject.prompts[0]))
        await probe.until(lambda: bool(probe.calls), "calling the hook")
        task.cancel()
        async with patiently(f"a cancelled `{way}`"):
            await asyncio.wait([task])
        expect(task.cancelled(), f"the task of `{way}` was not cancelled: {task!r:.200}")
        told = lambda: all(manager.cancelled for manager in probe.calls[0].managers)  # noqa: E731
        await probe.until(lambda: told() or probe.calls[0].ended, "telling the hook that nobody waits any more")


def _is_marked(response: LLMResult) -> bool:
    return response.llm_output is not None and response.llm_output.get("cancelled") is True


@check_each_way("cancel:{way}:end-event", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def end_event(subject: Subject, way: str) -> None:
    """The end event of an abandoned `{way}` carries what was produced, marked cancelled; there is no error event."""
    probe, record = endless(subject), OwnRunsRecorder()
    taken = await abandon(way, probe.face, subject.prompts[0], {"callbacks": [record]})
    await probe.until(lambda: bool(record.ends or record.failures), "firing the end event")
    expect(not record.failures, "an error event was fired")
    expect_equal(len(record.ends), 1, "the number of end events")
    response = record.ends[0].payload
    expect_equal(response.generations[0][0].text, "".join(taken), "the text of the end event")
    marked = _is_marked(response)
    expect(marked, f"the end event is not marked cancelled: {response.llm_output}")


@check_each_way("cancel:{way}:timeout-event", source=SOURCE)
async def timeout_event(subject: Subject, way: str) -> None:
    """A `{way}` that runs out of time fires an end event, marked cancelled, and no error event."""
    probe = subject.probe()
    for factor in (1, 10, 100):
        record = OwnRunsRecorder()
        config = {"callbacks": [record], "timeout": factor * gates.SOON_SECONDS}
        with Gate() as gate:
            probe.on_enter = lambda call, gate=gate: gate
            try:
                async with patiently(f"`{way}`"):
                    await WAYS[way].results(probe.face, subject.prompts[0], config)
            except ModelTimeoutError:
                pass
            else:
                raise NotApplicable(f"`{way}` does not run out of time")
        if probe.calls:
            return _expect_marked_end(record)
    raise CheckFailure("the deadline passed before the hook was called")


def _expect_marked_end(record: OwnRunsRecorder) -> None:
    names = [event.name for event in record.events]
    expect(len(record.ends) == 1 and not record.failures, f"the events are {names}")
    marked = _is_marked(record.ends[0].payload)
    expect(marked, "the end event is not marked cancelled")


@check_each_way("cancel:{way}:slot-freed", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def slot_freed(subject: Subject, way: str) -> None:
    """An abandoned `{way}` gives its slot of `max_concurrency` back."""
    probe = endless(subject)
    probe.model.max_concurrency = 1
    await abandon(way, probe.face, subject.prompts[0])
    probe.script = ["next"]
    async with patiently("the call after an abandoned stream"):
        text = await WAYS[way].text(probe.face, subject.prompts[1])
    expect_equal(text, "next", "the answer of the next call")
