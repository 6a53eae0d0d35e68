"""The checks of ways to call, parity and stop strings fail when their guarantee is cut out."""

from __future__ import annotations

import asyncio
import contextvars
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelport import LLM
from modelport.engine import answers, bridge_async, driving_async, driving_sync, read_ahead
from modelport.engine import stop as engine_stop
from modelport.engine.attempt import Attempt
from modelport.engine.output import Output
from modelport.engine.slots import Slots
from modelport.engine.stop import StopFilter
from modelport.models.chat import ChatModel
from modelport.runs import loops
from modelport.values.messages import HumanMessage

cuts = pytest.mark.cuts


class Pinned(LLM):
    """Has a client that is bound to one loop."""

    single_loop = True

    async def _acall(self, prompt):
        return prompt


class Agreeing(LLM):
    """Gives one answer by every hook."""

    def _call(self, prompt):
        return "the answer"

    async def _acall(self, prompt):
        return "the answer"

    def _stream(self, prompt):
        yield "the answer"

    async def _astream(self, prompt):
        yield "the answer"

    def _batch(self, prompts):
        return ["the answer"] * len(prompts)


# --- derive ---------------------------------------------------------------------------------------


@cuts("derive:*stream:answers", hooks="_call")
@cuts("derive:*invoke:answers", "derive:*batch:answers")
def test_only_the_hook_of_the_same_kind_answers(patch, caught):
    def refuse(*args, **kwargs):
        raise NotImplementedError("there is no such hook")

    patch.everywhere(answers.open_attempt, refuse)
    caught()


@cuts("derive:*:off-the-loop", hooks="_call")
def test_sync_hooks_run_on_the_loop(patch, caught):
    async def inline(work, context, on_leave, done):
        try:
            return context.run(work)
        finally:
            done()

    patch.everywhere(bridge_async.call_in_thread, inline)
    caught()


@cuts("derive:astream:off-the-loop")
def test_sync_generators_run_on_the_loop(patch, caught):
    class Inline:
        def __init__(self, make, context, done):
            self.pieces = context.run(lambda: list(make()))
            done()

        async def take(self):
            pieces, self.pieces = self.pieces, []
            return pieces

        async def take_before(self, deadline):
            return await self.take()

        def close(self):
            pass

    patch.everywhere(read_ahead.ReadAhead, Inline)
    caught()


@cuts("derive:*:callers-loop", hooks="_astream", chat=True)
def test_async_hooks_run_on_another_loop(patch, caught):
    patch.everywhere(driving_async._is_elsewhere, lambda attempt: True)
    caught()


@cuts("derive:*:background-loop", hooks="_astream")
def test_every_sync_call_makes_a_loop(patch, caught):
    patch.everywhere(driving_sync.loop_for, lambda attempt: loops.LoopThread("cut", 0))
    caught()


@cuts("derive:invoke:callers-thread", hooks="_call", chat=True)
def test_sync_hooks_run_in_a_worker(patch, caught):
    def elsewhere(attempt, value_of=driving_sync.value_of):
        with ThreadPoolExecutor(1) as worker:
            return worker.submit(contextvars.copy_context().run, value_of, attempt).result()

    patch.everywhere(driving_sync.value_of, elsewhere)
    caught()


@cuts("derive:any:single-loop", make=Pinned)
def test_no_hook_is_pinned(patch, caught):
    patch.everywhere(driving_async._is_elsewhere, lambda attempt: False)
    caught()


@cuts("derive:any:two-runs", hooks="_call")
def test_something_of_the_first_loop_is_kept(patch, caught):
    async def kept(attempt, avalue_of=driving_async.avalue_of):
        patch.kept.append(asyncio.get_running_loop())
        if patch.kept[0] is not patch.kept[-1]:
            raise RuntimeError("a future belongs to a different loop")
        return await avalue_of(attempt)

    patch.everywhere(driving_async.avalue_of, kept)
    caught()


@cuts("derive:*:nested-sync", hooks="_acall")
def test_async_hooks_run_by_asyncio_run(patch, caught):
    def naive(coroutine, **facts):
        try:
            return asyncio.run(coroutine)
        finally:
            coroutine.close()
            if "done" in facts:
                facts["done"]()

    patch.everywhere(loops.run_on_background_loop, naive)
    caught()


@cuts("derive:*:nested-in-worker", hooks="_call")
@cuts("derive:*:nested-in-worker", hooks="_acall")
def test_a_nested_call_takes_a_second_slot(patch, caught):
    acquire, acquire_async = Slots.acquire, Slots.acquire_async
    patch.method(Attempt, "_slots", lambda self: self.state.slots_for(self.call.model.max_concurrency))
    # Nobody waits for ever: the test must not leave threads behind.
    patch.method(Slots, "acquire", lambda self, deadline: acquire(self, time.monotonic() + 0.05))
    patch.method(Slots, "acquire_async", lambda self, deadline: acquire_async(self, time.monotonic() + 0.05))
    caught()


# --- parity ---------------------------------------------------------------------------------------


@cuts("parity:*:same-text", "parity:*:in-company", make=Agreeing)
def test_the_authors_hooks_disagree(patch, caught):
    patch.method(Agreeing, "_call", lambda self, prompt: "another answer")
    caught()


@cuts("parity:invoke:prompt-value", hooks="_call")
def test_prompt_values_are_printed(patch, caught):
    patch.method(LLM, "argument_of", lambda self, value: value if isinstance(value, str) else repr(value))
    caught()


@cuts("parity:invoke:message-forms", hooks="_call", chat=True)
def test_messages_are_printed(patch, caught):
    patch.method(ChatModel, "argument_of", lambda self, value: [HumanMessage(repr(value))])
    caught()


# --- stop -----------------------------------------------------------------------------------------


@cuts("stop:*:cut", "stop:*:excluded")
@cuts("stop:*:cut", "stop:*:excluded", hooks="_call")
@cuts("stop:*:cut", "stop:*:excluded", hooks="_astream", chat=True)
@cuts("stop:*:cut", "stop:*:excluded", hooks="_abatch")
def test_stop_strings_are_not_looked_for(patch, caught):
    patch.method(StopFilter, "push", lambda self, text: text)
    caught()


@cuts("stop:*:across-chunks")
@cuts("stop:*:across-chunks", hooks="_astream", chat=True)
def test_each_chunk_is_looked_at_alone(patch, caught):
    push = StopFilter.push

    def alone(self, text):
        released = push(self, text)
        held, self._held = self._held, ""
        return released + held

    patch.method(StopFilter, "push", alone)
    caught()


@cuts("stop:*:false-start")
def test_what_was_held_back_is_lost(patch, caught):
    push = StopFilter.push

    def forget(self, text):
        released = push(self, text)
        self._held = self._held[:1]
        return released

    patch.method(StopFilter, "push", forget)
    caught()


def _first_listed(text, stop):
    return next(((text.find(one), text.find(one) + len(one)) for one in stop if one in text), None)


@cuts("stop:*:first-wins", hooks="_call")
def test_the_first_of_the_list_wins(patch, caught):
    patch.everywhere(engine_stop.find_stop, _first_listed)
    caught()


@cuts("stop:invoke:literal", hooks="_call")
def test_stop_strings_are_patterns(patch, caught):
    def cut_by_pattern(self, text):
        found = [match.span() for one in self._stop if (match := re.search(one, text))]
        return self._cut(text, found[0]) if found else text

    patch.method(StopFilter, "push", cut_by_pattern)
    caught()


@cuts("stop:*:one-string", hooks="_call")
def test_a_string_is_a_list_of_letters(patch, caught):
    patch.everywhere(engine_stop.normalise_stop, lambda stop: list(stop) if stop else None)
    caught()


@cuts("stop:*:empty-refused", hooks="_call")
def test_an_empty_stop_string_is_dropped(patch, caught):
    patch.everywhere(engine_stop.normalise_stop, lambda stop: [one for one in stop or () if one] or None)
    caught()


@cuts("stop:*:model-closed", "usage:*:model-closed")
@cuts("stop:*:model-closed", "usage:*:model-closed", hooks="_astream", chat=True)
def test_the_model_runs_on_after_the_cut(patch, caught):
    push = Output.push

    def run_on(self, value):
        if self in patch.kept:
            return None
        chunk = push(self, value)
        if self.cut:
            patch.kept.append(self)
            self.cut = False
        return chunk

    patch.method(Output, "push", run_on)
    caught()


@cuts("stop:*:nothing-held")
def test_everything_is_held_to_the_end(patch, caught):
    def hold(self, text):
        self._held += text
        return ""

    patch.method(StopFilter, "push", hold)
    caught()


@cuts("stop:*:not-implemented", hooks="_call")
@cuts("stop:*:not-implemented", hooks="_stream _abatch")
def test_a_hook_is_not_called_again(patch, caught):
    patch.method(Attempt, "may_retry_without_stop", lambda self: False)
    caught()
