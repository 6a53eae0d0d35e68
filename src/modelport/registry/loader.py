"""Loads what a config or a command line names: `module:attr`, or `path/to/file.py:attr`."""

from __future__ import annotations

import difflib
import importlib
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from modelport.registry.files import make_importable, module_of_file
from modelport.values.errors import LoadError

FORM = "write 'module:attr' or 'path/to/file.py:attr'"
"""How an import path looks, for error messages."""


def load_object(use: str, folder: Path | None = None) -> Any:
    """Return the object that an import path names.

    A module is looked for beside the config file, in the current folder, and where `import` looks; a path is
    relative to the config file or to the current folder.

    Args:
        use: `module:attr` or `path/to/file.py:attr`; `attr` may have dots.
        folder: The config file's folder; None when there is none.

    Raises:
        LoadError: There is no such module, file or attribute, or importing it failed; the cause is the original
            error.
    """
    target, separator, attr = use.rpartition(":")
    if not separator or not target or not attr:
        raise LoadError(f"{use!r} names no object in a module; {FORM}")
    here = Path.cwd()
    folders = [here] if folder is None or folder.resolve() == here else [folder.resolve(), here]
    is_path = target.endswith(".py") or "/" in target or "\\" in target
    module = _module_of_path(target, folders) if is_path else _module_of_name(target, folders)
    return _attribute(module, target, attr)


def _module_of_path(target: str, folders: list[Path]) -> ModuleType:
    file = next((place / target for place in folders if (place / target).is_file()), None)
    if file is None:
        near = _near(Path(target).name, [one.name for place in folders for one in (place / target).parent.glob("*.py")])
        raise LoadError(f"there is no file {target!r} beside the config or in the current folder{near}")
    return _imported(target, lambda: module_of_file(file))


def _module_of_name(target: str, folders: list[Path]) -> ModuleType:
    if "." not in target:
        file = next((place / f"{target}.py" for place in folders if (place / f"{target}.py").is_file()), None)
        if file is not None:
            return _imported(target, lambda: module_of_file(file))
    for place in reversed(folders):
        make_importable(place)
    importlib.invalidate_caches()
    try:
        return _imported(target, lambda: importlib.import_module(target))
    except LoadError as error:
        missing = error.__cause__
        top = target.split(".", maxsplit=1)[0]
        if isinstance(missing, ModuleNotFoundError) and missing.name in (top, target):
            near = _near(top, [one.stem for place in folders for one in place.glob("*.py")])
            raise LoadError(f"there is no module {target!r}: {missing}{near}") from missing
        raise


def _imported(target: str, importing: Any) -> ModuleType:
    try:
        return importing()
    except (Exception, SystemExit) as error:
        raise LoadError(f"importing {target!r} failed: {described(error)}") from error


def described(error: BaseException) -> str:
    """Return an error's class, text, and the line of user code that raised it; of our own errors just the text."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
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
