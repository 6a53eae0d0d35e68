"""What a reload takes over of what was served before: models, the calls that they answer, and what has failed."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.gateway.config import settings_from
from modelport.gateway.deployment import Deployment
from modelport.gateway.metrics import Metrics
from modelport.gateway.serving import Serving

ONE: dict[str, Any] = {"use": "mock/echo", "max_concurrency": 1, "max_queue": 0, "circuit_breaker": {"failures": 2}}


def serving(models: dict[str, Any], before: Serving | None = None) -> Serving:
    return Serving(settings_from({"models": models}), Metrics(), before=before)


def deployment(of: Serving, name: str = "one") -> Deployment:
    [found] = of.router.route(name).deployments
    return found


def test_the_calls_that_a_model_answers_still_count_after_a_reload() -> None:
    before = serving({"one": ONE})
    assert deployment(before).gate.try_enter()
    after = serving({"one": ONE, "two": ONE}, before)
    assert not deployment(after).gate.try_enter()
    deployment(before).gate.leave()
    assert deployment(after).gate.try_enter()


def test_a_breaker_stays_open_over_a_reload() -> None:
    before = serving({"one": ONE})
    breaker = deployment(before).breaker
    assert breaker is not None
    for _ in range(2):
        breaker.failed(breaker.allows())
    after = deployment(serving({"one": ONE}, before)).breaker
    assert after is not None
    assert after.is_open


@pytest.mark.parametrize("change", [{"max_concurrency": 2}, {"max_queue": 1}, {"queue_timeout_seconds": 1}])
def test_other_bounds_hold_at_once(change: dict[str, Any]) -> None:
    before = serving({"one": ONE})
    assert deployment(before).gate.try_enter()
    gate = deployment(serving({"one": {**ONE, **change}}, before)).gate
    assert gate.try_enter()
    assert {**change, "max_concurrency": gate.max_concurrency} == {
        name: getattr(gate, name) for name in {*change, "max_concurrency"}
    }


def test_another_model_under_the_name_begins_anew() -> None:
    before = serving({"one": ONE})
    assert deployment(before).gate.try_enter()
    after = serving({"one": {**ONE, "use": "mock/other"}}, before)
    assert deployment(after).gate.try_enter()


def test_names_of_one_model_have_bounds_of_their_own() -> None:
    before = serving({"one": ONE})
    assert deployment(before).gate.try_enter()
    after = serving({"two": ONE, "one": ONE}, before)
    assert deployment(after, "two").gate.try_enter()
