"""The checks of events, batches, cancels and deadlines fail when their guarantee is cut out."""

from __future__ import annotations

import contextvars
import threading
import time
from itertools import islice
from uuid import UUID

import pytest

from modelport import GenerationChunk
from modelport.engine import batches, closing, concurrency, driving_sync, read_ahead, reading, telling
from modelport.engine.attempt import Attempt
from modelport.engine.slots import Slots
from modelport.runnables import base as runnables_base
from modelport.runs import llm_run, run, scope
from modelport.runs.run import Run

cuts = pytest.mark.cuts
chatting = {"hooks": "_astream", "chat": True}


async def _nothing(*args):
    pass


# --- order ----------------------------------------------------------------------------------------


@cuts("order:*:token-first")
@cuts("order:*:token-first", **chatting)
def test_tokens_are_told_twice(patch, caught):
    tell = Run.tell_token
    patch.method(Run, "tell_token", lambda self, chunk: [*(tell(self, chunk) or ()), *(tell(self, chunk) or ())])
    caught()


@cuts("order:*:token-first", "order:*:joined-tokens", "order:*:own-tokens")
@cuts("order:*:token-first", "order:*:joined-tokens", "order:*:own-tokens", **chatting)
def test_tokens_are_not_told(patch, caught):
    patch.method(Run, "tell_token", lambda self, chunk: None)
    caught()


@cuts("order:*:one-answer-silent", hooks="_call")
def test_whole_answers_are_told_as_tokens(patch, caught):
    end, aend = Run.end, Run.aend

    def tell_all(self, response):
        self.token(GenerationChunk(response.generations[0][0].text))
        end(self, response)

    async def atell_all(self, response):
        await self.atoken(GenerationChunk(response.generations[0][0].text))
        await aend(self, response)

    patch.method(Run, "end", tell_all)
    patch.method(Run, "aend", atell_all)
    caught()


@cuts("order:invoke:authors-token", hooks="_call")
@cuts("order:ainvoke:authors-token", hooks="_acall")
def test_the_authors_tokens_are_dropped(patch, caught):
    patch.method(llm_run.CallbackManagerForLLMRun, "on_llm_new_token", lambda self, token: None)
    patch.method(llm_run.AsyncCallbackManagerForLLMRun, "on_llm_new_token", lambda self, token: _nothing())
    caught()


@cuts("order:*:authors-token-in-stream")
@cuts("order:*:authors-token-in-stream", **chatting)
def test_the_authors_tokens_in_streams_are_told_too(patch, caught):
    chunk = GenerationChunk("the author's own token")
    patch.method(llm_run.CallbackManagerForLLMRun, "on_llm_new_token", lambda self, token: self.run.token(chunk))
    patch.method(llm_run.AsyncCallbackManagerForLLMRun, "on_llm_new_token", lambda self, token: self.run.atoken(chunk))
    caught()


@cuts("order:*:paired", hooks="_call")
@cuts("order:*:paired")
@cuts("order:*:paired", hooks="_abatch")
def test_ends_are_not_told(patch, caught):
    patch.method(Run, "end", lambda self, response: None)
    patch.method(Run, "aend", _nothing)
    caught()


@cuts("order:*:own-runs")
@cuts("order:*:own-runs", hooks="_batch")
def test_all_runs_have_one_id(patch, caught):
    patch.everywhere(run.uuid4, lambda: UUID(int=1))
    caught()


@cuts("order:*:error-paired", hooks="_call")
@cuts("order:*:error-paired", **chatting)
def test_errors_are_not_told(patch, caught):
    patch.method(Run, "error", lambda self, error, partial: None)
    patch.method(Run, "aerror", _nothing)
    caught()


# --- batch ----------------------------------------------------------------------------------------


@cuts("batch:*:in-order", hooks="_call")
@cuts("batch:*:in-order", **chatting)
def test_results_come_as_they_are_done(patch, caught):
    map_items, amap_items = concurrency.map_items, concurrency.amap_items

    async def reverse(*arguments):
        return (await amap_items(*arguments))[::-1]

    patch.everywhere(map_items, lambda *arguments: map_items(*arguments)[::-1])
    patch.everywhere(amap_items, reverse)
    caught()


@cuts("batch:*:concurrent", "batch:*:isolated", "batch:*:raises-at-the-end", "choices:*:concurrent", hooks="_call")
@cuts("batch:*:concurrent", "batch:*:isolated", "batch:*:raises-at-the-end", "choices:*:concurrent", **chatting)
def test_items_run_one_after_the_other(patch, caught):
    async def one_by_one(work, items, max_concurrency=None):
        return [await work(item) for item in items]

    patch.everywhere(concurrency.map_items, lambda work, items, max_concurrency=None: [work(item) for item in items])
    patch.everywhere(concurrency.amap_items, one_by_one)
    caught()


@cuts("batch:*:limit-of-model", hooks="_call")
@cuts("batch:*:limit-of-model", "batch:*:open-streams-count")
@cuts("batch:*:limit-of-model", "batch:*:open-streams-count", **chatting)
def test_nothing_takes_a_slot(patch, caught):
    patch.method(Attempt, "_slots", lambda self: None)
    caught()


@cuts("batch:*:limit-of-config", hooks="_call")
@cuts("batch:*:limit-of-config", **chatting)
def test_the_configs_limit_is_ignored(patch, caught):
    map_items, amap_items = concurrency.map_items, concurrency.amap_items
    patch.everywhere(map_items, lambda work, items, limit=None: map_items(work, items))
    patch.everywhere(amap_items, lambda work, items, limit=None: amap_items(work, items))
    caught()


@cuts("batch:*:one-hook-call", hooks="_batch")
@cuts("batch:*:one-hook-call", hooks="_abatch", chat=True)
def test_each_prompt_is_a_hook_call(patch, caught):
    patch.everywhere(batches._parts, lambda calls: [[call] for call in calls])
    caught()


@cuts("batch:*:isolated", "batch:*:raises-at-the-end", hooks="_batch")
@cuts("batch:*:isolated", "batch:*:raises-at-the-end", hooks="_abatch", chat=True)
def test_a_failed_slot_is_an_empty_answer(patch, caught):
    outcome = batches._outcome
    blank = lambda result: "" if isinstance(result, BaseException) else result  # noqa: E731
    patch.everywhere(outcome, lambda attempt, result: outcome(attempt, blank(result)))
    caught()


# --- cancel ---------------------------------------------------------------------------------------


@cuts("cancel:stream:closed")
@cuts("cancel:stream:closed", hooks="_stream", chat=True)
def test_abandoned_generators_are_kept_open(patch, caught):
    class KeptOpen:
        def __init__(self, generator):
            self.generator = generator
            patch.kept.append(generator)

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.generator)

    patch.everywhere(reading.iterator_of, lambda generator, label: KeptOpen(generator))
    caught()
    for generator in patch.kept:
        generator.close()


@cuts("cancel:astream:closed", "cancel:astream:break", "cancel:astream:own-thread")
@cuts("cancel:astream:closed", "cancel:astream:break", "cancel:astream:own-thread", hooks="_stream", chat=True)
def test_worker_threads_are_not_told_to_close(patch, caught):
    close = read_ahead.ReadAhead.close
    patch.method(read_ahead.ReadAhead, "close", lambda self: patch.kept.append(self))
    caught()
    for source in patch.kept:
        close(source)


@cuts("cancel:astream:own-thread")
def test_generators_are_closed_in_another_thread(patch, caught):
    close = closing.close_quietly

    def elsewhere(iterator):
        thread = threading.Thread(target=close, args=(iterator,))
        thread.start()
        thread.join()

    patch.everywhere(close, elsewhere)
    caught()


@cuts("cancel:astream:read-ahead")
def test_read_ahead_is_not_bounded(patch, caught):
    patch.method(read_ahead.ReadAhead, "_wait_for_room", lambda self: None)
    caught()


@cuts("cancel:*:task", hooks="_call")
def test_a_cancel_does_not_reach_the_hook(patch, caught):
    patch.method(Attempt, "cancel", lambda self: None)
    caught()


@cuts("cancel:*:end-event", "cancel:*:timeout-event", "cancel:*:own-answer")
@cuts("cancel:*:end-event", "cancel:*:timeout-event", "cancel:*:own-answer", **chatting)
@cuts("cancel:*:timeout-event", hooks="_batch")
def test_a_cancel_is_an_error(patch, caught):
    patch.everywhere(telling.is_cut_short, lambda error: False)
    caught()


@cuts("cancel:*:slot-freed")
@cuts("cancel:*:slot-freed", **chatting)
def test_slots_are_not_given_back(patch, caught):
    acquire, acquire_async = Slots.acquire, Slots.acquire_async
    patch.method(Slots, "release", lambda self: None)
    # Nobody waits for ever: the test must not leave threads behind.
    patch.method(Slots, "acquire", lambda self, deadline: acquire(self, time.monotonic() + 0.05))
    patch.method(Slots, "acquire_async", lambda self, deadline: acquire_async(self, time.monotonic() + 0.05))
    caught()


# --- deadline -------------------------------------------------------------------------------------


@cuts("deadline:*:expires", "deadline:*:first-token", "deadline:*:queueing", hooks="_call")
@cuts("deadline:*:expires", "deadline:*:between-chunks", "deadline:*:first-token")
@cuts("deadline:*:expires", "deadline:*:between-chunks", "deadline:*:queueing", **chatting)
def test_deadlines_are_ignored(patch, caught):
    patch.method(Attempt, "deadline", lambda self: None)
    caught()


@cuts("deadline:*:thread-counts", hooks="_call")
@cuts("deadline:*:thread-counts", hooks="_batch")
def test_a_slot_is_free_as_soon_as_its_caller_leaves(patch, caught):
    cancel = Attempt.cancel

    def cancel_and_release(self):
        cancel(self)
        self.release()

    patch.method(Attempt, "cancel", cancel_and_release)
    caught()


@cuts("deadline:stream:pulled")
@cuts("deadline:stream:pulled", **chatting)
def test_sync_streams_are_read_ahead(patch, caught):
    def ahead(attempt, pieces_of=driving_sync.pieces_of):
        pieces = pieces_of(attempt)
        while some := list(islice(pieces, 10)):
            yield from some

    patch.everywhere(driving_sync.pieces_of, ahead)
    caught()


@cuts("deadline:*:inherited", hooks="_call")
@cuts("deadline:*:inherited", **chatting)
def test_every_call_has_its_own_deadline(patch, caught):
    scope_of = scope.scope_of
    patch.everywhere(scope_of, lambda config: contextvars.Context().run(scope_of, config))
    caught()


@cuts("deadline:*:shared", hooks="_call")
def test_every_item_has_its_own_deadline(patch, caught):
    patch.everywhere(runnables_base.configs_for, lambda inputs, config: ([config] * len(inputs), None))
    caught()
