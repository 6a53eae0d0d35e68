"""One table: each composition, over each kind of inner thing, in each way to call, keeps the same promises.

A row is (composition, kind, way). For each row: what is answered, what fails, how often the hook is called, and what a
deadline does; for rows that stream, what happens after the first chunk.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from modelport import (
    LLM,
    BaseCallbackHandler,
    ModelTimeoutError,
    Runnable,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
)
from modelport.runnables import backoff
from modelport.testing.gates import Gate

SOON_SECONDS = 0.02
"""How long a deadline is that is meant to pass."""
ATTEMPTS = 3
"""How many attempts `with_retry` makes by default."""
FOR_EVER = 99
"""More failures than there are attempts."""


class DownError(Exception):
    """Is raised by hooks."""


# ── kinds of inner things ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Plan:
    """Says how a hook behaves, and notes its calls."""

    fails: int = 0
    """How often each prompt fails."""
    after: int = 0
    """How many pieces a stream gives before it fails."""
    gate: Gate | None = None
    """What a hook waits at."""
    entered: list[None] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        return len(self.entered)

    def enter(self) -> None:
        self.entered.append(None)
        if self.gate is not None:
            self.gate.wait()

    async def aenter(self) -> None:
        self.entered.append(None)
        if self.gate is not None:
            await self.gate.wait_async()

    def is_bad(self, prompt: str) -> bool:
        """Tell whether this call fails for this prompt, and count it."""
        self.failed[prompt] = self.failed.get(prompt, 0) + 1
        return self.failed[prompt] <= self.fails

    def answer(self, prompt: str) -> str:
        if self.is_bad(prompt):
            raise DownError(prompt)
        return prompt.upper()

    def answers(self, prompts: list[str]) -> list[Any]:
        return [DownError(prompt) if self.is_bad(prompt) else prompt.upper() for prompt in prompts]

    def pieces(self, prompt: str) -> Iterator[str]:
        bad = self.is_bad(prompt)
        yield from prompt.upper()[: self.after if bad else None]
        if bad:
            raise DownError(prompt)


class Call(LLM):
    plan: Any

    def _call(self, prompt: str) -> str:
        self.plan.enter()
        return self.plan.answer(prompt)


class Stream(LLM):
    plan: Any

    def _stream(self, prompt: str) -> Iterator[str]:
        self.plan.enter()
        yield from self.plan.pieces(prompt)


class AsyncCall(LLM):
    plan: Any

    async def _acall(self, prompt: str) -> str:
        await self.plan.aenter()
        return self.plan.answer(prompt)


class AsyncStream(LLM):
    plan: Any

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        await self.plan.aenter()
        for piece in self.plan.pieces(prompt):
            yield piece


class Batch(LLM):
    plan: Any

    def _batch(self, prompts: list[str]) -> list[Any]:
        self.plan.enter()
        return self.plan.answers(prompts)


class AsyncBatch(LLM):
    plan: Any

    async def _abatch(self, prompts: list[str]) -> list[Any]:
        await self.plan.aenter()
        return self.plan.answers(prompts)


def function(plan: Plan) -> Runnable[str, str]:
    def work(value: str) -> str:
        plan.enter()
        return plan.answer(value)

    return RunnableLambda(work)


def async_function(plan: Plan) -> Runnable[str, str]:
    async def work(value: str) -> str:
        await plan.aenter()
        return plan.answer(value)

    return RunnableLambda(work)


def generator_function(plan: Plan) -> Runnable[str, str]:
    def work(value: str) -> Iterator[str]:
        plan.enter()
        yield from plan.pieces(value)

    return RunnableLambda(work)


class Kind(NamedTuple):
    """Is one kind of inner thing."""

    make: Callable[[Plan], Runnable[str, str]]
    streams: bool = False
    together: bool = False
    """Whether one hook call answers many prompts."""


KINDS = {
    "function": Kind(function),
    "async_function": Kind(async_function),
    "generator_function": Kind(generator_function, streams=True),
    "llm_call": Kind(lambda plan: Call(plan=plan)),
    "llm_stream": Kind(lambda plan: Stream(plan=plan), streams=True),
    "llm_acall": Kind(lambda plan: AsyncCall(plan=plan)),
    "llm_astream": Kind(lambda plan: AsyncStream(plan=plan), streams=True),
    "llm_batch": Kind(lambda plan: Batch(plan=plan), together=True),
    "llm_abatch": Kind(lambda plan: AsyncBatch(plan=plan), together=True),
}

# ── ways to call ─────────────────────────────────────────────────────────────────────────────────────────────────────


def whole(pieces: list[Any]) -> Any:
    """Return what a stream's pieces are together; a parallel's are dicts."""
    if not pieces or isinstance(pieces[0], str):
        return "".join(pieces)
    keys = {key for piece in pieces for key in piece}
    return {key: "".join(piece.get(key, "") for piece in pieces) for key in keys}


async def caught(work: Awaitable[Any]) -> list[Any]:
    """Return a single call's outcome as a batch would."""
    try:
        return [await work]
    except (DownError, ModelTimeoutError) as error:
        return [error]


async def ainput(value: str) -> AsyncIterator[str]:
    yield value


async def invoke(chain: Any, values: list[str], config: Any) -> list[Any]:
    async def work() -> Any:
        return chain.invoke(values[0], config)

    return await caught(work())


async def ainvoke(chain: Any, values: list[str], config: Any) -> list[Any]:
    return await caught(chain.ainvoke(values[0], config))


def streaming(open_stream: Callable[[Any, str, Any], Iterator[Any]]) -> Any:
    async def way(chain: Any, values: list[str], config: Any) -> list[Any]:
        async def work() -> Any:
            return whole(list(open_stream(chain, values[0], config)))

        return await caught(work())

    return way


def astreaming(open_stream: Callable[[Any, str, Any], AsyncIterator[Any]]) -> Any:
    async def way(chain: Any, values: list[str], config: Any) -> list[Any]:
        async def work() -> Any:
            return whole([piece async for piece in open_stream(chain, values[0], config)])

        return await caught(work())

    return way


async def batch(chain: Any, values: list[str], config: Any) -> list[Any]:
    return chain.batch(values, config, return_exceptions=True)


async def abatch(chain: Any, values: list[str], config: Any) -> list[Any]:
    return await chain.abatch(values, config, return_exceptions=True)


async def batch_as_completed(chain: Any, values: list[str], config: Any) -> list[Any]:
    outcomes = dict(chain.batch_as_completed(values, config, return_exceptions=True))
    return [outcomes[place] for place in range(len(values))]


async def abatch_as_completed(chain: Any, values: list[str], config: Any) -> list[Any]:
    pairs = chain.abatch_as_completed(values, config, return_exceptions=True)
    outcomes = {place: outcome async for place, outcome in pairs}
    return [outcomes[place] for place in range(len(values))]


OPEN: dict[str, Callable[[Any, str, Any], Any]] = {
    "stream": lambda chain, value, config: chain.stream(value, config),
    "transform": lambda chain, value, config: chain.transform(iter([value]), config),
    "astream": lambda chain, value, config: chain.astream(value, config),
    "atransform": lambda chain, value, config: chain.atransform(ainput(value), config),
}


class Way(NamedTuple):
    """Is one way to call: gives one outcome for each value, failures among them."""

    call: Callable[[Any, list[str], Any], Awaitable[list[Any]]]
    many: bool = False
    together: bool = False
    """Whether all values come at once, so that one hook call may answer them."""


WAYS = {
    "invoke": Way(invoke),
    "ainvoke": Way(ainvoke),
    "stream": Way(streaming(OPEN["stream"])),
    "astream": Way(astreaming(OPEN["astream"])),
    "transform": Way(streaming(OPEN["transform"])),
    "atransform": Way(astreaming(OPEN["atransform"])),
    "batch": Way(batch, many=True, together=True),
    "abatch": Way(abatch, many=True, together=True),
    "batch_as_completed": Way(batch_as_completed, many=True),
    "abatch_as_completed": Way(abatch_as_completed, many=True),
}

# ── compositions ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Composition(NamedTuple):
    """Is one composition: what it makes of the inner thing and a spare one, and what it promises."""

    make: Callable[[Any, Any], Runnable[str, Any]]
    answer: Callable[[str], Any] = str.upper
    recovers: bool = False
    """Whether one failure of the inner thing is mended."""
    attempts_to_recover: int = 1
    """How often the inner hook is called for a prompt that fails once."""
    attempts_in_vain: int = 1
    """How often it is called for one that always fails."""
    spare_mends: bool = False
    """Whether it is the spare that mends."""


COMPOSITIONS = {
    "retry": Composition(
        lambda inner, spare: inner.with_retry(), recovers=True, attempts_to_recover=2, attempts_in_vain=ATTEMPTS
    ),
    "fallback": Composition(lambda inner, spare: inner.with_fallbacks([spare]), recovers=True, spare_mends=True),
    "timeout": Composition(lambda inner, spare: inner.with_timeout(60)),
    "branch": Composition(lambda inner, spare: RunnableBranch((str.islower, inner), spare)),
    "parallel": Composition(
        lambda inner, spare: RunnableParallel(inner=inner, spare=spare),
        answer=lambda value: {"inner": value.upper(), "spare": value.upper()},
    ),
}


class Silent(BaseCallbackHandler):
    """Listens."""


CONFIGS: dict[str, Any] = {"bare": None, "heard": {"callbacks": [Silent()]}, "timed": {"timeout": 60}}


class Row(NamedTuple):
    """Is one row of the table."""

    composition: Composition
    kind: Kind
    way: Way

    @property
    def values(self) -> list[str]:
        return ["ab", "cd", "ef"] if self.way.many else ["ab"]

    def chain(self, plan: Plan, spare: Plan) -> Runnable[str, Any]:
        return self.composition.make(self.kind.make(plan), self.kind.make(spare))

    def hook_calls(self, attempts: int) -> int:
        """Return how many hook calls answer all values, each with so many attempts."""
        return attempts if self.kind.together and self.way.together else attempts * len(self.values)


ROWS = [
    pytest.param(Row(COMPOSITIONS[composition], KINDS[kind], WAYS[way]), id=f"{composition}-{kind}-{way}")
    for composition, kind, way in itertools.product(COMPOSITIONS, KINDS, WAYS)
]
every_row = pytest.mark.parametrize("row", ROWS)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between attempts."""

    async def asleep(seconds: float) -> None:
        pass

    monkeypatch.setattr(backoff, "sleep", lambda seconds: None)
    monkeypatch.setattr(backoff, "asleep", asleep)


# ── what every row promises ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@every_row
async def test_what_succeeds_is_answered_by_one_attempt(row: Row, config: Any) -> None:
    plan, spare = Plan(), Plan()
    outcomes = await row.way.call(row.chain(plan, spare), row.values, config)
    assert outcomes == [row.composition.answer(value) for value in row.values]
    assert plan.calls == row.hook_calls(1)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@every_row
async def test_what_fails_once_is_mended_or_raised(row: Row, config: Any) -> None:
    plan, spare = Plan(fails=1), Plan()
    outcomes = await row.way.call(row.chain(plan, spare), row.values, config)
    assert plan.calls == row.hook_calls(row.composition.attempts_to_recover)
    if row.composition.recovers:
        assert outcomes == [row.composition.answer(value) for value in row.values]
        assert spare.calls == (row.hook_calls(1) if row.composition.spare_mends else 0)
    else:
        assert [(type(outcome), str(outcome)) for outcome in outcomes] == [(DownError, value) for value in row.values]


@every_row
async def test_what_fails_for_good_is_raised_after_the_last_attempt(row: Row) -> None:
    plan, spare = Plan(fails=FOR_EVER), Plan(fails=FOR_EVER if row.composition.spare_mends else 0)
    outcomes = await row.way.call(row.chain(plan, spare), row.values, None)
    assert [(type(outcome), str(outcome)) for outcome in outcomes] == [(DownError, value) for value in row.values]
    assert plan.calls == row.hook_calls(row.composition.attempts_in_vain)
    if row.composition.spare_mends:
        assert spare.calls == row.hook_calls(1)


@every_row
async def test_one_failure_of_many_stays_its_own(row: Row) -> None:
    plan, spare = Plan(fails=FOR_EVER), Plan(fails=FOR_EVER)
    for good in row.values[1:]:
        plan.failed[good] = spare.failed[good] = FOR_EVER
    outcomes = await row.way.call(row.chain(plan, spare), row.values, None)
    assert isinstance(outcomes[0], DownError)
    assert outcomes[1:] == [row.composition.answer(value) for value in row.values[1:]]


@every_row
async def test_at_the_deadline_the_call_ends_and_nothing_follows(row: Row) -> None:
    with Gate() as gate:
        plan, spare = Plan(gate=gate), Plan()
        outcomes = await row.way.call(row.chain(plan, spare), row.values, {"timeout": SOON_SECONDS})
        assert [type(outcome) for outcome in outcomes] == [ModelTimeoutError] * len(row.values)
        assert not gate.is_open
        assert plan.calls <= row.hook_calls(1)
        if row.composition.spare_mends:
            assert spare.calls == 0


# ── what the rows promise that stream ────────────────────────────────────────────────────────────────────────────────


async def read_into(read: list[Any], pieces: Any) -> None:
    """Read a stream; what came before a failure counts."""
    if isinstance(pieces, AsyncIterator):
        async for piece in pieces:
            read.append(piece)  # noqa: PERF401
    else:
        read.extend(pieces)


STREAMS = [
    pytest.param(composition, KINDS[kind], way, id=f"{composition}-{kind}-{way}")
    for composition, kind, way in itertools.product(COMPOSITIONS, KINDS, OPEN)
    if KINDS[kind].streams
]


@pytest.mark.parametrize(("name", "kind", "way"), STREAMS)
async def test_after_the_first_chunk_a_failure_is_the_consumers(name: str, kind: Kind, way: str) -> None:
    plan, spare = Plan(fails=1, after=1), Plan()
    chain = COMPOSITIONS[name].make(kind.make(plan), kind.make(spare))
    read: list[Any] = []
    with pytest.raises(DownError):
        await read_into(read, OPEN[way](chain, "ab", None))
    got = [piece["inner"] for piece in read if "inner" in piece] if name == "parallel" else read
    assert got == ["A"]
    assert plan.calls == 1
    if COMPOSITIONS[name].spare_mends:
        assert spare.calls == 0


@pytest.mark.parametrize(("name", "kind", "way"), STREAMS)
async def test_pieces_come_as_the_hook_gives_them(name: str, kind: Kind, way: str) -> None:
    chain = COMPOSITIONS[name].make(kind.make(Plan()), kind.make(Plan()))
    read: list[Any] = []
    await read_into(read, OPEN[way](chain, "ab", None))
    got = [piece["inner"] for piece in read if "inner" in piece] if name == "parallel" else read
    assert got == ["A", "B"]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "batch", "abatch"])
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.streams])
@pytest.mark.parametrize("name", ["retry", "fallback"])
async def test_of_an_answer_that_comes_whole_no_chunk_is_out_yet(name: str, kind: str, way: str) -> None:
    plan, spare = Plan(fails=1, after=1), Plan()
    row = Row(COMPOSITIONS[name], KINDS[kind], WAYS[way])
    outcomes = await row.way.call(row.chain(plan, spare), row.values, None)
    assert outcomes == [value.upper() for value in row.values]
