"""Errors of an author's class and of its construction: they name the field and carry no input values.

Pydantic's own `ValidationError` holds the values it refused, secrets too, so it never leaves this module.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from pydantic import ValidationError

    from modelport.engine.hook_sets import HookForm
    from modelport.models.base import AuthoredModel

_log = logging.getLogger("modelport.models")
_warned: WeakSet[type] = WeakSet()
"""The classes whose `max_batch_size` was spoken of."""


def construction_error(cls: type, fields: Iterable[str], error: ValidationError) -> Exception:
    """Return what is raised in place of pydantic's error.

    Returns:
        TypeError: An argument is unknown; the message names the nearest field.
        ValueError: A value is missing or wrong; the message names the field.
    """
    details = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = [detail for detail in details if detail["type"] == "extra_forbidden"]
    if unknown:
        return TypeError(unknown_argument(cls, str(unknown[0]["loc"][-1]), fields))
    lines = [_line(detail) for detail in details]
    return ValueError(f"{cls.__name__} cannot be made: {'; '.join(lines)}")


def unknown_argument(cls: type, name: str, fields: Iterable[str]) -> str:
    """Return the message for an argument that is no field."""
    known = list(fields)
    near = difflib.get_close_matches(name, [*known, *getattr(cls, "model_fields", ())], n=1)
    return f"{cls.__name__} has no field {name!r}; {f'did you mean {near[0]!r}?' if near else _fields(cls, known)}"


def _fields(cls: type, known: Sequence[str]) -> str:
    everyones = ", ".join(sorted(set(getattr(cls, "model_fields", ())) - set(known)))
    own = f"its fields are {', '.join(known)}" if known else "it has no fields of its own"
    return f"{own}; every model has {everyones}" if everyones else own


def warn_of_batches(cls: type[AuthoredModel]) -> None:
    """Say, once for each class, that `max_batch_size` is without effect: no hook of the class answers many inputs."""
    hooks = cls.__modelport_hooks__
    # A handler's fields are for all models that are made of it; its embeddings come in batches, its answers do not.
    if hooks.many is not None or hooks.async_many is not None or cls in _warned or hasattr(cls, "__modelport_models__"):
        return
    _warned.add(cls)
    names = [f"`{form.name}`" for form in cls.__modelport_hook_set__.forms if form.is_batch]
    advice = f"write {' or '.join(names)}, or leave it out" if names else "leave it out"
    _log.warning("max_batch_size of %s has no effect: no hook of it answers many inputs; %s", cls.__name__, advice)


def _line(detail: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "missing":
        return f"field {place!r} is missing; give it as {place}=…"
    message: str = detail["msg"]
    if not place:  # a validator of the whole model says itself what it is about
        return message.removeprefix("Value error, ")
    return f"field {place!r}: {message[:1].lower()}{message[1:]}"


def no_hook(cls: type, forms: Sequence[HookForm]) -> TypeError:
    """Return the error of a class that has none of the hooks."""
    names, example = ", ".join(form.name for form in forms), forms[0].example.rstrip("`")
    return TypeError(
        f"{cls.__name__} has no hook, so it cannot answer; define one of {names}, for example {example}: …`"
    )


def check_fields(cls: type, base: type, framework_fields: frozenset[str]) -> None:
    """Refuse fields that hide a method of the framework.

    Raises:
        TypeError: The class annotates a name that is a method of the framework.
    """
    for name in inspect.get_annotations(cls):
        if name in framework_fields or name.startswith("_"):
            continue
        if callable(getattr(base, name, None)):
            raise TypeError(
                f"the field {name!r} of {cls.__name__} hides the method {base.__name__}.{name}; give it another name, "
                f"for example {name + '_'!r} or {'use_' + name!r}"
            )
