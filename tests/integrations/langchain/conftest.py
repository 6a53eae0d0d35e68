"""Every test here needs langchain-core; names that a test registers are forgotten after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import modelport
from modelport.registry.providers import unregister

pytest.importorskip("langchain_core", reason="langchain-core is not installed")

Register = Callable[..., None]


@pytest.fixture
def register() -> Iterator[Register]:
    """Register a model for this test."""
    names: list[str] = []

    def register(name: str, model: Any, **fields: Any) -> None:
        modelport.register(name, model, **fields)
        names.append(name)

    yield register
    for name in names:
        unregister(name)
