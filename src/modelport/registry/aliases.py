"""Import aliases: files that the loader executes may import a package that is not installed by another one's modules.

`add_import_alias("litellm", "modelport.integrations.litellm")` lets handler files that say `import litellm` load
unchanged. A package that is installed always wins; the alias gives the same module objects under both names.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_lock = threading.Lock()


def add_import_alias(name: str, module: str) -> None:
    """Let files that the loader executes import `module` as `name`, submodules too, where `name` is not installed.

    The alias holds while the loader executes a file. From the first file on that imports `name`, or has it in its
    text, it holds for the life of the process: methods may import it when they are called.

    Args:
        name: A top-level package's name.
        module: The package that stands in for it.
    """
    _finder.add(name, module)


@contextmanager
def import_aliases() -> Generator[None, None, None]:
    """Let imports use the aliases while a file is executed."""
    with _lock:
        _finder.loads += 1
        _finder.install()
    try:
        yield
    finally:
        with _lock:
            _finder.loads -= 1
            if not _finder.loads and not _finder.needed:
                _finder.remove()


def expect_aliases_in(source: bytes) -> None:
    """Keep the aliases for good when the text of a file has one's name in it."""
    if any(name.encode() in source for name in _finder.names()):
        with _lock:
            _finder.needed = True
            _finder.install()


class _AliasFinder:
    """Finds the modules that stand in for a package.

    It stands first, as the ordinary finder would load a stand-in's submodules a second time, and asks all others
    before it answers for a package itself.
    """

    def __init__(self) -> None:
        self.loads = 0
        """How many files are being executed."""
        self.needed = False
        """Whether a file has used an alias, or will."""
        self._modules: dict[str, str] = {}

    def add(self, name: str, module: str) -> None:
        """Take an alias."""
        self._modules[name] = module

    def names(self) -> list[str]:
        """Return the aliases' names."""
        return list(self._modules)

    def install(self) -> None:
        """Take part in imports."""
        if self._modules and self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Take part in imports no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        module = self._modules.get(top)
        if module is None:
            return None
        if rest:
            if sys.modules.get(top) is not sys.modules.get(module):
                return None  # the real package
        elif (real := self._spec_by_others(fullname, path, target)) is not None:
            return real
        self.needed = True
        stand_in = f"{module}.{rest}" if rest else module
        if not _exists(stand_in):
            return None
        loader: Any = _StandInLoader(stand_in)
        return ModuleSpec(fullname, loader, is_package=True)

    def _spec_by_others(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        """Return the spec of an installed package; a mere folder of that name, without `__init__.py`, is none."""
        for finder in sys.meta_path:
            find: Any = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None and spec.loader is not None:
                return spec
        return None


class _StandInLoader:
    """Loads one module by giving another."""

    def __init__(self, module: str) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import machinery takes from here what the import gives.
        sys.modules[module.__name__] = importlib.import_module(self._module)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


_finder = _AliasFinder()
