"""Executes Python files as modules: each once per process, its folder importable.

A file keeps one module however it is reached: by path, by name, or as the script that runs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType

_lock = threading.RLock()


def make_importable(folder: Path) -> None:
    """Put a folder in front of the places that `import` looks at, unless it is one already."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def module_of_file(file: Path) -> ModuleType:
    """Return the module of a Python file; the file is executed unless it has been.

    Raises:
        Exception: Whatever the file raised while it was executed, unchanged; the next call executes it again.
    """
    file = file.resolve()
    with _lock:
        known = _loaded(file)
        if known is not None:
            return known
        make_importable(file.parent)
        name = _free_name(file)
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file.name} is no Python file", path=str(file))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        # A file may put another object in its place.
        return sys.modules.get(name, module)


def _loaded(file: Path) -> ModuleType | None:
    for module in list(sys.modules.values()):
        place = getattr(module, "__file__", None)
        if isinstance(place, str) and Path(place).name == file.name and Path(place).resolve() == file:
            return module
    return None


def _free_name(file: Path) -> str:
    """Return the file's stem, made distinct when another module has that name (`code.py` beside a config)."""
    if file.stem not in sys.modules:
        return file.stem
    return f"{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
