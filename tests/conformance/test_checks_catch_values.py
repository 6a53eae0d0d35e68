"""The checks of embedding and image models alike fail when what they are about is cut out."""

from __future__ import annotations

import threading
import time

import pytest

from modelport.engine import bridge_async, cache_keys, caching, driving_async, driving_sync, flights, reading
from modelport.engine.attempt import Attempt
from modelport.engine.flights import Flight, Turn
from modelport.engine.hooks import Hook
from modelport.engine.slots import Slots
from modelport.runs import loops

cuts = pytest.mark.cuts


def _wrapping(drive):
    def wrapped(attempt):
        try:
            return drive(attempt)
        except Exception as error:
            raise RuntimeError("the model failed") from error

    return wrapped


def _awrapping(drive):
    async def wrapped(attempt):
        try:
            return await drive(attempt)
        except Exception as error:
            raise RuntimeError("the model failed") from error

    return wrapped


# --- derive ---------------------------------------------------------------------------------------


@cuts("embedding:*:off-the-loop", of="SyncEmbeddings")
@cuts("image:*:off-the-loop", of="SyncImages")
def test_sync_hooks_run_on_the_loop(patch, caught):
    async def inline(work, context, on_leave, done):
        try:
            return context.run(work)
        finally:
            done()

    patch.everywhere(bridge_async.call_in_thread, inline)
    caught()


@cuts("embedding:*:callers-loop", of="AsyncEmbeddings")
@cuts("image:*:callers-loop", of="AsyncImages")
def test_async_hooks_run_on_another_loop(patch, caught):
    patch.everywhere(driving_async._is_elsewhere, lambda attempt: True)
    caught()


@cuts("embedding:*:background-loop", of="AsyncEmbeddings")
@cuts("image:*:background-loop", of="AsyncImages")
@cuts("embedding:embed:single-loop", "embedding:embed-query:single-loop", of="PinnedEmbeddings")
@cuts("image:generate-images:single-loop", of="PinnedImages")
@cuts("image:edit-images:single-loop", of="PinnedEdits")
def test_every_sync_call_makes_a_loop(patch, caught):
    patch.everywhere(driving_sync.loop_for, lambda attempt: loops.LoopThread("cut", 0))
    caught()


@cuts("embedding:aembed:single-loop", "embedding:aembed-query:single-loop", of="PinnedEmbeddings")
@cuts("image:agenerate-images:single-loop", of="PinnedImages")
@cuts("image:aedit-images:single-loop", of="PinnedEdits")
def test_no_hook_is_pinned(patch, caught):
    patch.everywhere(driving_async._is_elsewhere, lambda attempt: False)
    caught()


@cuts("embedding:*:nested", of="SyncEmbeddings")
@cuts("image:*:nested", of="SyncImages")
@cuts("embedding:*:nested", of="AsyncEmbeddings")
@cuts("image:*:nested", of="AsyncImages")
def test_a_nested_call_takes_a_second_slot(patch, caught):
    acquire, acquire_async = Slots.acquire, Slots.acquire_async
    patch.method(Attempt, "_slots", lambda self: self.state.slots_for(self.call.model.max_concurrency))
    # Nobody waits for ever: the test must not leave threads behind.
    patch.method(Slots, "acquire", lambda self, deadline: acquire(self, time.monotonic() + 0.05))
    patch.method(Slots, "acquire_async", lambda self, deadline: acquire_async(self, time.monotonic() + 0.05))
    caught()


# --- threads, errors ------------------------------------------------------------------------------


@cuts("embedding:*:two-loops", of="SyncEmbeddings")
@cuts("image:*:two-loops", of="SyncImages")
@cuts("embedding:*:two-loops", of="AsyncEmbeddings")
@cuts("image:*:two-loops", of="AsyncImages")
def test_something_of_the_first_loop_is_kept(patch, caught):
    def keep():
        patch.kept.append(threading.current_thread())  # kept alive: numbers are given again
        if patch.kept[0] is not patch.kept[-1]:
            raise RuntimeError("a future belongs to a different loop")

    def kept(attempt, value_of=driving_sync.value_of):
        keep()
        return value_of(attempt)

    async def akept(attempt, avalue_of=driving_async.avalue_of):
        keep()
        return await avalue_of(attempt)

    patch.everywhere(driving_sync.value_of, kept)
    patch.everywhere(driving_async.avalue_of, akept)
    caught()


@cuts("embedding:*:eight-threads", of="SyncEmbeddings")
@cuts("image:*:eight-threads", of="SyncImages")
@cuts("embedding:*:eight-threads", of="AsyncEmbeddings")
@cuts("image:*:eight-threads", of="AsyncImages")
def test_calls_share_their_argument(patch, caught):
    def invoke_hook(self, invoke=Attempt.invoke_hook):
        patch.kept.append((self.argument, self.kwargs))
        self.argument, self.kwargs = patch.kept[0]
        return invoke(self)

    patch.method(Attempt, "invoke_hook", invoke_hook)
    caught()


@cuts("embedding:*:hook-error", of="SyncEmbeddings")
@cuts("image:*:hook-error", of="SyncImages")
@cuts("embedding:*:hook-error", of="AsyncEmbeddings")
@cuts("image:*:hook-error", of="AsyncImages")
def test_errors_are_wrapped(patch, caught):
    patch.everywhere(driving_sync.value_of, _wrapping(driving_sync.value_of))
    patch.everywhere(driving_async.avalue_of, _awrapping(driving_async.avalue_of))
    caught()


@cuts("embedding:*:unknown-keyword", of="SyncEmbeddings")
@cuts("embedding:*:unknown-keyword", of="AllEmbeddings")
@cuts("image:*:unknown-keyword", of="SyncImages")
def test_keywords_are_not_checked(patch, caught):
    patch.method(Hook, "check_keywords", lambda self, kwargs: None)
    caught()


@cuts("embedding:*:secrets", of="AllEmbeddings")
@cuts("image:edit-images:secrets", "image:aedit-images:secrets", of="SecretImages")
@cuts("image:generate-images:secrets", "image:agenerate-images:secrets", of="PinnedImages")
def test_wrong_results_are_shown(patch, caught):
    patch.everywhere(reading.shown, repr)
    caught()


# --- cache ----------------------------------------------------------------------------------------


@cuts("embedding:*:cached", "embedding:*:cache-single-flight", of="SyncEmbeddings")
@cuts("image:*:cached", "image:*:cache-single-flight", of="SyncImages")
@cuts("embedding:*:cached", "embedding:*:cache-single-flight", of="AsyncEmbeddings")
@cuts("image:*:cached", "image:*:cache-single-flight", of="AsyncImages")
@cuts("embedding:*:cache-known-texts", of="SyncEmbeddings")
@cuts("embedding:*:cache-known-texts", of="AsyncEmbeddings")
@cuts("image:*:cache-several", of="SyncImages")
@cuts("image:*:cache-several", of="AsyncImages")
def test_nothing_is_cached(patch, caught):
    patch.everywhere(caching.lookup_for, lambda call: None)
    caught()


@cuts("embedding:*:cache-single-flight", of="SyncEmbeddings")
@cuts("image:*:cache-single-flight", of="SyncImages")
@cuts("embedding:*:cache-single-flight", of="AsyncEmbeddings")
@cuts("image:*:cache-single-flight", of="AsyncImages")
def test_every_miss_leads(patch, caught):
    patch.everywhere(flights.board, lambda cache, key: (Flight((0, key)), Turn.LEAD))
    caught()


@cuts("embedding:*:cache-other-call", of="AllEmbeddings")
@cuts("embedding:*:cache-other-call", of="AsyncEmbeddings")
@cuts("image:*:cache-other-call", of="AsyncImages")
def test_keywords_make_no_part_of_the_key(patch, caught):
    patch.everywhere(cache_keys.key_of, lambda call: repr(call.argument))
    caught()


@cuts("image:*:cache-several", of="SyncImages")
@cuts("image:*:cache-several", of="AsyncImages")
def test_the_images_of_one_call_share_a_key(patch, caught):
    patch.everywhere(cache_keys.key_of, lambda call: repr(call.argument))
    caught()


# --- deadline, cancel, concurrency ----------------------------------------------------------------


@cuts("embedding:*:expires", "embedding:*:queueing", of="SyncEmbeddings")
@cuts("image:*:expires", "image:*:queueing", of="AsyncImages")
def test_deadlines_are_ignored(patch, caught):
    patch.method(Attempt, "deadline", lambda self: None)
    caught()


@cuts("embedding:*:thread-counts", of="SyncEmbeddings")
@cuts("image:*:thread-counts", of="SyncImages")
def test_a_slot_is_free_as_soon_as_its_caller_leaves(patch, caught):
    cancel = Attempt.cancel

    def cancel_and_release(self):
        cancel(self)
        self.release()

    patch.method(Attempt, "cancel", cancel_and_release)
    caught()


@cuts("embedding:*:task", of="SyncEmbeddings")
@cuts("image:*:task", of="SyncImages")
def test_a_cancel_does_not_reach_the_hook(patch, caught):
    patch.method(Attempt, "cancel", lambda self: None)
    caught()


@cuts("embedding:*:max-concurrency", of="SyncEmbeddings")
@cuts("image:*:max-concurrency", of="SyncImages")
@cuts("embedding:*:max-concurrency", of="AsyncEmbeddings")
@cuts("image:*:max-concurrency", of="AsyncImages")
def test_nothing_takes_a_slot(patch, caught):
    patch.method(Attempt, "_slots", lambda self: None)
    caught()
