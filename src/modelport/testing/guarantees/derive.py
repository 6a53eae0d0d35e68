"""Guarantee 1, derive: from any one hook all ways to call work, each in the right place."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from modelport.testing.checks import NotApplicable, check, check_each_way, expect, expect_equal
from modelport.testing.conditions import is_shared_loop, is_single_loop
from modelport.testing.gates import in_thread, patiently
from modelport.testing.probe import HookCall
from modelport.testing.subject import Subject
from modelport.testing.ways import ASYNC_WAYS, SYNC_WAYS, WAYS, text_of
from modelport.values.messages import AIMessage, AIMessageChunk

SOURCE = "modelport guarantee 1 (derive); custom LLM guide: sync, async, batch and stream all work"


@check_each_way("derive:{way}:answers", source=SOURCE)
async def answers(subject: Subject, way: str) -> None:
    """`{way}` answers, whichever hook the class has, and gives what its kind of model gives."""
    probe = subject.probe()
    async with patiently(f"`{way}`"):
        results = await WAYS[way].results(probe.face, subject.prompts[0])
    expect(probe.calls, f"`{way}` called none of the hooks")
    pieces = WAYS[way].streams
    wanted: type = (AIMessageChunk if pieces else AIMessage) if subject.is_chat else str
    wrong = [result for result in results if not isinstance(result, wanted)]
    expect(not wrong, f"`{way}` gave {wrong[:1]!r:.200}, which is no {wanted.__name__}")
    empty = pieces and not subject.is_chat and "" in results
    expect(not empty, f"`{way}` gave an empty piece")


@check_each_way("derive:{way}:off-the-loop", source=SOURCE, ways=ASYNC_WAYS)
async def off_the_loop(subject: Subject, way: str) -> None:
    """No sync hook runs on the event loop of a caller of `{way}`."""
    if subject.hook_for(way).is_async:
        raise NotApplicable(f"`{way}` is answered by an async hook")
    probe = subject.probe()
    async with patiently(f"`{way}`"):
        await WAYS[way].results(probe.face, subject.prompts[0])
    expect(probe.calls, f"`{way}` called none of the hooks")
    blocked = [call.hook.name for call in probe.calls if call.on_loop]
    expect(not blocked, f"{blocked} ran on an event loop, which stands still meanwhile")


@check_each_way("derive:{way}:callers-loop", source=SOURCE, ways=ASYNC_WAYS, applies=[is_shared_loop])
async def callers_loop(subject: Subject, way: str) -> None:
    """An async hook runs on the event loop of the caller of `{way}`."""
    if not subject.hook_for(way).is_async:
        raise NotApplicable(f"`{way}` is answered by a sync hook")
    probe = subject.probe()
    async with patiently(f"`{way}`"):
        await WAYS[way].results(probe.face, subject.prompts[0])
    here = asyncio.get_running_loop()
    elsewhere = [call.hook.name for call in probe.calls if call.loop is not here]
    expect(probe.calls and not elsewhere, f"{elsewhere} ran elsewhere than on the caller's loop")


@check_each_way("derive:{way}:background-loop", source=SOURCE, ways=SYNC_WAYS)
async def background_loop(subject: Subject, way: str) -> None:
    """An async hook runs on a loop of the framework's when `{way}` is called from a thread."""
    if not subject.hook_for(way).is_async:
        raise NotApplicable(f"`{way}` is answered by a sync hook")
    probe = subject.probe()
    async with patiently(f"`{way}`"):
        await WAYS[way].results(probe.face, subject.prompts[0])
        await WAYS[way].results(probe.face, subject.prompts[1])
    loops = {call.loop for call in probe.calls}
    strange = None in loops or asyncio.get_running_loop() in loops
    expect(not strange and len(loops) == 1, f"two calls of `{way}` ran on {len(loops)} loops: {loops}")


@check("derive:invoke:callers-thread", source=SOURCE)
async def callers_thread(subject: Subject) -> None:
    """A sync call made inside a coroutine runs in its caller's thread."""
    # A batching model too answers it by this hook: no batch could end while the caller blocks its loop.
    hook = subject.hooks.answer
    if hook is None or hook.is_async:
        raise NotApplicable("`invoke` is answered by an async hook")
    probe = subject.probe()
    probe.face.invoke(subject.prompts[0])
    if probe.calls[0].manager.deadline is not None:
        raise NotApplicable("every call has a deadline, and its hook a thread that can be left when it passes")
    expect_equal(probe.calls[0].thread, threading.get_ident(), "the hook's thread")


@check("derive:any:single-loop", source=SOURCE, applies=[is_single_loop])
async def single_loop(subject: Subject) -> None:
    """With `single_loop = True` every async hook runs on one loop, whoever calls."""
    if not any(hook.is_async for hook in subject.hooks.present.values()):
        raise NotApplicable("the class has no async hook")
    probe = subject.probe()
    for way in WAYS.values():
        async with patiently(f"`{way.name}`"):
            await way.results(probe.face, f"ask by {way.name}")
    loops = {call.loop for call in probe.calls if call.hook.is_async}
    expect_equal(len(loops), 1, "the number of loops that async hooks ran on")


@check("derive:any:two-runs", source=SOURCE)
async def two_runs(subject: Subject) -> None:
    """Two `asyncio.run` in a row work on one model: nothing of a loop is kept on it."""
    probe = subject.probe()

    async def once(prompt: Any) -> str:
        return text_of(await probe.face.ainvoke(prompt))

    for prompt in subject.prompts[:2]:
        async with patiently("`ainvoke` under asyncio.run"):
            answer = await in_thread(lambda prompt=prompt: asyncio.run(once(prompt)))
        expect_equal(answer, probe.given_for(prompt), "the answer")


def _nested_once(call: HookCall, prompt: Any, answers: list[str]) -> None:
    """Call the model from inside its own hook, the first time only."""
    if not answers:
        answers.append("")
        answers[0] = text_of(call.model.invoke(prompt))


async def _anested_once(call: HookCall, prompt: Any, answers: list[str]) -> None:
    if not answers:
        answers.append("")
        answers[0] = text_of(await call.model.ainvoke(prompt))


@check_each_way("derive:{way}:nested-sync", source=SOURCE)
async def nested_sync(subject: Subject, way: str) -> None:
    """A hook that makes a sync call to its own model, under `{way}`, gets an answer: nothing waits for itself."""
    probe, answers = subject.probe(), list[str]()
    probe.on_enter = lambda call: _nested_once(call, subject.prompts[1], answers)
    async with patiently(f"a sync call inside `{way}`"):
        text = await WAYS[way].text(probe.face, subject.prompts[0])
    expect_equal(answers, [probe.given_for(subject.prompts[1])], "the inner answer")
    expect_equal(text, probe.given_for(subject.prompts[0]), "the outer answer")


@check_each_way("derive:{way}:nested-in-worker", source=SOURCE)
async def nested_in_worker(subject: Subject, way: str) -> None:
    """A call of a model from its own hook takes no second slot: `max_concurrency=1` cannot deadlock under `{way}`."""
    probe, answers = subject.probe(), list[str]()
    probe.model.max_concurrency = 1

    def nest(call: HookCall) -> Any:
        if answers:
            return None
        nested = _anested_once if call.hook.is_async else _nested_once
        return nested(call, subject.prompts[1], answers)

    probe.on_enter = nest
    async with patiently(f"a call inside `{way}` with max_concurrency=1"):
        text = await WAYS[way].text(probe.face, subject.prompts[0])
    expect_equal(answers, [probe.given_for(subject.prompts[1])], "the inner answer")
    expect_equal(text, probe.given_for(subject.prompts[0]), "the outer answer")
