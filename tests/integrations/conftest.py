"""What the tests of the LiteLLM namespace share: the process as it was before, and LiteLLM not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from modelport.integrations import litellm
from modelport.registry import aliases
from modelport.sdk.settings import settings

LISTS = ("custom_provider_map", "provider_list", "_custom_providers", "callbacks", "success_callback")


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Take back what a test adds to the process: settings, modules of its files, import folders, the alias in use."""
    for name in LISTS:
        monkeypatch.setattr(litellm, name, list(getattr(litellm, name)))
    monkeypatch.setattr(settings, "drop_params", settings.drop_params)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    finder = aliases._AliasFinder()
    finder.add("litellm", "modelport.integrations.litellm")
    monkeypatch.setattr(aliases, "_finder", finder)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        place: Any = getattr(sys.modules[name], "__file__", None)
        is_of_test = isinstance(place, str) and Path(place).is_relative_to(tmp_path)
        if is_of_test or name.partition(".")[0] == "litellm":
            del sys.modules[name]


@pytest.fixture
def without_litellm() -> None:
    """Make sure that what is tested is the stand-in."""
    with pytest.raises(PackageNotFoundError):
        version("litellm")
    assert "litellm" not in sys.modules
