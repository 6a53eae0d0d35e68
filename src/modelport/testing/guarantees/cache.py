"""Guarantee 10, cache: equal calls are answered once, and calls that differ in anything never share an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from typing_extensions import override

from modelport.engine.cache import Cache
from modelport.engine.memory_cache import LRUCache
from modelport.models.secrets import known_secrets
from modelport.testing import gates
from modelport.testing.checks import NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.conditions import called_directly, framework_fans_out, has_secrets, has_stream, unlimited
from modelport.testing.gates import Gate, Rendezvous, patiently
from modelport.testing.guarantees.cancel import abandon
from modelport.testing.probe import Probe
from modelport.testing.recorder import Event, OwnRunsRecorder
from modelport.testing.subject import Subject, own_keyword
from modelport.testing.ways import GENERATES, SINGLES, STREAMS, WAYS, asking, generate_by, text_of

SOURCE = "modelport guarantee 10 (cache)"
SHARED = "put what tells two models apart into declared fields or `_identifying_params`"
_CROWD = 20
_SCRIPT = ("one ", "two END ", "three ", "four")


def cached(subject: Subject, script: tuple[str, ...] | None = None) -> Probe:
    """Return a probe on a model with an empty cache of its own."""
    probe = subject.probe()
    probe.model.cache = LRUCache()
    probe.script = script
    return probe


def asked(probe: Probe) -> int:
    """Return how many prompts the hooks were given."""
    return sum(len(call.argument) if call.hook.is_batch else 1 for call in probe.calls)


async def _expect_hit(subject: Subject, first: str, then: str) -> None:
    probe, prompt = cached(subject), subject.prompts[0]
    async with patiently(f"`{first}`, then `{then}`"):
        text = await WAYS[first].text(probe.face, prompt)
        expect_equal(asked(probe), 1, f"the number of prompts that the hooks were given by `{first}`")
        again = await WAYS[then].text(probe.face, prompt)
    expect_equal(asked(probe), 1, f"the number of prompts that the hooks were given by `{first}`, then `{then}`")
    expect_equal(again, text, f"the answer of `{then}` from the cache")


@check_each_way("cache:{way}:read", source=SOURCE)
async def read(subject: Subject, way: str) -> None:
    """`{way}` gives the answer that `invoke` has found, without calling a hook."""
    await _expect_hit(subject, "invoke", way)


@check_each_way("cache:{way}:filled", source=SOURCE)
async def filled(subject: Subject, way: str) -> None:
    """`invoke` gives the answer that `{way}` has found, without calling a hook."""
    await _expect_hit(subject, way, "invoke")


@check_each_way("cache:{way}:replayed", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def replayed(subject: Subject, way: str) -> None:
    """A `{way}` from the cache gives the pieces that the hook gave, one by one."""
    probe, prompt = cached(subject, _SCRIPT), subject.prompts[0]
    async with patiently(f"`{way}`"):
        pieces = await WAYS[way].results(probe.face, prompt)
        again = await WAYS[way].results(probe.face, prompt)
    expect_equal(asked(probe), 1, "the number of hook calls")
    expect_equal([text_of(one) for one in again if text_of(one)], list(_SCRIPT), "the pieces from the cache")
    expect_equal([text_of(one) for one in again], [text_of(one) for one in pieces], "the pieces from the cache")


@check_each_way("cache:{way}:left-early", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def left_early(subject: Subject, way: str) -> None:
    """A `{way}` that its consumer leaves early is not kept: the next call runs the hook."""
    probe, prompt = cached(subject, _SCRIPT), subject.prompts[0]
    await abandon(way, probe.face, prompt)
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, prompt)
    expect_equal(text, "".join(_SCRIPT), "the answer after an abandoned stream")
    expect_equal(asked(probe), 2, "the number of hook calls")


@check_each_way("cache:{way}:other-call", source=SOURCE)
async def other_call(subject: Subject, way: str) -> None:
    """Calls by `{way}` that differ in prompt, stop, include_stop, max_tokens or a keyword never share an answer."""
    probe, keyword = cached(subject, _SCRIPT), own_keyword(subject.hook_for(way))
    kinds: list[dict[str, Any]] = [
        {},
        {"stop": ["END"]},
        {"stop": ["END", "four"]},
        {"stop": ["END"], "include_stop": False},
        {"max_tokens": 1},
        {"max_tokens": 2},
    ]
    if keyword is not None:
        kinds += [{keyword: value} for value in (1, 2, "1", True, 1.0, [1], {"a": 1}, None)]
    calls = [(prompt, kind) for prompt in subject.prompts[:2] for kind in kinds]
    for count, (prompt, kind) in enumerate(calls, 1):
        async with patiently(f"`{way}` with {kind}"):
            await WAYS[way].text(probe.face, prompt, **kind)
        expect_equal(asked(probe), count, f"the number of hook calls after one with {kind}")


@check_each_way("cache:{way}:choices", source=SOURCE, ways=GENERATES, applies=[called_directly, framework_fans_out])
async def choices(subject: Subject, way: str) -> None:
    """Of `{way}` with n=3 each choice is an answer of its own, and with n=4 only the fourth is not in the cache."""
    probe, prompt = cached(subject), subject.prompts[0]
    for n, wanted in ((3, 3), (3, 3), (4, 4)):
        async with patiently(f"`{way}`"):
            await generate_by(way, probe.model, [prompt], n=n)
        expect_equal(asked(probe), wanted, f"the number of prompts that the hooks were given up to n={n}")


def _other(value: Any) -> Any:
    """Return another value of the same type; None when it is of no plain type."""
    kind = cast("type[Any]", type(value))
    if kind is bool:
        return not value
    if kind in (int, float):
        return value + 1
    return f"{value}x" if kind is str else None


@check_each_way("cache:{way}:other-field", source=SOURCE, ways=("invoke", "ainvoke"))
async def other_field(subject: Subject, way: str) -> None:
    """Models that differ in a declared field never share an answer, called by `{way}`."""
    model, cache, prompt = subject.fresh(), LRUCache(), subject.prompts[0]
    models = [model]
    for name in subject.cls.author_fields():
        other = _other(getattr(model, name))
        if other is None:
            continue
        try:
            models.append(model.with_params(**{name: other}))
        except (TypeError, ValueError):
            continue  # the author refuses that value
    if len(models) == 1:
        raise NotApplicable("the class has no field of type str, int, float or bool that takes another value")
    for number, one in enumerate(models):
        probe = subject.probe(one)
        probe.model.cache, probe.script = cache, [f"answer {number}"]
        for _ in range(2):
            async with patiently(f"`{way}`"):
                text = await WAYS[way].text(probe.face, prompt)
            expect_equal(text, f"answer {number}", f"the answer of {probe.model!r:.200}", SHARED)


@check_each_way("cache:{way}:single-flight", source=SOURCE, ways=SINGLES)
async def single_flight(subject: Subject, way: str) -> None:
    """20 concurrent equal calls by `{way}` that are not in the cache call the hook once."""
    probe, prompt = cached(subject), subject.prompts[0]
    with Gate() as gate:
        second = Rendezvous(2)
        probe.on_enter = lambda call: second.arrive() and gate
        async with asking(way, probe.face) as ask:
            tasks = [ask(prompt) for _ in range(_CROWD)]
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            await second.wait_async(gates.GLANCE_SECONDS)
            gate.open()
            async with patiently(f"{_CROWD} equal calls by `{way}`"):
                texts = await asyncio.gather(*tasks)
    expect_equal(asked(probe), 1, f"the number of prompts that the hooks were given by {_CROWD} equal calls")
    expect_equal(set(texts), {probe.given_for(prompt)}, "the answers")


def _fail_once(probe: Probe) -> None:
    """Let the hook's first call fail, once its gate is open."""

    def fail(result: Any) -> Any:
        if len(probe.calls) == 1:
            raise probe.failure
        return result

    probe.replace = fail


@check_each_way("cache:{way}:next-after-failure", source=SOURCE, ways=SINGLES)
async def next_after_failure(subject: Subject, way: str) -> None:
    """When the hook fails, its own `{way}` alone gets the exception; the next that waits calls the hook."""
    probe, prompt = cached(subject), subject.prompts[0]
    _fail_once(probe)
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        async with asking(way, probe.face) as ask:
            tasks = [ask(prompt)]
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            tasks += [ask(prompt) for _ in range(2)]
            await Gate().wait_async(gates.GLANCE_SECONDS)
            gate.open()
            async with patiently(f"`{way}` after a failed one"):
                outcomes: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    expect(outcomes[0] is probe.failure, f"the first call gave {outcomes[0]!r:.200}")
    expect_equal(outcomes[1:], [probe.given_for(prompt)] * 2, "what the other calls gave")
    expect_equal(asked(probe), 2, "the number of hook calls")


@check_each_way(
    "cache:{way}:next-after-cancel",
    source=SOURCE,
    ways=[way for way in SINGLES if WAYS[way].is_async],
    applies=[unlimited],
)
async def next_after_cancel(subject: Subject, way: str) -> None:
    """When the `{way}` whose hook runs is cancelled, the next that waits calls the hook."""
    probe, prompt = cached(subject), subject.prompts[0]
    with Gate() as gate:
        probe.on_enter = lambda call: gate if call is probe.calls[0] else None
        async with asking(way, probe.face) as ask:
            first = ask(prompt)
            await probe.until(lambda: bool(probe.calls), "calling the hook")
            others = [ask(prompt) for _ in range(2)]
            await Gate().wait_async(gates.GLANCE_SECONDS)
            first.cancel()
            async with patiently(f"`{way}` after a cancelled one"):
                texts = await asyncio.gather(*others)
    expect_equal(texts, [probe.given_for(prompt)] * 2, "what the other calls gave")
    expect_equal(asked(probe), 2, "the number of hook calls")


def _told(events: list[Event]) -> list[tuple[str, Any]]:
    """Return what was told of a run: of its end the text, of all else the payload."""
    return [
        (event.name, event.payload.generations[0][0].text if event.name == "on_llm_end" else event.payload)
        for event in events
    ]


@check_each_way("cache:{way}:hit-events", source=SOURCE)
async def hit_events(subject: Subject, way: str) -> None:
    """A `{way}` from the cache fires the start, the tokens and the one end of a call of the hook, marked `cached`."""
    probe, missed, hit = cached(subject, _SCRIPT), OwnRunsRecorder(), OwnRunsRecorder()
    for record in (missed, hit):
        async with patiently(f"`{way}`"):
            await WAYS[way].text(probe.face, subject.prompts[0], {"callbacks": [record]})
    expect_equal(asked(probe), 1, "the number of prompts that the hooks were given")
    expect_equal(_told(hit.of_models), _told(missed.of_models), "what was told of a call from the cache")
    expect_equal(len({event.run_id for event in hit.of_models}), 1, "the number of runs told of")
    marks = [event.payload.llm_output.get("cached") for event in (*missed.ends, *hit.ends)]
    expect_equal(marks, [None, True], "`cached` in the end events of the hook's call and of that from the cache")


class _Broken(Cache):
    """Fails in every way, or gives what is no answer."""

    def __init__(self, value: bytes | None = None) -> None:
        self._value = value

    @override
    def get(self, key: str) -> bytes | None:
        if self._value is not None:
            return self._value
        raise OSError("the check made this cache fail")

    @override
    def set(self, key: str, value: bytes) -> None:
        raise OSError("the check made this cache fail")

    @override
    def clear(self) -> None:
        raise OSError("the check made this cache fail")


@check_each_way("cache:{way}:broken", source=SOURCE)
async def broken(subject: Subject, way: str) -> None:
    """A cache that raises, or gives bytes that are no answer, never fails a `{way}`."""
    for cache in (_Broken(), _Broken(b"no answer")):
        probe, prompt = cached(subject), subject.prompts[0]
        probe.model.cache = cache
        with _unlogged():
            async with patiently(f"`{way}`"):
                text = await WAYS[way].text(probe.face, prompt)
        expect_equal(text, probe.given_for(prompt), "the answer")


@contextmanager
def _unlogged() -> Generator[None, None, None]:
    """Keep what is logged about a failing cache to ourselves: here it fails on purpose."""
    logger = logging.getLogger("modelport.cache")
    logger.addFilter(_drop)
    try:
        yield
    finally:
        logger.removeFilter(_drop)


def _drop(record: logging.LogRecord) -> bool:
    return False


class _Watched(LRUCache):
    """Keeps all that it was ever given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[bytes] = []

    @override
    def get(self, key: str) -> bytes | None:
        self.given.append(key.encode())
        return super().get(key)

    @override
    def set(self, key: str, value: bytes) -> None:
        self.given += [key.encode(), value]
        super().set(key, value)


@check_each_way("cache:{way}:secrets", source=SOURCE, applies=[has_secrets])
async def in_cache(subject: Subject, way: str) -> None:
    """Neither the keys nor the values that `{way}` gives to the cache hold a secret."""
    probe, cache = cached(subject, _SCRIPT), _Watched()
    probe.model.cache = cache
    async with patiently(f"`{way}`"):
        await WAYS[way].text(probe.face, subject.prompts[0])
    expect(len(cache.given) >= 3, f"the cache was given {len(cache.given)} keys and values; 3 are due")
    for secret in known_secrets(probe.model):
        found = [one for one in cache.given if secret.encode() in one]
        expect(not found, f"a secret stands in {len(found)} of the keys and values in the cache")
