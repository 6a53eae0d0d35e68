"""Fixtures of the models' tests."""

from __future__ import annotations

import pytest

from modelport.registry import providers


@pytest.fixture
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after the test which handlers it registered."""
    monkeypatch.setattr(providers, "_registered", dict(providers._registered))
