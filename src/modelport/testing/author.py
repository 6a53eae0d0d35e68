"""What the author of a model wrote: the class itself, its fields, and which of them a docstring tells about."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from modelport.models.base import AuthoredModel
from modelport.testing.subject import Subject

_SECRET = re.compile(r"(^|_)(api_?keys?|access_?keys?|keys?_secret|secrets?|passwords?|passwd|credentials?|tokens?)$")
_NO_SECRET = re.compile(
    r"(^|_)(bos|eos|pad|unk|sep|cls|mask|stop|start|end|next|new|special|max|min|prompt|completion|total|input|output|"
    r"think|image|audio|user|assistant|system|num|n|count)_tokens?$"
)


def author_of(subject: Subject) -> type[Any]:
    """Return the author's class: of a handler's model the handler's."""
    if not hasattr(subject.cls, "__modelport_methods__"):
        return subject.cls
    handler: Any = subject.make().handler
    return handler.__class__


def own_fields(cls: type[Any]) -> dict[str, Any]:
    """Return the fields that an author declared, with their types."""
    if not issubclass(cls, AuthoredModel):
        return {}
    base: Any = next(one for one in cls.__mro__ if _is_framework(one))
    return {name: field.annotation for name, field in cls.model_fields.items() if name not in base.model_fields}


def init_arguments(cls: type[Any]) -> list[str]:
    """Return the arguments of an `__init__` that the author wrote; those of `*args` and `**kwargs` have no name."""
    init = next((one.__dict__["__init__"] for one in _written_by_author(cls) if "__init__" in one.__dict__), None)
    if init is None:
        return []
    parameters = list(inspect.signature(init).parameters.values())[1:]
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def is_secret_name(name: str) -> bool:
    """Tell whether a field's name says that it holds a secret: `api_key`, not `max_tokens` or `eos_token`."""
    return _SECRET.search(name.lower()) is not None and _NO_SECRET.search(name.lower()) is None


def documented_names(cls: type[Any]) -> frozenset[str]:
    """Return the fields and arguments that some docstring or description of the class tells about."""
    found: set[str] = set()
    for one in _written_by_author(cls):
        found |= _described(one) | _field_docstrings(one)
        for text in (one.__dict__.get("__doc__"), getattr(one.__dict__.get("__init__"), "__doc__", None)):
            found |= set(_named_in(text or ""))
    return frozenset(found)


def _written_by_author(cls: type[Any]) -> Iterator[type[Any]]:
    """Yield the class and those it inherits from, up to the framework's."""
    for one in cls.__mro__:
        if one is object or _is_framework(one):
            return
        yield one


def _is_framework(cls: type[Any]) -> bool:
    return cls.__module__.startswith(("modelport.models.", "pydantic.", "litellm."))


def _described(cls: type[Any]) -> set[str]:
    """Return the fields with a `description`: `Field(description=…)`, or pydantic's `use_attribute_docstrings`."""
    fields: dict[str, Any] = getattr(cls, "model_fields", {})
    return {name for name, field in fields.items() if field.description}


def _named_in(text: str) -> Iterator[str]:
    """Yield the names that a docstring lists: `name: …`, `name (int): …`, `:param name: …`, `` `name` ``."""
    for match in re.finditer(r"^\s*(?::param\s+(?:\w+\s+)?)?`{0,2}(\w+)`{0,2}\s*(?:\([^)]*\))?\s*:", text, re.M):
        yield match[1]
    for match in re.finditer(r"`(\w+)`", text):
        yield match[1]


@functools.cache
def _field_docstrings(cls: type[Any]) -> frozenset[str]:
    """Return the fields that have a docstring below them in the source; none when there is no source to read."""
    try:
        source = textwrap.dedent(inspect.getsource(cls))
        body = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)).body
    except (OSError, TypeError, SyntaxError, StopIteration):
        return frozenset()
    found: set[str] = set()
    for statement, following in itertools.pairwise(body):
        text = following.value if isinstance(following, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            found.update(_assigned(statement))
    return frozenset(found)


def _assigned(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
