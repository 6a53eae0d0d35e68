"""Checks values against a type and says what is wrong as OpenAI does: the field as `param`, the value, the rule."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar, cast

import msgspec

from modelport.values.errors import InputError

T = TypeVar("T")

_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_PLACE = re.compile(r"^(?P<rule>.*?)(?:, got `[^`]*`)?(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"[^.\[\]]+")
_EXPECTED = re.compile(r"Expected (?P<kinds>\w+(?: \| \w+)*)(?P<bound>.*)", re.DOTALL)
_KINDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
}
_NO_SUCH_VALUE = "Invalid enum value"
SHOWN_CHARACTERS = 80
"""How much of a refused value a message shows."""


def checked(body: dict[str, Any], kind: type[T]) -> T:
    """Return a request's fields as `kind`; fields that it does not have are let through.

    Raises:
        InputError: A field is missing, has the wrong type, or is out of bounds; `param` names it.
    """
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise _input_error(str(error), body) from None
    except UnicodeEncodeError:
        # msgspec cannot look into a text with a lone surrogate.
        checked(_as_unicode(body), kind)
        raise InputError("a text of the request has half of a surrogate pair, which is no Unicode") from None


def _as_unicode(body: dict[str, Any]) -> dict[str, Any]:
    return msgspec.json.decode(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


def _input_error(text: str, body: dict[str, Any]) -> InputError:
    found = _PLACE.match(text)
    path = (found["path"] or "") if found else ""
    missing = _MISSING.match(text)
    if missing:
        param = f"{path}.{missing['field']}" if path else missing["field"]
        return InputError(f"{param!r} is missing", param=param)
    rule = found["rule"].replace("`", "") if found else text
    if rule.startswith(_NO_SUCH_VALUE):
        rule = _NO_SUCH_VALUE  # msgspec repeats the whole value, however long it is
    param = path.removesuffix("[...]") or None
    return InputError(f"{param!r} {_in_words(rule)}, got {shown(_value_at(body, path))}", param=param)


def _in_words(rule: str) -> str:
    """Return a rule of msgspec's in JSON's words: "must be a number <= 2" of "Expected float <= 2.0"."""
    found = _EXPECTED.fullmatch(rule)
    if found is None:
        return f"is wrong: {rule[:1].lower()}{rule[1:]}"
    names = found["kinds"].split(" | ")
    kinds = [_KINDS.get(name, name) for name in names if name != "int" or "float" not in names]
    words = " or ".join([", ".join(kinds[:-1]), kinds[-1]] if len(kinds) > 1 else kinds)
    return f"must be {words}{found['bound'].removesuffix('.0')}"


def shown(value: Any) -> str:
    """Return a refused value for a message, cut to a few words; of what is not JSON only the type."""
    if value is not None and not isinstance(value, (str, bytes, int, float, dict, list)):
        return f"a value of type {cast('type[Any]', type(value)).__name__}"
    text = repr(value)  # pyright: ignore[reportUnknownArgumentType]
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _value_at(body: Any, path: str) -> Any:
    value = body
    for step in _STEP.findall(path):
        if isinstance(value, dict) and step in value:
            value = value[step]  # pyright: ignore[reportUnknownVariableType]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):  # pyright: ignore[reportUnknownArgumentType]
            value = value[int(step)]  # pyright: ignore[reportUnknownVariableType]
        else:
            break
    return value  # pyright: ignore[reportUnknownVariableType]
