"""How fast calls are finished."""

from __future__ import annotations

import pytest

from modelport.gateway.drain_rate import DrainRate
from tests.gateway.clock import Clock


@pytest.fixture
def rate(clock: Clock) -> DrainRate:
    return DrainRate(clock)


def finish(rate: DrainRate, clock: Clock, *intervals: float) -> None:
    for interval in intervals:
        clock.now += interval
        rate.note()


def test_nothing_is_known_before_a_call_is_finished(rate: DrainRate, clock: Clock) -> None:
    rate.begin()
    clock.now += 5
    assert rate.seconds_for(1) is None


def test_the_first_call_counts_from_where_the_busy_time_began(rate: DrainRate, clock: Clock) -> None:
    clock.now += 100
    rate.begin()
    finish(rate, clock, 2.0)
    assert rate.seconds_for(1) == pytest.approx(2.0)


def test_an_even_pace_is_measured_exactly(rate: DrainRate, clock: Clock) -> None:
    finish(rate, clock, *[0.25] * 40)
    assert rate.seconds_for(4) == pytest.approx(1.0)


def test_a_batch_that_ends_at_once_is_many_calls_in_one_interval(rate: DrainRate, clock: Clock) -> None:
    for _ in range(5):
        finish(rate, clock, 4.0, *[0.0] * 63)
    assert rate.seconds_for(64) == pytest.approx(4.0)


def test_idle_time_does_not_count(rate: DrainRate, clock: Clock) -> None:
    finish(rate, clock, 1.0, 1.0)
    clock.now += 3600
    rate.begin()
    finish(rate, clock, 1.0)
    assert rate.seconds_for(1) == pytest.approx(1.0)


def test_a_new_pace_replaces_the_old_one(rate: DrainRate, clock: Clock) -> None:
    finish(rate, clock, *[0.01] * 1000)
    finish(rate, clock, *[2.0] * 60)
    assert rate.seconds_for(1) == pytest.approx(2.0, rel=0.05)


def test_one_slow_call_among_slow_ones_does_not_decide_alone(rate: DrainRate, clock: Clock) -> None:
    finish(rate, clock, *[30.0] * 10, 90.0)
    assert 30.0 < (rate.seconds_for(1) or 0) < 50.0


def test_when_nothing_is_finished_any_more_the_wait_grows(rate: DrainRate, clock: Clock) -> None:
    finish(rate, clock, *[0.1] * 50)
    waits: list[float] = []
    for _ in range(4):
        clock.now += 30
        waits.append(rate.seconds_for(1) or 0)
    assert waits == sorted(waits)
    assert waits[-1] > 50


def test_a_pause_as_long_as_the_mean_changes_nothing(rate: DrainRate, clock: Clock) -> None:
    finish(rate, clock, *[1.0] * 10)
    clock.now += 1.000001
    assert rate.seconds_for(1) == pytest.approx(1.0, rel=1e-5)
