"""OpenAI's schemas of answers, and what of an answer differs from them.

The schemas are the part of OpenAI's API description that answers are made of (`openai_answers.json`). They use few
words of JSON Schema, so that reading them here needs no package, and finds every difference instead of the first one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from modelport.testing.wire.answers import object_of

Schema = dict[str, Any]
Kind = Literal["wrong", "null", "absent"]
"""`wrong`: another type or value, or a key is missing that has a value. `null`: null where the key has to be left out.
`absent`: a required key is missing that may be null."""

TEXT_CHUNK = "CreateCompletionResponse, as a chunk"
"""The name of the schema of chunks of /completions."""

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Difference(msgspec.Struct, frozen=True):
    """Is one place where a value is not as its schema says."""

    path: str
    """Where, for example `choices[0].message.refusal`."""
    kind: Kind
    """What it is."""
    text: str
    """The finding in words, path included."""


@cache
def _schemas() -> dict[str, Schema]:
    text = Path(__file__).with_name("openai_answers.json").read_text(encoding="utf-8")
    schemas: dict[str, Schema] = json.loads(text)["$defs"]
    # OpenAI gives chunks of texts the schema of whole answers, though their finish_reason is null until the last one.
    chunk: Schema = copy.deepcopy(schemas["CreateCompletionResponse"])
    reason: Schema = chunk["properties"]["choices"]["items"]["properties"]["finish_reason"]
    reason.update(type=["string", "null"], enum=[*reason["enum"], None])
    return {**schemas, TEXT_CHUNK: chunk}


def differences(value: Any, schema: str) -> list[Difference]:
    """Return where a value, as JSON gives it, differs from one of OpenAI's schemas; empty when it does not."""
    return list(_differences(value, _schemas()[schema], ""))


def _resolved(schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = _schemas()[schema["$ref"].rpartition("/")[2]]
    return schema


def _differences(value: Any, schema: Schema, path: str) -> Iterator[Difference]:
    schema = _resolved(schema)
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        yield from _of_branches(value, branches, path)
        return
    if value is None and not _may_be_null(schema):
        yield Difference(path, "null", f"`{path or 'the body'}` is null")
        return
    if not _is_of_type(value, schema):
        yield Difference(path, "wrong", f"`{path or 'the body'}` is {_shown(value)}, not {_named(schema)}")
        return
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(_shown(one) for one in schema["enum"])
        yield Difference(path, "wrong", f"`{path}` is {_shown(value)}, none of {allowed}")
    members = object_of(value)
    if members is not None:
        yield from _of_object(members, schema, path)
    for index, item in enumerate(cast("list[Any]", value) if isinstance(value, list) else ()):
        yield from _differences(item, schema.get("items", {}), f"{path}[{index}]")


def _of_branches(value: Any, branches: list[Schema], path: str) -> Iterator[Difference]:
    found = [list(_differences(value, branch, path)) for branch in branches]
    if not all(found):
        return
    # Of several forms the nearest one is what was meant: the one whose own type fits, with the fewest differences.
    yield from min(found, key=lambda each: (any(one.path == path for one in each), len(each)))


def _of_object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Difference]:
    properties: dict[str, Schema] = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            where = f"{path}.{key}" if path else key
            kind: Kind = "absent" if _may_be_null(properties.get(key, {})) else "wrong"
            yield Difference(where, kind, f"`{where}` is missing")
    others = object_of(schema.get("additionalProperties"))
    for key, item in value.items():
        of_key = properties.get(key, others)
        if of_key is not None:
            yield from _differences(item, of_key, f"{path}.{key}" if path else key)


def _may_be_null(schema: Schema) -> bool:
    schema = _resolved(schema)
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return any(_may_be_null(branch) for branch in branches)
    if "type" in schema:
        return "null" in _type_names(schema)
    return not schema.get("properties")


def _type_names(schema: Schema) -> list[str]:
    names: str | list[str] = schema.get("type", [])
    return [names] if isinstance(names, str) else names


def _is_of_type(value: Any, schema: Schema) -> bool:
    names = _type_names(schema)
    if not names:
        return "properties" not in schema or isinstance(value, dict)
    if isinstance(value, bool):
        return "boolean" in names
    if isinstance(value, float) and value.is_integer() and "integer" in names:
        return True
    return any(isinstance(value, _TYPES[name]) for name in names)


def _named(schema: Schema) -> str:
    return " or ".join(_type_names(schema)) or "object"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"
