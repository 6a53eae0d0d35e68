"""How much one key may ask for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.gateway.key_limits import KeyLimitError, KeyLimits
from modelport.values.errors import InputError
from tests.gateway.clock import Clock


def refused(limits: KeyLimits) -> KeyLimitError:
    with pytest.raises(KeyLimitError) as caught:
        limits.enter()
    return caught.value


def use(limits: KeyLimits, tokens: int = 0, times: int = 1) -> None:
    for _ in range(times):
        limits.enter()
        limits.leave(tokens)


def headers_of(limits: KeyLimits) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in limits.headers()}


def test_a_minutes_requests_may_come_at_once(clock: Clock) -> None:
    limits = KeyLimits(requests_per_minute=60, clock=clock)
    use(limits, times=60)
    error = refused(limits)
    assert (error.status_code, error.code, error.type) == (429, "rate_limit_exceeded", "rate_limit_error")
    assert error.retry_after == pytest.approx(1.0)
    assert "60 requests per minute" in str(error)
    assert dict(error.limit_headers)[b"x-ratelimit-remaining-requests"] == b"0"


def test_requests_come_back_evenly(clock: Clock) -> None:
    limits = KeyLimits(requests_per_minute=60, clock=clock)
    use(limits, times=60)
    clock.now += 3.0
    use(limits, times=3)
    refused(limits)
    clock.now += 3600
    use(limits, times=60)
    refused(limits)


def test_a_refused_request_uses_nothing_up(clock: Clock) -> None:
    limits = KeyLimits(requests_per_minute=1, max_parallel_requests=1, clock=clock)
    limits.enter()
    for _ in range(10):
        refused(limits)
    limits.leave()
    assert limits.running == 0
    clock.now += 60
    limits.enter()


def test_tokens_are_taken_after_the_answer_even_more_than_are_left(clock: Clock) -> None:
    limits = KeyLimits(tokens_per_minute=600, clock=clock)
    limits.enter()
    limits.enter()
    limits.leave(500)
    limits.leave(700)
    error = refused(limits)
    assert "600 tokens per minute" in str(error)
    # 600 too many at 10 a second, and the one that is asked for.
    assert error.retry_after == pytest.approx(60.1)
    assert headers_of(limits)["x-ratelimit-remaining-tokens"] == "0"
    clock.now += 60.1
    limits.enter()


def test_parallel_requests_are_those_in_flight(clock: Clock) -> None:
    limits = KeyLimits(max_parallel_requests=2, clock=clock)
    limits.enter()
    limits.enter()
    assert limits.running == 2
    error = refused(limits)
    assert "2 parallel requests" in str(error)
    assert error.retry_after == 1.0
    limits.leave()
    limits.enter()
    assert limits.headers() == []


def test_who_has_too_many_in_flight_waits_as_long_as_they_take(clock: Clock) -> None:
    limits = KeyLimits(max_parallel_requests=1, clock=clock)
    for _ in range(3):
        clock.now += 100
        limits.enter()
        clock.now += 4
        limits.leave()
    limits.enter()
    assert refused(limits).retry_after == pytest.approx(4.0)


def test_the_limit_that_holds_longest_is_named(clock: Clock) -> None:
    limits = KeyLimits(requests_per_minute=60, tokens_per_minute=60, max_parallel_requests=1, clock=clock)
    use(limits, times=59)
    use(limits, tokens=90)
    error = refused(limits)
    assert "60 tokens per minute" in str(error)
    assert error.retry_after == pytest.approx(31.0)
    assert "try again in 31s" in str(error)


@pytest.mark.parametrize(
    ("amounts", "names"),
    [
        ({"requests_per_minute": 9}, {"requests"}),
        ({"tokens_per_minute": 9}, {"tokens"}),
        ({"requests_per_minute": 9, "tokens_per_minute": 9}, {"requests", "tokens"}),
    ],
)
def test_headers_tell_of_the_limits_that_are_set(amounts: dict[str, Any], names: set[str]) -> None:
    limits = KeyLimits(**amounts)
    assert set(headers_of(limits)) == {
        f"x-ratelimit-{word}-{name}" for name in names for word in ("limit", "remaining", "reset")
    }


def test_headers_tell_what_is_left_and_when_all_of_it_is_back(clock: Clock) -> None:
    limits = KeyLimits(requests_per_minute=60, tokens_per_minute=1000, clock=clock)
    assert headers_of(limits)["x-ratelimit-reset-requests"] == "0s"
    use(limits, tokens=144)
    assert headers_of(limits) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "856",
        "x-ratelimit-reset-tokens": "8.64s",
    }
    clock.now += 0.5
    assert headers_of(limits)["x-ratelimit-remaining-requests"] == "59"
    assert headers_of(limits)["x-ratelimit-reset-requests"] == "500ms"


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (120, "120ms"),
        (1_000, "1s"),
        (59_999, "59.999s"),
        (60_000, "1m0s"),
        (90_500, "1m30.5s"),
        (360_000, "6m0s"),
        (3_600_000, "1h0m0s"),
        (7_261_000, "2h1m1s"),
    ],
)
def test_durations_are_written_as_openai_does(tokens: int, text: str, clock: Clock) -> None:
    limits = KeyLimits(tokens_per_minute=60_000, clock=clock)
    use(limits, tokens=tokens)
    assert headers_of(limits)["x-ratelimit-reset-tokens"] == text


def test_each_of_several_workers_gives_its_share_and_says_so(clock: Clock) -> None:
    limits = KeyLimits(requests_per_minute=10, workers=4, clock=clock)
    use(limits, times=3)
    assert "3 requests per minute (its share in one of 4 worker processes)" in str(refused(limits))
    assert headers_of(limits)["x-ratelimit-limit-requests"] == "3"


def test_what_is_left_of_a_very_large_limit_is_never_more_than_it(clock: Clock) -> None:
    headers = headers_of(KeyLimits(tokens_per_minute=10**9, clock=clock))
    assert headers["x-ratelimit-remaining-tokens"] == headers["x-ratelimit-limit-tokens"] == "1000000000"


@pytest.mark.parametrize("name", ["requests_per_minute", "tokens_per_minute", "max_parallel_requests"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    amounts: dict[str, Any] = {name: 0}
    with pytest.raises(InputError, match=f"{name} is 0"):
        KeyLimits(**amounts)


@given(
    limit=st.integers(1, 30) | st.integers(1, 100_000),
    start=st.floats(0, 1e7),
    pauses=st.lists(st.floats(0, 3) | st.floats(0, 90), max_size=60),
)
def test_who_waits_as_long_as_told_gets_in_and_never_more_than_the_limit(
    limit: int, start: float, pauses: list[float]
) -> None:
    clock = Clock()
    clock.now = start
    limits = KeyLimits(requests_per_minute=limit, clock=clock)
    for taken, pause in enumerate(pauses, start=1):
        clock.now += pause
        try:
            use(limits)
        except KeyLimitError as error:
            clock.now += error.retry_after or 0.0
            use(limits)
        assert 0 <= int(headers_of(limits)["x-ratelimit-remaining-requests"]) < limit
        assert taken <= limit + (clock.now - start) * limit / 60 + 1e-3
