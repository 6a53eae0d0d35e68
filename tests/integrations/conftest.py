"""What the tests of the LiteLLM namespace share: the process as it was before, and LiteLLM not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from modelport.integrations import litellm
from modelport.sdk.settings import settings
from tests.imports_undone import imports_undone

LISTS = ("custom_provider_map", "provider_list", "_custom_providers", "callbacks", "success_callback")


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Take back what a test adds to the process: settings, modules of its files, import folders, the alias in use."""
    for name in LISTS:
        monkeypatch.setattr(litellm, name, list(getattr(litellm, name)))
    monkeypatch.setattr(settings, "drop_params", settings.drop_params)
    with imports_undone(monkeypatch, tmp_path):
        yield


@pytest.fixture
def without_litellm() -> None:
    """Make sure that what is tested is the stand-in."""
    with pytest.raises(PackageNotFoundError):
        version("litellm")
    assert "litellm" not in sys.modules
