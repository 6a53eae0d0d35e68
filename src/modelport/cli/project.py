"""The project that `modelport new` writes: names, files of templates, and what to do next."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import msgspec

from modelport.values.errors import InputError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_SUFFIX = ".tmpl"
_ABOUT = {
    "text": "A text model",
    "chat": "A chat model",
    "handler": "A custom LLM handler",
    "embedding": "An embedding model",
}
_PARAMS = {"embedding": "{length: 16}"}
_PLACES = {"model.py": "{module}.py", "gitignore": ".gitignore"}
"""Where files go that have another name than their template."""
_PARTS = ("own_test.py", "try_it.md")
"""Templates of a kind that other files have inside them."""
_TAKEN = {"test", "tests", "modelport", "pytest", "litellm", "conftest", "setup", "config"}
"""Module names that would hide others, beside the standard library's."""
_MODELS = ("LLM", "ChatModel", "EmbeddingModel", "CustomLLM", "ModelConformance")
_IMPORTED = {*_MODELS, "AIMessage", "HumanMessage", "SystemMessage", "Any", "Iterator"}
"""What the templates import, which no class of theirs can be called."""


class _FileTemplate(Template):
    """Is a template in which `%%{name}` stands for a value: `$`, `@` and `{` are Makefiles', YAML's and Python's."""

    delimiter = "%%"


class Project(msgspec.Struct, frozen=True):
    """Is a project to be written."""

    name: str
    """What it is called: the folder, the package, and the model behind the gateway."""
    kind: str
    """text, chat, handler or embedding."""
    folder: Path
    """Where it goes."""

    @classmethod
    def named(cls, name: str, kind: str, folder: Path | None) -> Project:
        """Return a project after checking its name and its place.

        Raises:
            InputError: The name is none for a module and a class, or the folder has something in it.
        """
        _check_name(name)
        place = folder if folder is not None else Path(name)
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(f"{str(place)!r} is there already; choose another name, or another --directory")
        return cls(name, kind, place)

    @property
    def module(self) -> str:
        """The name of the model's module."""
        return self.name.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The name of the model's class."""
        return "".join(part[:1].upper() + part[1:] for part in re.split("[-_]", self.name))

    def write(self) -> Iterator[Path]:
        """Write the files; yield each.

        Raises:
            InputError: One cannot be written.
        """
        for place, text in self._files().items():
            file = self.folder / place
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("x", encoding="utf-8") as opened:
                    opened.write(text)
            except OSError as error:
                raise InputError(f"{str(file)!r} cannot be written: {error.strerror or error}") from None
            yield file

    def next_steps(self) -> list[str]:
        """Return what to type next."""
        model = f"{self.module}:{self.class_name}"
        return [
            "next:",
            f"  cd {shlex.quote(str(self.folder))}",
            "  make test    # passes as it is; tells what is wrong when you have changed the model",
            "  make serve   # http://127.0.0.1:4000/v1, for every OpenAI client",
            f'  modelport call {model} "hello there"',
        ]

    def _files(self) -> dict[str, str]:
        """Return the texts by their places in the project, the model first."""
        root = files("modelport.cli") / "templates"
        values = {
            "name": self.name,
            "distribution": self.name,
            "module": self.module,
            "cls": self.class_name,
            "about": _ABOUT[self.kind],
            "params": _PARAMS.get(self.kind, "{loud: false}"),
        }
        own = dict(_templates(root / self.kind))
        for part in _PARTS:
            text = _FileTemplate(own.pop(part)).substitute(values)
            values[part.partition(".")[0]] = text.rstrip("\n")
        templates = {**own, **dict(sorted(_templates(root / "project")))}
        return {self._place(name): _FileTemplate(text).substitute(values) for name, text in templates.items()}

    def _place(self, name: str) -> str:
        return _PLACES.get(name, name).format(module=self.module)


def _templates(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the templates below a folder: their places, without the suffix, and their texts."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield prefix + entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")


def _check_name(name: str) -> None:
    """Refuse a name that is none for a folder, a module and a class.

    Raises:
        InputError: It is one; the message says why, and what would do.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name):
        near = re.sub(r"[^a-z0-9]+", "-", name.strip().lower()).strip("-0123456789")
        hint = f"; try {near!r}" if near and near != name and near not in _TAKEN else ""
        raise InputError(
            f"{name!r} cannot be a project's name: it is small letters, digits and single '-', a letter first{hint}"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in _TAKEN or _is_installed(module):
        raise InputError(f"{name!r} cannot be a project's name: Python has a {module!r} already; try 'my-{name}'")
    class_name = "".join(part[:1].upper() + part[1:] for part in re.split("[-_]", name))
    if class_name in _IMPORTED:
        raise InputError(f"{name!r} cannot be a project's name: its files import a {class_name}; try 'my-{name}'")


def _is_installed(module: str) -> bool:
    """Tell whether a package has a module of that name: `import torch` in a `torch.py` imports that file itself."""
    here = Path.cwd()
    folders = [folder for folder in sys.path if Path(folder).resolve() != here]
    found = PathFinder.find_spec(module, folders)
    return found is not None and found.origin is not None
