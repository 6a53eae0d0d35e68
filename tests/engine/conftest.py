"""Fixtures of the engine's tests: a cache of each kind, a batcher's entrance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelport import Cache, LRUCache, SQLiteCache
from modelport.engine import flights
from modelport.engine.batcher import Batcher
from tests.engine.batched_models import Entrance
from tests.engine.cached_models import ASKED


@pytest.fixture
def nothing_asked() -> Iterator[None]:
    """Forget what was asked before the test; no call may still lead after it."""
    ASKED.clear()
    yield
    assert not flights._flights, "a call still leads"


@pytest.fixture(params=["memory", "sqlite"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    if request.param == "memory":
        yield LRUCache()
        return
    with SQLiteCache(tmp_path / "answers.sqlite") as store:
        yield store


@pytest.fixture
def entrance(monkeypatch: pytest.MonkeyPatch) -> Entrance:
    """Count who enters a batcher's queue."""
    entrance, enter = Entrance(), Batcher._enter

    def counted(self: Batcher, items: Any) -> bool:
        is_idle = enter(self, items)
        entrance.enter(len(items))
        return is_idle

    monkeypatch.setattr(Batcher, "_enter", counted)
    return entrance
