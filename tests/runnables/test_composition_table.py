"""One table: each composition, over each kind of inner thing, in each way to call, keeps the same promises.

A row is (composition, kind, way). For each row: what is answered, what fails, how often the hook is called, and what a
deadline does; for rows that stream, what happens after the first chunk.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from modelport import (
    ModelTimeoutError,
    Runnable,
)
from modelport.testing.gates import Gate
from tests.runnables.compositions import COMPOSITIONS, OPEN, WAYS, Composition, Way
from tests.runnables.failing import DownError
from tests.runnables.inner_kinds import KINDS, Kind, Plan
from tests.runnables.ways import every_config

pytestmark = pytest.mark.usefixtures("waits")
SOON_SECONDS = 0.02
"""How long a deadline is that is meant to pass."""
FOR_EVER = 99
"""More failures than there are attempts."""


# ── compositions ─────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── what every row promises ──────────────────────────────────────────────────────────────────────────────────────────


@every_config
@every_row
async def test_what_succeeds_is_answered_by_one_attempt(row: Row, config: Any) -> None:
    plan, spare = Plan(), Plan()
    outcomes = await row.way.call(row.chain(plan, spare), row.values, config)
    assert outcomes == [row.composition.answer(value) for value in row.values]
    assert plan.calls == row.hook_calls(1)


@every_config
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
