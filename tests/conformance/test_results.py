"""Results come one by one, say how to mend what fails, and unknown checks are named with the near ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelport import LLM
from modelport.testing import CheckResult, EchoLLM, all_checks, run_checks
from modelport.testing.checks import AREAS
from modelport.testing.kit import find_check
from modelport.testing.mends import MENDS, mend_for


class Disagreeing(LLM):
    """Answers one way and streams another."""

    def _call(self, prompt: str) -> str:
        return prompt

    def _stream(self, prompt: str) -> Iterator[str]:
        raise ValueError("no stream today")


class Delegating(LLM):
    """Calls one of its own hooks from another, as wrappers do."""

    def _call(self, prompt: str, stop: list[str] | None = None) -> str:
        return prompt

    async def _acall(self, prompt: str, stop: list[str] | None = None) -> str:
        return self._call(prompt, stop)

    def _stream(self, prompt: str, stop: list[str] | None = None) -> Iterator[str]:
        yield self._call(prompt, stop)

    def _batch(self, prompts: list[str], stop: list[str] | None = None) -> list[str]:
        return [self._call(prompt, stop) for prompt in prompts]


def test_each_result_is_told_as_its_check_ends():
    told: list[CheckResult] = []
    ids = ["parity:stream:same-text", "derive:invoke:answers", "cache:invoke:read"]
    results = run_checks(EchoLLM, ids=ids, on_result=told.append)
    assert told == results
    assert [result.id for result in told] == ["derive:invoke:answers", "parity:stream:same-text", "cache:invoke:read"]


def test_what_fails_without_a_mend_of_its_own_has_that_of_its_topic_or_its_area():
    [result] = run_checks(Disagreeing, ids=["derive:stream:answers"])
    assert (result.outcome, result.seen) == ("fail", "ValueError: no stream today")
    assert result.mend == MENDS["derive:answers"]
    assert mend_for("derive", "off-the-loop") == MENDS["derive"]


def test_every_check_says_how_a_failure_is_mended():
    assert [one.id for one in all_checks() if not one.mend] == []


def test_every_area_says_how_its_failures_are_mended():
    assert set(AREAS) <= MENDS.keys()


def test_an_unknown_check_is_named_with_the_near_ones():
    with pytest.raises(ValueError, match="there is no check 'stop:streem:cut'; did you mean 'stop:stream:cut'"):
        run_checks(EchoLLM, ids=["stop:streem:cut"])
    with pytest.raises(KeyError, match="`all_checks\\(\\)` lists them"):
        find_check("nothing like it")


def test_a_hook_that_calls_another_hook_of_its_model_is_one_call():
    ids = [one.id for one in all_checks() if one.area in ("derive", "parity", "stop", "batch", "usage", "threads")]
    results = run_checks(Delegating, ids=ids)
    assert {result.id: result.seen for result in results if result.outcome == "fail"} == {}
