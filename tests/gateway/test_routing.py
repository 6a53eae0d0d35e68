"""Which deployment answers a name."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.gateway.routing import Route, Router, is_retryable
from modelport.values.errors import CustomLLMError, InputError, ModelNotFoundError, ModelTimeoutError
from modelport.values.status_errors import RateLimitError, UnavailableError


class Gate:
    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0


class Breaker:
    def __init__(self) -> None:
        self.closed = True
        self.seconds_left = 7.0

    def allows(self) -> int:
        return int(self.closed)


class Deployment:
    """Has what routing looks at."""

    def __init__(self, name: str, filled_with: str | None = None) -> None:
        self.name = name
        self.gate = Gate()
        self.breaker: Any = Breaker()
        self.filled_with = filled_with

    def filled(self, name: str) -> Any:
        return Deployment(self.name, name)


def route(name: str, *deployments: Deployment) -> Any:
    several: Any = deployments or (Deployment(name),)
    return Route(name, several)


def test_an_exact_name_wins_over_a_wildcard_and_an_alias_leads_to_its_name() -> None:
    router = Router([route("gpt-*"), route("gpt-4o")], {"best": "gpt-4o"})
    assert router.route("gpt-4o").name == "gpt-4o"
    assert router.route("best").name == "gpt-4o"
    assert router.route("gpt-5").name == "gpt-*"


def test_the_most_particular_wildcard_answers() -> None:
    router = Router([route("*"), route("gpt-*"), route("gpt-4*")])
    assert [router.route(name).name for name in ("gpt-4o", "gpt-5", "claude")] == ["gpt-4*", "gpt-*", "*"]


@pytest.mark.parametrize(
    ("pattern", "asked", "filled"),
    [
        ("openai/*", "openai/gpt-4o", "gpt-4o"),
        ("gpt-*", "gpt-4o", "gpt-4o"),
        ("*", "a/b", "a/b"),
        ("my/*-large", "my/x-large", "my/x-large"),
    ],
)
def test_a_wildcard_after_a_slash_stands_for_the_rest_any_other_for_the_whole_name(
    pattern: str, asked: str, filled: str
) -> None:
    found: Any = Router([route(pattern)]).route(asked).deployments[0]
    assert found.filled_with == filled


@pytest.mark.parametrize("name", ["", "gpt-", "GPT-4", "my/large"])
def test_a_name_that_nothing_matches_is_not_found(name: str) -> None:
    with pytest.raises(ModelNotFoundError):
        Router([route("gpt-*"), route("my/*-large")]).route(name)


def test_a_near_name_is_told() -> None:
    with pytest.raises(ModelNotFoundError, match="did you mean 'my-model'"):
        Router([route("my-model")]).route("my-modle")


def test_wildcards_are_not_listed_for_nobody_can_call_them_as_they_are() -> None:
    assert Router([route("a"), route("b-*")], {"c": "a", "d": "nobody"}).names() == ["a", "c"]


def test_the_least_busy_deployment_is_chosen_and_equal_ones_take_turns() -> None:
    one, two = Deployment("m/0"), Deployment("m/1")
    both = route("m", one, two)
    assert {both.choose()[0].name, both.choose()[0].name} == {"m/0", "m/1"}
    one.gate.running = 3
    two.gate.waiting = 2
    assert both.choose() == (two, 1)


def test_those_not_yet_tried_come_first_however_busy() -> None:
    one, two = Deployment("m/0"), Deployment("m/1")
    two.gate.running = 5
    assert route("m", one, two).choose([one]) == (two, 1)


def test_a_deployment_that_is_left_alone_is_passed_over() -> None:
    one, two = Deployment("m/0"), Deployment("m/1")
    one.breaker.closed = False
    assert [route("m", one, two).choose() for _ in range(4)] == [(two, 1)] * 4


def test_when_all_are_left_alone_the_error_says_when_to_come_back() -> None:
    one, two = Deployment("m/0"), Deployment("m/1")
    one.breaker.closed = two.breaker.closed = False
    two.breaker.seconds_left = 3.0
    with pytest.raises(UnavailableError) as caught:
        route("m", one, two).choose()
    assert (caught.value.retry_after, caught.value.code) == (3.0, "model_unavailable")


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ValueError("x"), True),
        (CustomLLMError(500, "x"), True),
        (CustomLLMError(408, "x"), True),
        (RateLimitError("x"), True),
        (ModelTimeoutError("x"), True),
        (CustomLLMError(400, "x"), False),
        (InputError("x"), False),
        (CustomLLMError(422, "x"), False),
    ],
)
def test_only_what_another_attempt_may_change_is_tried_again(error: Exception, again: bool) -> None:
    assert is_retryable(error) is again
