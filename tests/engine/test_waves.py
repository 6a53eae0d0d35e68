"""Many prompts run at once: their hooks meet at a barrier that only a single wave can pass."""

from __future__ import annotations

import asyncio
import threading

import pytest
from pydantic import PrivateAttr

from modelport import LLM
from modelport.engine.concurrency import BATCH_THREADS

WAVE = 8
PROMPTS = [f"prompt {number}" for number in range(WAVE)]


class Meeting(LLM):
    """Its hook returns once `WAVE` calls are inside at the same time."""

    _barrier: threading.Barrier = PrivateAttr(default_factory=lambda: threading.Barrier(WAVE, timeout=20))

    def _call(self, prompt):
        self._barrier.wait()
        return prompt.upper()


class AsyncMeeting(LLM):
    _inside: int = PrivateAttr(0)
    _all_inside: list[asyncio.Event] = PrivateAttr(default_factory=list)

    async def _acall(self, prompt):
        if not self._inside:
            self._all_inside.append(asyncio.Event())
        self._inside += 1
        if self._inside == WAVE:
            self._all_inside[-1].set()
        async with asyncio.timeout(20):
            await self._all_inside[-1].wait()
        return prompt.upper()


@pytest.mark.parametrize("model", [Meeting, AsyncMeeting])
def test_batch_runs_eight_blocking_calls_in_one_wave(model):
    assert model().batch(PROMPTS) == [prompt.upper() for prompt in PROMPTS]


@pytest.mark.parametrize("model", [Meeting, AsyncMeeting])
async def test_abatch_runs_eight_blocking_calls_in_one_wave(model):
    assert await model().abatch(PROMPTS) == [prompt.upper() for prompt in PROMPTS]


@pytest.mark.parametrize("model", [Meeting, AsyncMeeting])
def test_generate_runs_eight_choices_in_one_wave(model):
    result = model().generate(["prompt"], n=WAVE)
    assert [choice.text for choice in result.generations[0]] == ["PROMPT"] * WAVE


async def test_eight_tasks_over_a_blocking_hook_run_in_one_wave():
    model = Meeting()
    answers = await asyncio.gather(*(model.ainvoke(prompt) for prompt in PROMPTS))
    assert answers == [prompt.upper() for prompt in PROMPTS]


async def test_the_loop_goes_on_while_blocking_hooks_run():
    class Waiting(LLM):
        _go: threading.Event = PrivateAttr(default_factory=threading.Event)

        def _call(self, prompt):
            assert self._go.wait(timeout=20)
            return prompt

    model = Waiting()
    task = asyncio.create_task(model.ainvoke("hello"))
    await asyncio.sleep(0)
    # Only a loop that is free gets here to let the hook go.
    asyncio.get_running_loop().call_soon(model._go.set)
    assert await task == "hello"


def test_a_batch_larger_than_its_threads_answers_in_order():
    model = Meeting()
    prompts = [f"prompt {number}" for number in range(2 * BATCH_THREADS)]
    assert model.batch(prompts) == [prompt.upper() for prompt in prompts]


def test_a_batch_of_one_needs_no_other_thread():
    class Where(LLM):
        def _call(self, prompt):
            return str(threading.get_ident())

    assert Where().batch(["x"]) == [str(threading.get_ident())]


def test_an_interrupt_in_one_item_ends_the_batch():
    class Interrupted(LLM):
        def _call(self, prompt):
            if prompt == "interrupt":
                raise KeyboardInterrupt
            return prompt

    with pytest.raises(KeyboardInterrupt):
        Interrupted().batch(["a", "interrupt", "b"])
