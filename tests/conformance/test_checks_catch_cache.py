"""The checks of the cache fail when their guarantee is cut out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from modelport import LLM, Generation
from modelport.engine import cache_entries, cache_keys, caching, flights, replaying
from modelport.engine.caching import Lookup
from modelport.engine.flights import Flight, Turn
from modelport.engine.telling import Telling
from modelport.testing import EchoLLM

cuts = pytest.mark.cuts
chatting = {"hooks": "_astream", "chat": True}


class Keyed(LLM):
    """Has a key, and gives it away."""

    api_key: SecretStr = SecretStr("sk-secret")
    """The key."""

    def _call(self, prompt):
        return prompt


# What a key is made of.
PARTS: dict[str, Callable[[Any], Any]] = {
    "prompt": lambda call: str(call.argument),
    "fields": lambda call: vars(call.model).get("size"),
    "stop": lambda call: call.stop,
    "include_stop": lambda call: call.include_stop,
    "max_tokens": lambda call: call.max_tokens,
    "keywords": lambda call: [(name, type(value), value) for name, value in call.kwargs.items()],
    "choice": lambda call: call.choice,
}


def key_without(missing: str | None) -> Callable[[Any], str]:
    return lambda call: repr([part(call) for name, part in PARTS.items() if name != missing])


class Taking(LLM):
    """Takes every keyword."""

    def _stream(self, prompt, **kwargs):
        yield from prompt

    def _batch(self, prompts, **kwargs):
        return list(prompts)


@cuts("cache:*:read", "cache:*:filled", "cache:*:replayed", "cache:*:choices", "cache:*:hit-events")
@cuts("cache:*:single-flight", "cache:*:next-after-failure", "cache:*:next-after-cancel")
@cuts("cache:*:read", "cache:*:filled", "cache:*:replayed", "cache:*:hit-events", **chatting)
@cuts("cache:*:read", "cache:*:filled", "cache:*:single-flight", hooks="_abatch")
def test_nothing_is_cached(patch, caught):
    patch.everywhere(caching.lookup_for, lambda call: None)
    caught()


@cuts("cache:*:replayed")
@cuts("cache:*:replayed", **chatting)
def test_pieces_are_not_kept(patch, caught):
    encode = cache_entries.encode_entry
    patch.everywhere(encode, lambda answers, pieces: encode(answers, None))
    caught()


@cuts("cache:*:left-early")
@cuts("cache:*:left-early", hooks="_astream")
def test_half_an_answer_is_kept(patch, caught):
    patch.method(Lookup, "end", lambda self: self.store([Generation("one ")], None))
    caught()


@pytest.mark.parametrize("missing", ["prompt", "stop", "include_stop", "max_tokens", "keywords"])
@cuts("cache:*:other-call", make=Taking)
def test_a_part_of_the_call_is_not_looked_at(missing, patch, caught):
    patch.everywhere(cache_keys.key_of, key_without(missing))
    caught()


@cuts("cache:*:choices", hooks="_call")
@cuts("cache:*:choices", hooks="_batch", chat=True)
def test_all_choices_are_one_answer(patch, caught):
    patch.everywhere(cache_keys.key_of, key_without("choice"))
    caught()


@cuts("cache:*:other-field", make=EchoLLM)
def test_fields_are_not_looked_at(patch, caught):
    patch.everywhere(cache_keys.key_of, key_without("fields"))
    caught()


@cuts("cache:*:single-flight", hooks="_call")
@cuts("cache:*:single-flight", **chatting)
def test_every_miss_leads(patch, caught):
    patch.everywhere(flights.board, lambda cache, key: (Flight((0, key)), Turn.LEAD))
    caught()


@cuts("cache:*:next-after-failure", "cache:*:next-after-cancel", hooks="_call")
@cuts("cache:*:next-after-failure", "cache:*:next-after-cancel", **chatting)
def test_all_that_wait_run_when_the_first_ends(patch, caught):
    patch.method(Flight, "give_up", lambda self: self.land(Turn.ALONE))
    caught()


@cuts("cache:*:hit-events", hooks="_call")
@cuts("cache:*:hit-events", **chatting)
def test_a_hit_is_not_marked(patch, caught):
    opened = replaying._open

    def unmarked(*facts, **more):
        attempt = opened(*facts, **more)
        if attempt.run is not None:
            attempt.run.cached = False
        return attempt

    patch.everywhere(opened, unmarked)
    caught()


@cuts("cache:*:hit-events")
@cuts("cache:*:hit-events", **chatting)
def test_a_hit_tells_no_tokens(patch, caught):
    opened = replaying._open

    class Mute(Telling):
        def __init__(self, attempt):
            super().__init__(attempt)
            self.token = None

        def tell(self, chunk):
            pass

        async def atell(self, chunk):
            pass

    patch.monkeypatch.setattr(replaying, "Telling", Mute)
    assert opened is replaying._open
    caught()


@cuts("cache:*:broken", hooks="_call")
@cuts("cache:*:broken", **chatting)
def test_a_failing_cache_fails_the_call(patch, caught):
    patch.method(Lookup, "_get", lambda self: self._cache.get(self._key))
    caught()


@cuts("cache:*:broken", hooks="_batch")
def test_bytes_that_are_no_answer_fail_the_call(patch, caught):
    def read(self, value):
        self.entry = None if value is None else cache_entries.decode_entry(value, "llm")
        return value is not None

    patch.method(Lookup, "_read", read)
    caught()


@cuts("cache:*:secrets", make=Keyed)
def test_keys_show_what_they_are_made_of(patch, caught):
    patch.everywhere(cache_keys.key_of, lambda call: f"{call.argument} {call.model.api_key.get_secret_value()}")
    caught()
