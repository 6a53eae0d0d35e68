"""Each wire check is caught failing by a server that is wrong in one thing, and no other check fails on it."""

from __future__ import annotations

import importlib

import pytest

from modelport.testing.wire import all_wire_checks, arun_wire_checks, server
from tests.conformance.wire.http_server import serving
from tests.conformance.wire.reference import KEY, Right
from tests.conformance.wire.reference_values import MODEL
from tests.conformance.wire.wrong import WRONG, Wrong

for module in ("wrong_answers", "wrong_streams", "wrong_requests"):
    importlib.import_module(f"tests.conformance.wire.{module}")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0.1)
    monkeypatch.setattr(server, "LONGEST_RETRY_SECONDS", 0.01)


@pytest.mark.parametrize("one", WRONG, ids=lambda one: one.name)
async def test_only_its_check_fails_on_a_wrong_server(one: Wrong) -> None:
    async with serving(one.server()) as url:
        results = await arun_wire_checks(url, key=KEY, model=MODEL, ids=one.ids, timeout_seconds=10)
    failed = {result.id: result.seen for result in results if result.outcome == "fail"}
    assert failed.keys() == one.caught_by, failed
    assert all(result.seen and result.mend for result in results if result.outcome == "fail")


async def test_the_right_server_passes_whole() -> None:
    async with serving(Right()) as url:
        results = await arun_wire_checks(url, key=KEY, model=MODEL, timeout_seconds=10)
    unseen = {result.id for result in results if result.outcome != "pass"}
    assert unseen == {"wire-errors:throttled:retry-after"}


def test_every_check_has_a_wrong_server() -> None:
    caught = {one_id for one in WRONG for one_id in one.caught_by}
    assert {one.id for one in all_wire_checks()} - caught == set()
