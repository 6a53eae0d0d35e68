"""How long the checks wait for a model's answers, and what is said of one that takes longer."""

from __future__ import annotations

import threading

import pytest

from modelport import LLM
from modelport.testing import gates, run_checks
from modelport.testing.gates import Rendezvous

SLOW = ["parity:batch:in-company", "parity:ainvoke:same-text"]


class Slow(LLM):
    """Takes its time."""

    def _call(self, prompt: str) -> str:
        threading.Event().wait(0.1)
        return prompt


@pytest.mark.parametrize("raw", [False, True])
def test_a_slow_model_is_given_the_time_that_its_checks_are_told(monkeypatch: pytest.MonkeyPatch, raw: bool) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.02)
    told = [result.seen for result in run_checks(Slow, ids=SLOW, raw=raw) if result.outcome == "fail"]
    assert any(
        "did not end within 0.02 seconds (a model that takes longer is given more: --timeout" in one for one in told
    )
    results = run_checks(Slow, ids=SLOW, raw=raw, timeout_seconds=20)
    assert {result.outcome for result in results} == {"pass"}


def test_in_raw_mode_answers_have_as_long_as_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelport.testing.kit.RAW_PATIENCE_SECONDS", 0.02)
    assert {result.outcome for result in run_checks(Slow, ids=SLOW, raw=True)} == {"pass"}


async def test_who_waits_for_somebody_who_has_gone_waits_no_longer() -> None:
    meeting = Rendezvous(3)
    assert not meeting.arrive().wait(0.01)
    assert not meeting.arrive().wait(60)
    assert not await meeting.wait_async(60)
    assert not meeting.met


async def test_all_who_meet_know_it() -> None:
    meeting = Rendezvous(2)
    meeting.arrive()
    assert meeting.arrive().wait(60)
    assert await meeting.wait_async(60)
