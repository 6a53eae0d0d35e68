"""What another server, or a handler, answered: reading its JSON and its parts, whatever they really are."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec

from modelport.values.errors import ModelportError
from modelport.values.usage import Usage, usage_from
from modelport.wire.checks import shown

_decoder = msgspec.json.Decoder()


class BadResponseError(ModelportError, ValueError):
    """Says that an answer is not of the format that it should have; 502 when another server gave it."""

    status_code = 502
    code = "bad_response"


def decode_response(raw: bytes | str) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        BadResponseError: It is no JSON object.
    """
    try:
        value = _decode(raw)
    except (ValueError, RecursionError) as error:
        raise BadResponseError(f"the answer is no JSON: {shown(raw)} ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise BadResponseError(f"the answer must be a JSON object, got {shown(value)}")
    return cast("dict[str, Any]", value)


def _decode(raw: bytes | str) -> Any:
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError:
        # Lone surrogates and NaN come from real servers; only the standard library reads them.
        return json.loads(raw)


def field_of(value: Any, name: str, default: Any = None) -> Any:
    """Return what a dict, or an object of anybody's, has under a name; None counts as not there."""
    found: Any = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else getattr(value, name, None)
    return default if found is None else found


def list_of(value: Any, name: str) -> list[Any]:
    """Return the list that an answer has under a name.

    Raises:
        BadResponseError: There is none.
    """
    found = field_of(value, name)
    if not isinstance(found, (list, tuple)):
        raise BadResponseError(f"the answer has no list {name!r}: {shown(found)}")
    return list(cast("list[Any]", found))


def items_of(value: Any, name: str) -> list[Any]:
    """Return the list that an answer has under a name; an empty one when there is none."""
    found = field_of(value, name)
    return list(cast("list[Any]", found)) if isinstance(found, (list, tuple)) else []


def text_or_none(value: Any) -> str | None:
    """Return a text as it is, anything else as None."""
    return value if isinstance(value, str) else None


def int_or(value: Any, default: int) -> int:
    """Return a whole number as it is, anything else as `default`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def usage_in(value: Any) -> Usage | None:
    """Return the usage that an answer has; None when it has none, or one that counts no tokens."""
    try:
        return usage_from(field_of(value, "usage"))
    except (TypeError, ValueError, OverflowError):
        return None


def by_index(entries: list[Any]) -> list[Any]:
    """Return an answer's entries in the order of their `index`, where they have one."""
    if len(entries) == 1:
        return entries
    order = sorted(range(len(entries)), key=lambda position: int_or(field_of(entries[position], "index"), position))
    return [entries[position] for position in order]
