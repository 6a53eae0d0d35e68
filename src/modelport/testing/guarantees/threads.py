"""Guarantee 14, threads: no global state, right answers under load, and a loop that is not starved."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from modelport.testing.checks import check, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_async_stream, has_stream, is_shared_loop
from modelport.testing.gates import in_thread, patiently
from modelport.testing.probe import Probe
from modelport.testing.recorder import RecordingHandler
from modelport.testing.subject import Subject
from modelport.testing.ways import ASYNC_WAYS, STREAMS, SYNC_WAYS, WAYS, read_pieces, text_of

SOURCE = "modelport guarantee 14 (threads)"
THREADS = 64
_VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("modelport_check", default="unset")


@check_each_way("threads:{way}:sixty-four", source=SOURCE, ways=SYNC_WAYS)
async def sixty_four(subject: Subject, way: str) -> None:
    """64 threads that call one model by `{way}` at once each get their own answer."""
    probe = subject.probe()
    start = threading.Barrier(THREADS)
    prompts = [f"thread {number}" for number in range(THREADS)]

    def ask(prompt: str) -> str:
        start.wait(timeout=30)
        if way == "invoke":
            return text_of(probe.face.invoke(prompt))
        if way == "batch":
            return text_of(probe.face.batch([prompt])[0])
        return "".join(map(text_of, probe.face.stream(prompt)))

    work: list[Callable[[], str]] = [lambda prompt=prompt: ask(prompt) for prompt in prompts]
    async with patiently(f"`{way}` in {THREADS} threads"):
        answers = await asyncio.gather(*(in_thread(one) for one in work))
    wrong = [
        (prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer != probe.given_for(prompt)
    ]
    expect(not wrong, f"{len(wrong)} of {THREADS} answers are wrong, the first: {wrong[:1]}")


@check_each_way("threads:{way}:sixty-four-tasks", source=SOURCE, ways=ASYNC_WAYS)
async def sixty_four_tasks(subject: Subject, way: str) -> None:
    """64 tasks that call one model by `{way}` at once each get their own answer."""
    probe = subject.probe()
    prompts = [f"task {number}" for number in range(THREADS)]
    async with patiently(f"`{way}` in {THREADS} tasks"):
        answers = await asyncio.gather(*(WAYS[way].text(probe.face, prompt) for prompt in prompts))
    wrong = [one for one in zip(prompts, answers, strict=True) if one[1] != probe.given_for(one[0])]
    expect(not wrong, f"{len(wrong)} of {THREADS} answers are wrong, the first: {wrong[:1]}")


@check("threads:astream:gives-turns", source=SOURCE, applies=[has_async_stream, is_shared_loop])
async def gives_turns(subject: Subject) -> None:
    """A ready async hook gives the loop a turn at least every 16 chunks."""
    for config in (None, {"callbacks": [RecordingHandler()]}):
        probe, turns = subject.probe(), 0
        probe.script = ["token "] * 160

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count())
        await asyncio.sleep(0)
        turns = 0
        async with patiently("`astream`"), aclosing(probe.face.astream("x", config)) as pieces:
            async for _ in pieces:
                pass
        other.cancel()
        expect(turns >= 9, f"another task had {turns} turns during 160 chunks; 10 are due")


def _globals() -> dict[str, Any]:
    """Return global state that a careless framework changes."""
    return {
        "environment": dict(os.environ),
        "signal handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "sys.excepthook": sys.excepthook,
        "threading.excepthook": threading.excepthook,
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "working directory": os.getcwd(),
        "root logger": (logging.root.level, list(logging.root.handlers)),
        "warning filters": list(warnings.filters),
        "asyncgen hooks": sys.get_asyncgen_hooks(),
        "context": {var: value for var, value in contextvars.copy_context().items()},  # noqa: C416
    }


@check_each_way("threads:{way}:no-global-state", source=SOURCE)
async def no_global_state(subject: Subject, way: str) -> None:
    """A `{way}` changes no global state: environment, signals, hooks, logging, warnings, context."""
    probe = subject.probe()
    probe.script = ["one ", "two"]
    before = _globals()
    config: list[Any] = [None, {"callbacks": [RecordingHandler()], "timeout": 60}]
    for prompt, one in zip(subject.prompts, config, strict=False):
        async with patiently(f"`{way}`"):
            await _here(probe, way, prompt, one)
    after = _globals()
    changed = [name for name, value in before.items() if after[name] != value]
    expect(not changed, f"changed: {', '.join(changed)}")


async def _here(probe: Probe, way: str, prompt: Any, config: Any) -> None:
    """Call a model in this very task and thread, whose state would change."""
    if way == "invoke":
        probe.face.invoke(prompt, config)
    elif way == "batch":
        probe.face.batch([prompt], config)
    elif way == "stream":
        list(probe.face.stream(prompt, config))
    else:
        await WAYS[way].results(probe.face, prompt, config)


@check_each_way("threads:{way}:own-context", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def own_context(subject: Subject, way: str) -> None:
    """What an observed streaming hook sets in its context does not leak to the consumer of `{way}`."""
    probe = subject.probe()
    probe.script = ["one ", "two ", "three"]
    inside: list[str] = []

    def leak(call: Any) -> None:
        inside.append(_VARIABLE.get())
        _VARIABLE.set("set by the hook")

    probe.on_piece = leak
    config = {"callbacks": [RecordingHandler()]}
    outside: list[str] = []
    async with patiently(f"`{way}`"):
        await read_pieces(way, probe.face, "x", config, lambda _: outside.append(_VARIABLE.get()))
    expect_equal(set(outside), {"unset"}, "the consumer's context variable")
    expect_equal(inside[1:], ["set by the hook"] * 2, "the hook's own context variable")
