"""Taking back what a test's files add to the process by being imported."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelport.registry import aliases

if TYPE_CHECKING:
    import pytest


@contextmanager
def imports_undone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Generator[None]:
    """Take back modules of files in a folder, import folders, and `litellm` with what it stood for."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    finder = aliases._AliasFinder()
    finder.add("litellm", "modelport.integrations.litellm")
    monkeypatch.setattr(aliases, "_finder", finder)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        place: Any = getattr(sys.modules[name], "__file__", None)
        is_of_test = isinstance(place, str) and Path(place).is_relative_to(folder)
        if is_of_test or name.partition(".")[0] == "litellm":
            del sys.modules[name]
