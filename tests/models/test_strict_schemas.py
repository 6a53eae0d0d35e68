"""The strict form of a JSON Schema keeps OpenAI's rules, and the given schema stays as it is."""

from __future__ import annotations

import copy
from typing import Literal

import jsonschema
import pytest
from pydantic import BaseModel, Field

from modelport.models.strict_schemas import strict_schema
from modelport.values.errors import InputError


class Street(BaseModel):
    name: str
    number: int | None = None


class Person(BaseModel):
    """Somebody."""

    name: str = Field(default="Ann", description="what they are called")
    home: Street = Field(description="where they live")
    others: list[Street] = []
    pair: tuple[int, Street] = (1, Street(name="a"))
    kind: Literal["a", "b"] | Street = "a"


def objects_in(schema):
    """Yield every object's schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects_in(part)


def test_every_object_is_closed_and_has_all_its_fields_required():
    given = Person.model_json_schema()
    before = copy.deepcopy(given)
    strict = strict_schema(given)
    assert given == before
    found = list(objects_in(strict))
    assert len(found) == 2
    for one in found:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    jsonschema.Draft202012Validator.check_schema(strict)


def test_there_are_no_defaults_and_a_reference_stands_alone():
    strict = strict_schema(Person.model_json_schema())
    assert "default" not in str(strict)
    assert strict["properties"]["home"] == {"$ref": "#/$defs/Street"}
    assert strict["properties"]["name"]["description"] == "what they are called"


def test_a_field_that_is_called_default_stays():
    strict = strict_schema({"type": "object", "properties": {"default": {"type": "string", "default": "x"}}})
    assert strict["properties"] == {"default": {"type": "string"}}


def test_one_of_becomes_any_of_and_a_lone_all_of_is_taken_in():
    given = {
        "type": "object",
        "properties": {
            "a": {"oneOf": [{"type": "integer"}, {"type": "string", "default": ""}]},
            "b": {"allOf": [{"type": "object", "properties": {"c": {"type": "string"}}}]},
        },
    }
    strict = strict_schema(given)
    assert strict["properties"]["a"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert strict["properties"]["b"]["required"] == ["c"]


@pytest.mark.parametrize("free", [{"type": "object"}, {"type": "object", "additionalProperties": {"type": "integer"}}])
def test_a_dict_with_free_keys_is_refused_by_its_path(free):
    given = {"type": "object", "properties": {"list": {"type": "array", "items": {"anyOf": [free]}}}}
    with pytest.raises(InputError, match=r"strict=True allows no dict with free keys, as list\[\] is"):
        strict_schema(given)
    with pytest.raises(InputError, match="as the whole is"):
        strict_schema(free)
