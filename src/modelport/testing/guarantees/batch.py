"""Guarantee 5, batch: order, concurrency, isolation and limits."""

from __future__ import annotations

from contextlib import aclosing, closing
from typing import Any

from modelport.testing import gates
from modelport.testing.checks import CheckFailure, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_batch, has_no_batch, has_stream, unlimited
from modelport.testing.gates import Gate, Rendezvous, in_thread, patiently
from modelport.testing.probe import HookCall, Probe, ProbeError
from modelport.testing.subject import Subject
from modelport.testing.ways import BATCHES, STREAMS, WAYS, batch_by, text_of
from modelport.values.errors import ModelTimeoutError

SOURCE = "modelport guarantee 5 (batch)"
_WAVE = 4


def _prompts(count: int) -> list[Any]:
    return [f"prompt {number}" for number in range(count)]


@check_each_way("batch:{way}:in-order", source=SOURCE, ways=BATCHES, applies=[unlimited])
async def in_order(subject: Subject, way: str) -> None:
    """`{way}` gives results in the order of the inputs, also when the last is done first."""
    probe = subject.probe()
    prompts = _prompts(_WAVE)
    places = {repr(probe.model.argument_of(prompt)): place for place, prompt in enumerate(prompts)}
    done = [Gate() for _ in prompts]

    def wait_for_next(call: HookCall) -> Gate | None:
        if call.hook.is_batch:
            return None
        place = places[repr(call.argument)]
        return done[place + 1] if place + 1 < len(done) else None

    ended: list[int] = []

    def let_previous_end(call: HookCall) -> None:
        if not call.hook.is_batch:
            ended.append(places[repr(call.argument)])
            done[ended[-1]].open()

    probe.on_enter, probe.on_leave = wait_for_next, let_previous_end
    async with patiently(f"`{way}`"):
        results = await batch_by(way, probe.face, prompts)
    expected = [probe.given_for(prompt) for prompt in prompts]
    expect_equal([text_of(result) for result in results], expected, f"what `{way}` gives")
    if subject.hooks.many is None:
        expect_equal(ended, [3, 2, 1, 0], "the order in which the hook calls ended")


@check_each_way("batch:{way}:concurrent", source=SOURCE, ways=BATCHES, applies=[unlimited, has_no_batch])
async def concurrent(subject: Subject, way: str) -> None:
    """`{way}` runs its items at the same time."""
    probe, meeting = subject.probe(), Rendezvous(_WAVE)
    probe.on_enter = lambda call: meeting.arrive()
    async with patiently(f"`{way}` whose {_WAVE} hook calls wait for each other"):
        await batch_by(way, probe.face, _prompts(_WAVE))
    expect(meeting.met and probe.peak == _WAVE, f"{probe.peak} of {_WAVE} hook calls ran at once")


@check_each_way("batch:{way}:isolated", source=SOURCE, ways=BATCHES)
async def isolated(subject: Subject, way: str) -> None:
    """One failing item stays in its slot of `{way}`, and the others are answered."""
    probe, prompts = subject.probe(), _prompts(3)
    probe.fail_for = probe.model.argument_of(prompts[1])
    async with patiently(f"`{way}`"):
        results = await batch_by(way, probe.face, prompts, return_exceptions=True)
    expect(results[1] is probe.failure, f"the failing slot holds {results[1]!r:.200}")
    for place in (0, 2):
        expect_equal(text_of(results[place]), probe.given_for(prompts[place]), f"slot {place}")


@check_each_way("batch:{way}:raises-at-the-end", source=SOURCE, ways=BATCHES)
async def raises_at_the_end(subject: Subject, way: str) -> None:
    """Without `return_exceptions`, `{way}` raises the first failure once every item has had its turn."""
    probe, prompts = subject.probe(), _prompts(3)
    probe.fail_for = probe.model.argument_of(prompts[0])
    try:
        async with patiently(f"`{way}`"):
            await batch_by(way, probe.face, prompts)
    except ProbeError as error:
        expect(error is probe.failure, f"{error!r} was raised in place of the hook's own exception")
        asked = sum(len(call.argument) if call.hook.is_batch else 1 for call in probe.calls)
        expect_equal(asked, 3, "the number of items that had their turn")
        return
    raise CheckFailure(f"`{way}` raised nothing")


async def _expect_at_most(probe: Probe, limit: int, way: str, config: Any) -> None:
    """Fail when more hook calls than `limit` run at once; they stay for a while, to let others in."""
    full, crowd = Rendezvous(limit), Rendezvous(limit + 1)

    def linger(call: HookCall) -> Any:
        full.arrive()
        crowd.arrive()
        return _Brief(full, crowd)

    probe.on_enter = linger
    async with patiently(f"`{way}`"):
        results = await batch_by(way, probe.face, _prompts(2 * limit + 1), config)
    expect_equal(len(results), 2 * limit + 1, "the number of results")
    expect(probe.peak <= limit, f"{probe.peak} hook calls ran at once; the limit is {limit}")
    expect(probe.peak == limit, f"only {probe.peak} hook calls ran at once; {limit} may")


class _Brief(Gate):
    """Waits until as many are there as may be, then for a glance whether more come; once, then for no time at all."""

    def __init__(self, full: Rendezvous, crowd: Rendezvous) -> None:
        super().__init__()
        self._full = full
        self._crowd = crowd

    def wait(self, seconds: float | None = None) -> bool:
        self._full.wait(gates.patience_seconds())
        met = self._crowd.wait(gates.GLANCE_SECONDS)
        self._crowd.open()
        return met

    async def wait_async(self, seconds: float | None = None) -> bool:
        await self._full.wait_async(gates.patience_seconds())
        met = await self._crowd.wait_async(gates.GLANCE_SECONDS)
        self._crowd.open()
        return met


@check_each_way("batch:{way}:limit-of-model", source=SOURCE, ways=BATCHES, applies=[has_no_batch])
async def limit_of_model(subject: Subject, way: str) -> None:
    """The field `max_concurrency` bounds the hook calls of a model, in `{way}` too."""
    probe = subject.probe()
    probe.model.max_concurrency = 2
    await _expect_at_most(probe, 2, way, None)


@check_each_way("batch:{way}:limit-of-config", source=SOURCE, ways=BATCHES, applies=[unlimited, has_no_batch])
async def limit_of_config(subject: Subject, way: str) -> None:
    """`config["max_concurrency"]` bounds the items of one `{way}` that run at once."""
    await _expect_at_most(subject.probe(), 2, way, {"max_concurrency": 2})


@check_each_way("batch:{way}:one-hook-call", source=SOURCE, ways=BATCHES, applies=[has_batch])
async def one_hook_call(subject: Subject, way: str) -> None:
    """`{way}` gives a batch hook all prompts in one call, or `max_batch_size` at most."""
    prompts = _prompts(5)
    for size, wanted in ((None, [5]), (2, [2, 2, 1])):
        probe = subject.probe()
        probe.model.max_batch_size = size
        async with patiently(f"`{way}`"):
            results = await batch_by(way, probe.face, prompts)
        # Where `max_concurrency` lets, the hook calls of one batch run at the same time.
        sizes = sorted((len(call.argument) for call in probe.calls), reverse=True)
        expect_equal(sizes, wanted, f"the sizes of the hook calls with max_batch_size={size}")
        texts = [text_of(result) for result in results]
        expect_equal(texts, [probe.given_for(prompt) for prompt in prompts], f"what `{way}` gives")


@check_each_way("batch:{way}:open-streams-count", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def open_streams_count(subject: Subject, way: str) -> None:
    """An open `{way}` holds one of the `max_concurrency` slots until it is closed."""
    probe = subject.probe()
    probe.model.max_concurrency = 1
    probe.script = ["token"] * 200
    prompt, other = subject.prompts[:2]

    def read_beside() -> bool:
        with closing(probe.face.stream(prompt)) as first:
            next(first)
            with closing(probe.face.stream(other, {"timeout": gates.GLANCE_SECONDS})) as second:
                return _expires(lambda: next(second))

    async with patiently(f"a second `{way}` beside an open one"):
        if way == "stream":
            expired = await in_thread(read_beside)
        else:
            expired = await _aread_beside(probe, prompt, other)
        expect(expired, "a second stream was opened beside an open one, with max_concurrency=1")
        text = await WAYS[way].text(probe.face, other)
    expect_equal(text, "token" * 200, "the answer once the first stream was closed")


def _expires(step: Any) -> bool:
    try:
        step()
    except ModelTimeoutError:
        return True
    return False


async def _aread_beside(probe: Probe, prompt: Any, other: Any) -> bool:
    async with aclosing(probe.face.astream(prompt)) as first:
        await anext(first)
        late = probe.face.astream(other, {"timeout": gates.GLANCE_SECONDS})
        async with aclosing(late) as second:
            try:
                await anext(second)
            except ModelTimeoutError:
                return True
    return False
