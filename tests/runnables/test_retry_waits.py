"""`with_retry`: what is waited before an attempt, and which deadline ends the waiting."""

from __future__ import annotations

import datetime as dt
import email.message
import email.utils
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport import (
    LLM,
    ModelTimeoutError,
    RunnableLambda,
)
from modelport.runnables import backoff
from modelport.testing.gates import Gate
from tests.runnables.failing import DownError, Flaky, with_attribute
from tests.runnables.ways import WAYS, every_way

pytestmark = pytest.mark.usefixtures("waits")


# ── deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_way
async def test_the_calls_own_timeout_is_not_tried_again(way: str, gate: Gate, waits: list[float]) -> None:
    calls: list[str] = []

    def blocks(value: str) -> str:
        calls.append(value)
        gate.wait()
        return value

    with pytest.raises(ModelTimeoutError):
        await WAYS[way](RunnableLambda(blocks).with_retry(), "a", {"timeout": 0.02})
    assert len(calls) <= 1
    assert waits == []


@every_way
async def test_a_timeout_inside_is_tried_again(way: str, gate: Gate, waits: list[float]) -> None:
    calls: list[str] = []

    def blocks_once(value: str) -> str:
        calls.append(value)
        if len(calls) == 1:
            gate.wait()
        return value.upper()

    chain = RunnableLambda(blocks_once).with_timeout(0.2).with_retry(wait_exponential_jitter=False)
    assert await WAYS[way](chain, "a", {"timeout": 60}) == "A"
    assert calls == ["a", "a"]


@pytest.mark.parametrize("config", [{"timeout": 30}, {"timeout": 300, "first_token_timeout": 30}])
@every_way
async def test_a_wait_that_would_outlast_the_deadline_is_not_begun(way: str, config: Any, waits: list[float]) -> None:
    error = DownError("down")
    error.retry_after = 31  # type: ignore[attr-defined]
    with pytest.raises(DownError) as raised:
        await WAYS[way](RunnableLambda(Flaky(9, lambda _: error)).with_retry(), "a", config)
    assert raised.value is error
    assert waits == []
    error.retry_after = 5  # type: ignore[attr-defined]
    assert await WAYS[way](RunnableLambda(Flaky(1, lambda _: error)).with_retry(), "a", config) == "A"
    assert waits == [5.0]


@every_way
async def test_all_attempts_share_one_deadline(way: str) -> None:
    seen: list[float | None] = []

    class Deadlines(LLM):
        def _call(self, prompt: str, run_manager: Any = None) -> str:
            seen.append(run_manager.deadline)
            if len(seen) < 3:
                raise DownError
            return prompt

    await WAYS[way](Deadlines().with_retry(), "a", {"timeout": 60})
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0] is not None


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def with_response(headers: Any) -> Exception:
    error = DownError("down")
    error.response = SimpleNamespace(headers=headers)  # type: ignore[attr-defined]
    return error


def headers_of(text: str) -> email.message.Message:
    headers = email.message.Message()
    headers["Retry-After"] = text
    return headers


NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


class OddError(Exception):
    """Has an attribute that raises."""

    @property
    def response(self) -> Any:
        raise RuntimeError("no response yet")


class FalsyResponse(SimpleNamespace):
    """Is false, as the response of a failed request is in some clients."""

    def __bool__(self) -> bool:
        return False


ASKED: dict[str, tuple[BaseException, float | None]] = {
    "nothing": (DownError("down"), None),
    "attribute": (with_attribute("retry_after", 7), 7.0),
    "attribute-fraction": (with_attribute("retry_after", 0.25), 0.25),
    "attribute-text": (with_attribute("retry_after", "7"), 7.0),
    "attribute-method": (with_attribute("retry_after", print), None),
    "attribute-bool": (with_attribute("retry_after", True), None),
    "response": (with_response({"retry-after": "12"}), 12.0),
    "response-capitals": (with_response({"Retry-After": "12"}), 12.0),
    "response-bytes": (with_response({"retry-after": b"12"}), 12.0),
    "response-falsy": (
        with_attribute("response", FalsyResponse(headers={"retry-after": "3"})),
        3.0,
    ),
    "own-headers": (with_attribute("headers", headers_of("9")), 9.0),
    "date": (with_response({"retry-after": email.utils.format_datetime(NOW, usegmt=True)}), 20.0),
    "date-passed": (
        with_response({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        None,
    ),
    "zero": (with_response({"retry-after": "0"}), 0.0),
    "negative": (with_response({"retry-after": "-5"}), None),
    "nan": (with_response({"retry-after": "nan"}), None),
    "infinite": (with_attribute("retry_after", float("inf")), None),
    "longest": (with_attribute("retry_after", 120), 120.0),
    "too-long": (with_attribute("retry_after", 121), None),
    "huge": (with_attribute("retry_after", 10**400), None),
    "words": (with_response({"retry-after": "soon"}), None),
    "no-map": (with_response(["retry-after"]), None),
    "raises": (OddError("down"), None),
}


@pytest.mark.parametrize(("error", "seconds"), ASKED.values(), ids=ASKED)
def test_a_failures_retry_after_is_read(
    error: BaseException, seconds: float | None, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "wall_clock", lambda: NOW.timestamp() - 20)
    flaky = Flaky(1, lambda _: error)
    assert RunnableLambda(flaky).with_retry(wait_exponential_jitter=False).invoke("a") == "A"
    assert waits == ([seconds] if seconds else [])
    assert backoff.retry_after_seconds(error) == seconds


@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.none()))
def test_whatever_a_server_sends_the_wait_is_bounded(value: Any) -> None:
    for error in (with_attribute("retry_after", value), with_response({"retry-after": value})):
        wait = backoff.wait_after(3, error, exponential_jitter=True)
        assert 4.0 <= wait <= 120.0


def test_the_longer_of_the_two_waits_is_made(waits: list[float]) -> None:
    flaky = Flaky(4, lambda _: with_attribute("retry_after", 3))
    RunnableLambda(flaky).with_retry(stop_after_attempt=5).invoke("a")
    assert waits == [3.0, 3.0, 4.0, 8.0]


def test_the_wait_grows_up_to_a_minute_and_is_jittered(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "jitter", lambda: 0.5)
    RunnableLambda(Flaky(2000)).with_retry(stop_after_attempt=2001).invoke("a")
    assert waits[:8] == [1.5, 2.5, 4.5, 8.5, 16.5, 32.5, 60.0, 60.0]
    assert max(waits) == 60.0
    monkeypatch.undo()
    jitters = {backoff.jitter() for _ in range(50)}
    assert len(jitters) > 1
    assert all(0 <= one <= 1 for one in jitters)


def test_without_exponential_jitter_nothing_is_waited_for_unasked(waits: list[float]) -> None:
    RunnableLambda(Flaky(2)).with_retry(wait_exponential_jitter=False).invoke("a")
    assert waits == []
