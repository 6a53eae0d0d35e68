"""Executes Python files as modules: each once per process, its folder importable.

A file keeps one module however it is reached: by path, by name, or as the script that runs. A file in a package (its
folder has an `__init__.py`) is that package's module, so its relative imports work.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import zlib
from pathlib import Path
from types import ModuleType

from modelport.registry.aliases import expect_aliases_in, import_aliases
from modelport.registry.loaded_files import note_loaded

_lock = threading.RLock()
_INIT = "__init__.py"


def make_importable(folder: Path) -> None:
    """Put a folder in front of the places that `import` looks at, unless it is one already."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def module_of_file(file: Path, name: str | None = None) -> ModuleType:
    """Return the module of a Python file; the file is executed unless it has been.

    Args:
        file: The file.
        name: The module's name where imports look, when it has one (`a.b` of `a/b.py`); it is used when it leads to
            this file.

    Raises:
        Exception: Whatever the file raised while it was executed, unchanged; the next call executes it again.
    """
    file = file.resolve()
    with _lock:
        known = _loaded(file)
        if known is None:
            expect_aliases_in(file.read_bytes())
            with import_aliases():
                known = _imported(file, name)
        note_loaded(file)
        return known


def _imported(file: Path, name: str | None) -> ModuleType:
    if (file.parent / _INIT).is_file():
        return _module_in_package(file)
    if name is not None and "." in name and _leads_to(name, file):
        return importlib.import_module(name)
    make_importable(file.parent)
    return _executed(file, _free_name(file.stem, file))


def module_by_name(name: str) -> ModuleType:
    """Return the module that an import by name gives.

    Raises:
        Exception: Whatever its import raised, unchanged.
    """
    with import_aliases():
        module = importlib.import_module(name)
    place = getattr(module, "__file__", None)
    if isinstance(place, str) and place.endswith(".py"):
        expect_aliases_in(Path(place).read_bytes())
    return module


def _executed(file: Path, name: str, folders: list[str] | None = None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folders)
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


def _module_in_package(file: Path) -> ModuleType:
    """Return the module of a file in a package: the package is imported first, by its own name where that is free."""
    top = file.parent
    while (top.parent / _INIT).is_file():
        top = top.parent
    inner = file.relative_to(top).with_suffix("").parts
    steps = inner[:-1] if file.name == _INIT else inner
    make_importable(top.parent)
    if _leads_to(top.name, top / _INIT):
        package = top.name
        importlib.import_module(package)
    else:
        known = _loaded(top / _INIT)
        package = _free_name(top.name, top) if known is None else known.__name__
        if known is None:
            _executed(top / _INIT, package, [str(top)])
    if str(file.parent) not in sys.path:
        # Neighbours by their bare names too, but a `types.py` among them is not what everybody means.
        sys.path.append(str(file.parent))
    return importlib.import_module(".".join([package, *steps]))


def _leads_to(name: str, file: Path) -> bool:
    """Tell whether importing a name gives this file."""
    importlib.invalidate_caches()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == file


def _loaded(file: Path) -> ModuleType | None:
    for module in list(sys.modules.values()):
        place = getattr(module, "__file__", None)
        if isinstance(place, str) and Path(place).name == file.name and Path(place).resolve() == file:
            return module
    return None


def _free_name(name: str, path: Path) -> str:
    """Return a name, made distinct when another module has it (`code.py` beside a config)."""
    if name not in sys.modules:
        return name
    return f"{name}_{zlib.crc32(str(path).encode()):08x}"
