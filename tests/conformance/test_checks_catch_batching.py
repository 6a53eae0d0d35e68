"""The checks of dynamic batching fail when their guarantee is cut out."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest

from modelport.engine import batcher, reading
from modelport.engine.batch_item import Batch, Item
from modelport.engine.batcher import Batcher
from modelport.runs import run

cuts = pytest.mark.cuts


@cuts("batch:*:shared-calls", "batch:*:waits-for-company", "batch:*:item-runs", hooks="_batch")
@cuts("batch:*:shared-calls", "batch:*:waits-for-company", hooks="_abatch", chat=True)
def test_single_calls_are_answered_one_by_one(patch, caught):
    patch.everywhere(batcher.batcher_for, lambda *facts, **more: None)
    caught()


@cuts("batch:*:shared-calls", hooks="_batch")
@cuts("batch:*:shared-calls", hooks="_abatch")
def test_batches_are_of_any_size(patch, caught):
    take = Batcher._take

    def take_all(self):
        model, self._model = self._model, SimpleNamespace(max_batch_size=None, max_concurrency=None)
        try:
            return take(self)
        finally:
            self._model = model

    patch.method(Batcher, "_take", take_all)
    caught()


@cuts("batch:*:lone-call", hooks="_batch")
@cuts("batch:*:lone-call", hooks="_abatch")
def test_an_idle_model_waits_for_company_unasked(patch, caught):
    enter = Batcher._enter

    def wait(self, items):
        self._model.max_wait_ms = 300
        return enter(self, items)

    patch.method(Batcher, "_enter", wait)
    caught()


@cuts("batch:invoke:lone-call", "batch:stream:lone-call", hooks="_batch")
def test_a_lone_call_runs_in_another_thread(patch, caught):
    patch.method(Batcher, "_drive", lambda self, own: self._start_next())
    caught()


@cuts("batch:*:equal-only", hooks="_batch")
@cuts("batch:*:equal-only", hooks="_abatch", chat=True)
def test_different_calls_share_a_hook_call(patch, caught):
    patch.method(Item, "shares_with", lambda self, other: True)
    caught()


@cuts("batch:*:queued-leaves", "batch:*:running-leaves", "batch:*:all-left", "batch:*:own-deadline", hooks="_batch")
@cuts("batch:*:queued-leaves", "batch:*:running-leaves", "batch:*:all-left", "batch:*:own-deadline", hooks="_abatch")
def test_nobody_leaves(patch, caught):
    patch.method(Item, "leave", lambda self, result=None: None)
    caught()


@cuts("batch:*:running-leaves", "batch:*:own-deadline", hooks="_batch")
@cuts("batch:*:running-leaves", "batch:*:own-deadline", hooks="_abatch")
def test_whoever_leaves_takes_all_others_along(patch, caught):
    leave = Item.leave

    def leave_together(self, result=None):
        for item in self.batch.items if self.batch is not None else [self]:
            leave(item, result)

    patch.method(Item, "leave", leave_together)
    caught()


@cuts("batch:*:all-left", hooks="_abatch")
def test_a_batch_that_everybody_has_left_runs_on(patch, caught):
    patch.method(Batch, "call_off", lambda self: None)
    caught()


@cuts("batch:*:slot-fails-alone", hooks="_batch")
@cuts("batch:*:slot-fails-alone", hooks="_abatch", chat=True)
def test_one_failure_fails_the_batch(patch, caught):
    results_of = reading.results_of

    def all_or_nothing(*facts):
        results = results_of(*facts)
        for one in results:
            if isinstance(one, BaseException):
                raise one
        return results

    patch.everywhere(results_of, all_or_nothing)
    caught()


@cuts("batch:*:item-runs", hooks="_batch")
@cuts("batch:*:item-runs", hooks="_abatch", chat=True)
def test_all_items_have_one_run(patch, caught):
    patch.everywhere(run.uuid4, lambda: UUID(int=1))
    caught()
