"""When a deployment is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelport.gateway.breaker import Breaker
from tests.gateway.clock import Clock


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, 10.0, clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(breaker.allows())


def opened(breaker: Breaker, clock: Clock, seconds: float = 0.0) -> None:
    fail(breaker, 3)
    clock.now += seconds


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert breaker.allows()
    assert not breaker.is_open
    fail(breaker, 1)
    assert not breaker.allows()
    assert breaker.is_open


def test_a_success_between_failures_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.succeeded(breaker.allows())
    fail(breaker, 2)
    assert breaker.allows()


def test_what_is_no_verdict_neither_counts_nor_interrupts_a_row(breaker: Breaker) -> None:
    fail(breaker, 2)
    for _ in range(5):
        breaker.cancelled(breaker.allows())
    assert not breaker.is_open
    fail(breaker, 1)
    assert breaker.is_open


def test_it_tells_how_long_it_stays_open(breaker: Breaker, clock: Clock) -> None:
    assert breaker.seconds_left == 0.0
    opened(breaker, clock, 4.0)
    assert breaker.seconds_left == pytest.approx(6.0)
    clock.now += 20.0
    assert breaker.seconds_left == 0.0


def test_after_the_cooldown_exactly_one_call_probes(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock, 9.99)
    assert not breaker.allows()
    clock.now += 0.01
    assert not breaker.is_open
    assert breaker.allows()
    assert breaker.is_open
    assert not any(breaker.allows() for _ in range(5))
    clock.now += 1000
    assert not breaker.allows()


def test_asking_whether_it_is_open_takes_no_probes_place(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock, 10.0)
    assert [breaker.is_open, breaker.is_open] == [False, False]
    assert breaker.allows()


def test_a_probe_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock, 10.0)
    breaker.succeeded(breaker.allows())
    assert not breaker.is_open
    assert all(breaker.allows() for _ in range(5))
    fail(breaker, 2)
    assert not breaker.is_open


def test_a_probe_that_fails_opens_it_for_another_cooldown(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock, 10.0)
    fail(breaker, 1)
    assert breaker.seconds_left == pytest.approx(10.0)
    clock.now += 10.0
    assert breaker.allows()


def test_a_cancelled_probe_leaves_its_place_to_the_next_call(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock, 10.0)
    cancelled = breaker.allows()
    breaker.cancelled(cancelled)
    probe = breaker.allows()
    assert probe
    assert not breaker.allows()
    breaker.failed(cancelled)
    breaker.cancelled(cancelled)
    assert not breaker.allows()
    breaker.succeeded(probe)
    assert breaker.allows()


@pytest.mark.parametrize("verdict", [Breaker.succeeded, Breaker.failed, Breaker.cancelled])
def test_a_call_from_before_it_opened_says_nothing_about_now(
    breaker: Breaker, clock: Clock, verdict: Callable[[Breaker, int], None]
) -> None:
    late = breaker.allows()
    opened(breaker, clock, 4.0)
    verdict(breaker, late)
    assert breaker.seconds_left == pytest.approx(6.0)
    clock.now += 6.0
    probe = breaker.allows()
    verdict(breaker, late)
    assert not breaker.allows()
    breaker.succeeded(probe)
    verdict(breaker, late)
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker, 1)
    assert breaker.is_open


def test_one_failure_is_enough_when_one_is_the_bound(clock: Clock) -> None:
    breaker = Breaker(1, 1.0, clock=clock)
    fail(breaker, 1)
    assert breaker.is_open
