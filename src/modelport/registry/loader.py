"""Loads what a config or a command line names: `module:attr`, `module.attr`, or `path/to/file.py:attr`."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from modelport.registry.aliases import add_import_alias
from modelport.registry.files import make_importable, module_by_name, module_of_file
from modelport.values.errors import LoadError

__all__ = ["FORM", "add_import_alias", "described", "load_object"]

FORM = "write 'module:attr', 'module.attr' or 'path/to/file.py:attr'"
"""How an import path looks, for error messages."""


def load_object(use: str, folder: Path | None = None) -> Any:
    """Return the object that an import path names.

    A module is looked for beside the config file, in the current folder, and where `import` looks; a path is
    relative to the config file or to the current folder. What it executes may use the import aliases.

    Args:
        use: `module:attr` or `path/to/file.py:attr`, where `attr` may have dots; or LiteLLM's form `module.attr`,
            which is split at its last dot.
        folder: The config file's folder; None when there is none.

    Raises:
        LoadError: There is no such module, file or attribute, or importing it failed; the cause is the original
            error.
    """
    target, attr = _split(use)
    here = Path.cwd()
    folders = [here] if folder is None or folder.resolve() == here else [folder.resolve(), here]
    module = _module_of_path(target, folders) if _is_path(target) else _module_of_name(target, folders)
    return _attribute(module, target, attr)


def _split(use: str) -> tuple[str, str]:
    target, separator, attr = use.rpartition(":")
    if not separator and not _is_path(use):
        target, _, attr = use.rpartition(".")
    if not target or not attr or (not _is_path(target) and not all(target.split("."))):
        raise LoadError(f"{use!r} names no object in a module; {FORM}")
    return target, attr


def _is_path(target: str) -> bool:
    return target.endswith(".py") or "/" in target or "\\" in target


def _module_of_path(target: str, folders: list[Path]) -> ModuleType:
    file = next((place / target for place in folders if (place / target).is_file()), None)
    if file is None:
        near = _near(Path(target).name, [one.name for place in folders for one in (place / target).parent.glob("*.py")])
        raise LoadError(f"there is no file {target!r} beside the config or in the current folder{near}")
    return _imported(target, lambda: module_of_file(file))


def _module_of_name(target: str, folders: list[Path]) -> ModuleType:
    for place in reversed(folders):
        make_importable(place)
    file = _file_of_name(target, folders)
    if file is not None:
        return _imported(target, lambda: module_of_file(file, target))
    importlib.invalidate_caches()
    try:
        return _imported(target, lambda: module_by_name(target))
    except LoadError as error:
        missing = error.__cause__
        top = target.split(".", maxsplit=1)[0]
        if isinstance(missing, ModuleNotFoundError) and missing.name in (top, target):
            near = _near(top, [one.stem for place in folders for one in place.glob("*.py")])
            raise LoadError(f"there is no module {target!r}: {missing}{near}") from missing
        raise


def _file_of_name(target: str, folders: list[Path]) -> Path | None:
    for place in folders:
        path = place.joinpath(*target.split("."))
        for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


def _imported(target: str, importing: Any) -> ModuleType:
    try:
        return importing()
    except (Exception, SystemExit) as error:
        raise LoadError(f"importing {target!r} failed: {described(error)}") from error


def described(error: BaseException) -> str:
    """Return an error's class, text, and the line of user code that raised it; of our own errors just the text."""
    text = f"{type(error).__name__}: {error}{_near_import(error)}".removesuffix(": ")
    if isinstance(error, SyntaxError):
        return text
    ours = str(Path(__file__).parent.parent)
    trace = traceback.extract_tb(error.__traceback__)
    frames = [
        frame for frame in trace if not frame.filename.startswith(("<", ours)) and frame.filename != importlib.__file__
    ]
    if not frames and trace and trace[-1].filename.startswith(ours):
        return str(error)
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else text


def _near_import(error: BaseException) -> str:
    """Return a hint for `from module import name` with a name that is not there."""
    said = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
    module = sys.modules.get(said[2]) if said is not None and isinstance(error, ImportError) else None
    return _near(said[1], dir(module)) if said is not None and module is not None else ""


def _attribute(module: ModuleType, target: str, attr: str) -> Any:
    value: Any = module
    for step in attr.split("."):
        try:
            value = getattr(value, step)
        except AttributeError:
            names: list[str] = [name for name in dir(value) if not name.startswith("_")]
            raise LoadError(f"{target!r} has no {attr!r}{_near(step, names)}") from None
    return value


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near and near[0] != name else ""
