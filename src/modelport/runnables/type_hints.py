"""Types of input and output as they stand in code: a class's type arguments, and a function's annotations."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar, get_args, get_origin

_STREAMS = (Iterator, Generator, Iterable, AsyncIterator, AsyncGenerator, AsyncIterable)


def types_of_class(cls: type[Any], root: type[Any]) -> tuple[Any, Any]:
    """Return the two arguments that a class gives to its generic root, `Any` for what it leaves open."""
    found = _arguments(cls, root, {})
    first, second = found if found is not None else (Any, Any)
    return _closed(first), _closed(second)


def _arguments(cls: type[Any], root: type[Any], known: dict[Any, Any]) -> tuple[Any, Any] | None:
    """Return the root's arguments in a class whose own type variables stand for `known`."""
    bases: tuple[Any, ...] = cls.__dict__.get("__orig_bases__", cls.__bases__)
    for base in bases:
        origin: Any = get_origin(base) or base
        if origin is Generic or not (isinstance(origin, type) and issubclass(origin, root)):
            continue
        given = tuple(known.get(one, one) for one in get_args(base))
        if origin is root:
            return (given[0], given[1]) if len(given) == 2 else None
        names: tuple[Any, ...] = getattr(origin, "__parameters__", ())
        found = _arguments(origin, root, dict(zip(names, given, strict=False)))
        if found is not None:
            return found
    return None


def _closed(given: Any) -> Any:
    return Any if isinstance(given, TypeVar) else given


def types_of_function(function: Callable[..., Any]) -> tuple[Any, Any]:
    """Return the types of a function's first argument and of what it gives, `Any` where it does not say.

    Of a generator function that is the type of its pieces.
    """
    plain = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    try:
        parameters = list(inspect.signature(function).parameters)
        hints = typing.get_type_hints(plain)
    except (TypeError, ValueError, NameError, AttributeError):
        return Any, Any
    given = hints.get(parameters[0], Any) if parameters else Any
    result = hints.get("return", Any)
    if get_origin(result) in _STREAMS and (arguments := get_args(result)):
        result = arguments[0]
    return given, result
