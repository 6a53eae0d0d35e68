"""Which files of its user this process has executed, and which of them have changed since.

A changed file is executed anew after `forget_changed`: its module leaves `sys.modules`, and so do the modules of the
user's other files that import it, directly or not. All else stays the very object that it is, so whoever loads an
import path again and gets the same object knows that nothing behind it has changed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import cache_from_source, resolve_name
from pathlib import Path
from types import ModuleType

import msgspec

_lock = threading.Lock()
_ENVIRONMENTS = frozenset({"site-packages", "dist-packages", "node_modules", ".venv", "venv"})


class _Loaded(msgspec.Struct, frozen=True):
    """Is a module as it was when it was executed."""

    module: ModuleType
    file: Path
    digest: bytes
    imports: frozenset[str]
    """The names of what its source imports, whether modules or not."""


_loaded: dict[str, _Loaded] = {}
_prefixes: tuple[str, ...] = ()
"""The folders of the files that were loaded, each with a slash at its end."""


def note_loaded(file: Path) -> None:
    """Note a file that has just been executed, and those beside and below it that its imports have executed."""
    global _prefixes
    prefix = f"{file.resolve().parent}{os.sep}"
    with _lock:
        if prefix not in _prefixes:
            _prefixes = (*_prefixes, prefix)
        _note_modules()


def loaded_files() -> set[Path]:
    """Return the user's files that are modules of this process."""
    with _lock:
        _note_modules()
        return {entry.file for entry in _loaded.values()}


def forget_changed() -> dict[str, ModuleType]:
    """Take the modules of changed files, and those that import them, out of `sys.modules`; return them by name."""
    with _lock:
        _note_modules()
        gone = {name for name, entry in _loaded.items() if _digest(entry.file) != entry.digest}
        while more := {name for name, entry in _loaded.items() if name not in gone and entry.imports & gone}:
            gone |= more
        forgotten: dict[str, ModuleType] = {}
        for name in gone:
            entry = _loaded.pop(name)
            forgotten[name] = entry.module
            # Python takes compiled code for fresh when second and size are the same.
            with suppress(OSError, NotImplementedError):
                Path(cache_from_source(str(entry.file))).unlink()
            if sys.modules.get(name) is forgotten[name]:
                del sys.modules[name]
        importlib.invalidate_caches()
        return forgotten


def bring_back(modules: Mapping[str, ModuleType]) -> None:
    """Put forgotten modules back, as what was to replace them has failed; they count as changed until it works."""
    with _lock:
        for name, module in modules.items():
            sys.modules[name] = module
            entry = _entry(name, module)
            if entry is not None:
                _loaded[name] = msgspec.structs.replace(entry, digest=b"")


def digest_of(files: set[Path]) -> bytes:
    """Return what changes when one of these files does."""
    return b"".join(_digest(file) for file in sorted(files))


def _note_modules() -> None:
    for name, module in list(sys.modules.items()):
        known = _loaded.get(name)
        if known is not None and known.module is module:
            continue
        entry = _entry(name, module)
        if entry is not None:
            _loaded[name] = entry


def _entry(name: str, module: ModuleType) -> _Loaded | None:
    place = getattr(module, "__file__", None)
    if not isinstance(place, str) or not place.startswith(_prefixes) or not place.endswith(".py"):
        return None
    if name == "__main__" or name.partition(".")[0] == "modelport":
        return None
    inner = next(place.removeprefix(prefix) for prefix in _prefixes if place.startswith(prefix))
    if _ENVIRONMENTS.intersection(inner.split(os.sep)):
        return None
    file = Path(place)
    try:
        source = file.read_bytes()
    except OSError:
        return None
    return _Loaded(module, file, hashlib.sha256(source).digest(), _imports(source, module))


def _imports(source: bytes, module: ModuleType) -> frozenset[str]:
    names: set[str] = set()
    package = module.__package__ or ""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                steps = alias.name.split(".")
                names.update(".".join(steps[: count + 1]) for count in range(len(steps)))
        elif isinstance(node, ast.ImportFrom):
            try:
                base = resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:
                continue
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(names)


def _digest(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""
