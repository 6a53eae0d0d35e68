"""Where in a JSON answer its text, its usage and its end are: JMESPath expressions, checked when a model is made."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Protocol, cast

import msgspec

from modelport.values.errors import MissingExtraError

try:
    import jmespath
    from jmespath.exceptions import JMESPathError, JMESPathTypeError
except ImportError as error:
    raise MissingExtraError("a JSON API by template", "providers") from error

CACHED_PATHS = 256
"""How many compiled paths are kept."""


class _Compiled(Protocol):
    def search(self, value: Any) -> Any: ...


_FAILURES = (JMESPathError, TypeError, ValueError, AttributeError, ArithmeticError, LookupError, RecursionError)
"""What following a path raises: its functions and comparisons check only a part of what they are given."""


class PathError(ValueError):
    """Says that a path finds something else than it should; the text names the path."""


@lru_cache(maxsize=CACHED_PATHS)
def compiled_path(path: str) -> _Compiled:
    """Return a compiled JMESPath.

    Raises:
        ValueError: Its syntax is wrong.
    """
    try:
        return cast("_Compiled", jmespath.compile(path))
    except JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path!r} is no JMESPath: {reason}") from None


def json_of(raw: bytes | str) -> Any:
    """Return a JSON value.

    Raises:
        ValueError: It is none.
    """
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        # Lone surrogates and NaN come from real servers; only the standard library reads them.
        return json.loads(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def find(path: str | None, value: Any) -> Any:
    """Return what a path finds; None when it finds nothing, or there is no path.

    Raises:
        PathError: The path asks for what cannot be done with the value (a function of the wrong type).
    """
    if path is None:
        return None
    try:
        return compiled_path(path).search(value)
    except JMESPathTypeError as error:  # its own text quotes the whole value
        wanted = " or ".join(error.expected_types)
        raise PathError(
            f"the path {path!r} fails: {error.function_name}() takes {wanted}, not {error.actual_type}"
        ) from None
    except _FAILURES as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise PathError(f"the path {path!r} fails: {reason}") from None


def find_text(path: str, value: Any) -> str | None:
    """Return the text that a path finds; None when it finds nothing.

    Raises:
        PathError: It finds something that is no text.
    """
    found = find(path, value)
    if found is None or isinstance(found, str):
        return found
    hint = f"; for its first entry write {path + '[0]'!r}" if isinstance(found, list) else ""
    raise PathError(f"the path {path!r} finds {_kind_of(found)} where a text should be{hint}")


def find_count(path: str | None, value: Any) -> int | None:
    """Return the whole number that a path finds; None when it finds something else."""
    found = find(path, value)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def described(value: Any) -> str:
    """Return what an answer looks like, for the message that a path finds nothing in it: never its values."""
    if isinstance(value, dict):
        names = [str(name) for name in cast("dict[Any, Any]", value)]
        return f"an object with {', '.join(names[:20]) or 'nothing in it'}"
    return _kind_of(value)


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, list):
        return f"a list of {len(cast('list[Any]', value))}"
    return "an object" if isinstance(value, dict) else "a text"
