"""The checks of composition fail when what they are about is cut out."""

from __future__ import annotations

import pytest

from modelport.engine import concurrency
from modelport.runnables import fallbacks, interleaving, parallel, retry
from modelport.runnables.attempted import AttemptedRunnable
from modelport.runnables.branch import RunnableBranch
from modelport.runnables.parsers import StrOutputParser
from modelport.runnables.timeout import RunnableWithTimeout
from modelport.runs.scope import Scope, scope_of

cuts = pytest.mark.cuts
chatting = {"hooks": "_astream", "chat": True}


@cuts("compose:*:retry", "compose:*:retry-ends", hooks="_call")
@cuts("compose:*:retry", "compose:*:retry-ends", **chatting)
def test_nothing_is_tried_again(patch, caught):
    patch.method(retry._Retries, "ends_with", lambda self, failure: True)
    caught()


@cuts("compose:invoke:retry-ends", "compose:ainvoke:retry-ends", "compose:*stream:retry-ends")
def test_the_last_failure_is_wrapped(patch, caught):
    ends_with = retry._Retries.ends_with

    def wrap(self, failure):
        if ends_with(self, failure):
            raise RuntimeError("all attempts failed") from failure
        return False

    patch.method(retry._Retries, "ends_with", wrap)
    caught()


@cuts("compose:*:retry-until-chunk", "compose:*:fallback-until-chunk")
@cuts("compose:*:retry-until-chunk", "compose:*:fallback-until-chunk", **chatting)
def test_streams_start_anew_after_their_first_chunk(patch, caught):
    def pieces(self, make, scope, replay=None):
        attempts = self.attempts(scope)
        while True:
            attempts.begin()
            try:
                yield from make(attempts, replay)
            except Exception as failure:
                if attempts.ends_with(failure):
                    raise
            else:
                return

    async def apieces(self, make, scope, replay=None):
        attempts = self.attempts(scope)
        while True:
            await attempts.abegin()
            try:
                async for piece in make(attempts, replay):
                    yield piece
            except Exception as failure:
                if attempts.ends_with(failure):
                    raise
            else:
                return

    patch.method(AttemptedRunnable, "_pieces", pieces)
    patch.method(AttemptedRunnable, "_apieces", apieces)
    caught()


@cuts("compose:*:fallback", hooks="_call")
@cuts("compose:*:fallback", **chatting)
def test_no_fallback_is_called(patch, caught):
    patch.method(fallbacks._Choices, "ends_with", lambda self, failure: True)
    caught()


@cuts("compose:*:timeout", hooks="_call")
@cuts("compose:*:timeout", **chatting)
def test_timeouts_are_ignored(patch, caught):
    patch.method(RunnableWithTimeout, "_scope", lambda self, config, *, whole: scope_of(config) or Scope())
    caught()


@cuts("compose:*:parallel", hooks="_call")
@cuts("compose:*:parallel", **chatting)
def test_steps_run_one_after_the_other(patch, caught):
    map_items, all_of = concurrency.map_items, parallel._all_of
    interleaved, ainterleaved = interleaving.interleaved, interleaving.ainterleaved
    patch.everywhere(map_items, lambda work, items, limit=None: map_items(work, items, 1))
    patch.everywhere(all_of, lambda work, keys, limit: all_of(work, keys, 1))
    patch.everywhere(interleaved, lambda *facts, **more: interleaved(*facts, **{**more, "limit": 1}))
    patch.everywhere(ainterleaved, lambda *facts, **more: ainterleaved(*facts, **{**more, "limit": 1}))
    caught()


@cuts("compose:*:branch", hooks="_call")
@cuts("compose:*:branch", **chatting)
def test_conditions_are_not_asked(patch, caught):
    async def adefault(self, value, config_of):
        return self.default, "branch:default"

    patch.method(RunnableBranch, "_choose", lambda self, value, config_of: (self.default, "branch:default"))
    patch.method(RunnableBranch, "_achoose", adefault)
    caught()


@cuts("compose:*:text", **chatting)
def test_the_parser_gives_what_it_gets(patch, caught):
    patch.method(StrOutputParser, "parse", lambda self, value: value)
    caught()


@cuts("compose:stream:text", "compose:astream:text")
def test_the_parser_waits_for_the_last_piece(patch, caught):
    def pieces(self, given):
        yield "".join(given)

    async def apieces(self, given):
        yield "".join([piece async for piece in given])

    patch.method(StrOutputParser, "_pieces", pieces)
    patch.method(StrOutputParser, "_apieces", apieces)
    caught()
