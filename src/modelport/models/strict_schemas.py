"""OpenAI's strict form of a JSON Schema, which a model's output is then held to letter by letter.

The rules are those of OpenAI's guide to structured outputs: every object is closed and has all its fields required, a
`$ref` stands alone, and there are neither defaults nor `oneOf`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from modelport.values.errors import InputError

_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf", "prefixItems")


def strict_schema(schema: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return the strict form of a schema; the given one stays as it is.

    Raises:
        InputError: An object in it takes fields of any name, which no strict schema can say.
    """
    if "$ref" in schema and "$defs" not in schema:
        return {"$ref": schema["$ref"]}
    strict = {key: value for key, value in schema.items() if key != "default"}
    if "oneOf" in strict:
        strict["anyOf"] = [*strict.get("anyOf", []), *strict.pop("oneOf")]
    if len(strict.get("allOf", ())) == 1:
        strict |= strict.pop("allOf")[0]
    if strict.get("type") == "object":
        _close(strict, path)
    for key in _NAMED:
        if key in strict:
            strict[key] = {
                name: _of(part, f"{path}.{name}" if path else name)
                for name, part in cast("Mapping[str, Any]", strict[key]).items()
            }
    for key in _LISTED:
        if key in strict:
            strict[key] = [_of(part, path) for part in strict[key]]
    if "items" in strict:
        strict["items"] = _of(strict["items"], f"{path}[]")
    return strict


def _of(part: Any, path: str) -> Any:
    return strict_schema(cast("Mapping[str, Any]", part), path) if isinstance(part, Mapping) else part


def _close(schema: dict[str, Any], path: str) -> None:
    """Close an object, and require all of its fields."""
    if schema.get("additionalProperties") or "patternProperties" in schema or "properties" not in schema:
        raise InputError(
            f"strict=True allows no dict with free keys, as {path or 'the whole'} is; name its fields, or leave strict "
            f"out"
        )
    schema["additionalProperties"] = False
    schema["required"] = list(schema["properties"])
