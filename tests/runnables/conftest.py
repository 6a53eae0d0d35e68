"""Fixtures of the runnables' tests: time that does not pass, a gate that holds functions back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelport.runnables import backoff
from modelport.testing.gates import Gate


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no time pass: what would be waited is kept, without the random part."""
    waited: list[float] = []

    async def asleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(backoff, "sleep", waited.append)
    monkeypatch.setattr(backoff, "asleep", asleep)
    monkeypatch.setattr(backoff, "jitter", lambda: 0.0)
    return waited


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Hold what blocks back until the test is over."""
    with Gate() as gate:
        yield gate
