"""Every public name has its place in the reference; `make docs` holds the built site to the same."""

from __future__ import annotations

import importlib
import inspect
import re
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md")))
ENTRIES = set(re.findall(r"^\.\. auto(?:class|function|exception|data):: (\S+)$", TEXT, re.M))
LISTED = set(re.findall(r"^```\{names\} (\S+)$", TEXT, re.M)) | set(
    re.findall(r"^\.\. automodule:: (\S+)$", TEXT, re.M)
)
PATTERNS = {
    f"{module}.{pattern}"
    for module, patterns in re.findall(r"^```\{classes\} (\S+) (.+)$", TEXT, re.M)
    for pattern in patterns.split()
}
MODULES = [
    "modelport",
    "modelport.testing",
    "modelport.testing.pytest",
    "modelport.providers",
    "modelport.testing.wire",
    "modelport.integrations.langchain",
    "modelport.integrations.litellm",
]


def public_names(module: ModuleType) -> list[str]:
    names = getattr(module, "__all__", None) or [name for name in dir(module) if is_offered(name, module)]
    return [name for name in names if not name.startswith("_")]


def is_offered(name: str, module: ModuleType) -> bool:
    """Tell whether a module without `__all__` offers a name: a package what its modules have, a module its own."""
    value = getattr(module, name)
    home = getattr(value, "__module__", None) or ""
    inside = f"{module.__name__}." if hasattr(module, "__path__") else module.__name__
    return not inspect.ismodule(value) and home.startswith(inside)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_an_entry(module: str) -> None:
    names = public_names(importlib.import_module(module))
    assert names
    missing = {name for name in names if not has_entry(f"{module}.{name}")}
    assert missing == set() or module in LISTED


def has_entry(name: str) -> bool:
    return name in ENTRIES or any(fnmatchcase(name, pattern) for pattern in PATTERNS)


def test_every_entry_is_a_name_that_there_is() -> None:
    for entry in sorted(ENTRIES | {f"{module}.__name__" for module in LISTED}):
        module, _, name = entry.rpartition(".")
        assert hasattr(importlib.import_module(module), name), f"{entry} is in the reference, and is not there"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_says_what_it_is(module: str) -> None:
    home = importlib.import_module(module)
    silent = [
        name
        for name in public_names(home)
        if callable(getattr(home, name)) and not (inspect.getdoc(getattr(home, name)) or "").strip()
    ]
    assert silent == []
