"""The schemas of the OpenAPI document, made of the types that requests are checked and answers are written with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from modelport.gateway.openapi_fields import text_of_field
from modelport.wire.chat_request import ROLES, ChatBody
from modelport.wire.completion import ChatCompletion
from modelport.wire.completion_chunk import ChatCompletionChunk
from modelport.wire.embedding_request import EmbeddingBody
from modelport.wire.embedding_response import EmbeddingObject, EmbeddingResponse
from modelport.wire.error_object import ErrorBody
from modelport.wire.image_edit_request import MAX_INPUT_IMAGES
from modelport.wire.image_request import ImageBody
from modelport.wire.image_response import ImageResponse
from modelport.wire.model_list import ModelEntry, ModelList
from modelport.wire.request_fields import MAX_INPUTS
from modelport.wire.rerank import RerankBody, RerankResponse
from modelport.wire.text_completion import TextCompletion
from modelport.wire.text_request import TextBody

Schema = dict[str, Any]

REQUESTS: dict[str, type[msgspec.Struct]] = {
    "ChatCompletionRequest": ChatBody,
    "CompletionRequest": TextBody,
    "EmbeddingRequest": EmbeddingBody,
    "ImageRequest": ImageBody,
    "RerankRequest": RerankBody,
}
"""The types that bodies are checked with, by their names in the document."""
ANSWERS: dict[str, type[msgspec.Struct]] = {
    "ChatCompletion": ChatCompletion,
    "ChatCompletionChunk": ChatCompletionChunk,
    "Completion": TextCompletion,
    "EmbeddingList": EmbeddingResponse,
    "Embedding": EmbeddingObject,
    "ImageList": ImageResponse,
    "Ranking": RerankResponse,
    "ModelList": ModelList,
    "Model": ModelEntry,
    "Error": ErrorBody,
}
"""The types that answers are written with, by their names in the document."""
INPUT: Schema = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_INPUTS},
        {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        {
            "type": "array",
            "items": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "minItems": 1,
            "maxItems": MAX_INPUTS,
        },
    ]
}
"""What `request_fields.input_list` takes: texts, or token ids."""

_NULL: Schema = {"type": "null"}
_TEMPLATE = "#/components/schemas/{name}"
_REFERENCE = re.compile(r"#/components/schemas/(\w+)")


def schemas() -> dict[str, Schema]:
    """Return all schemas of the document's components, by name."""
    requests = _components(REQUESTS)
    for name in REQUESTS:
        _describe_request(name, requests[name])
    with_text: Schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    requests["RerankRequest"]["properties"]["documents"]["items"] = {"anyOf": [{"type": "string"}, with_text]}
    requests["RequestMessage"]["properties"]["role"]["enum"] = list(ROLES)
    for name in ("ChatCompletionRequest", "CompletionRequest"):
        requests[name]["properties"]["stop"]["anyOf"][0]["minLength"] = 1
    for name, field in (("CompletionRequest", "prompt"), ("EmbeddingRequest", "input")):
        requests[name]["properties"][field].update(INPUT)
    answers = _components(ANSWERS)
    for schema in answers.values():
        _describe_answer(schema)
    for name in ("ChatCompletionChunk", "Completion"):
        # Where usage was asked for, the pieces before the last say that they have none.
        usage: Schema = answers[name]["properties"]["usage"]
        answers[name]["properties"]["usage"] = {"anyOf": [usage, _NULL]}
    for name, kind in ANSWERS.items():
        for field in msgspec.structs.fields(kind):
            if field.name == "object":
                answers[name]["properties"]["object"] = {"type": "string", "const": _default_of(field)}
    edits = {
        "ImageEditRequest": _image_edit(requests["ImageRequest"]),
        "ImageEditJsonRequest": _image_edit_in_json(requests["ImageRequest"]),
    }
    return {**requests, **answers, **edits}


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    made = field.default_factory
    return made() if made is not msgspec.NODEFAULT else field.default


def _components(kinds: dict[str, type[msgspec.Struct]]) -> dict[str, Schema]:
    """Return the schemas of types and their parts, under the names of the document."""
    _, found = msgspec.json.schema_components(kinds.values(), ref_template=_TEMPLATE)
    names = {kind.__name__: name for name, kind in kinds.items()}
    renamed = {name: names.get(name) or _public_name(name) for name in found}
    return {
        renamed[name]: _with_references(schema, renamed) | {"title": renamed[name]} for name, schema in found.items()
    }


def _public_name(name: str) -> str:
    """Return the name of a part: those of requests are private where the types are."""
    return f"Request{name[1:]}" if name.startswith("_") else name


def _with_references(value: Any, renamed: dict[str, str]) -> Any:
    """Return a schema that refers to the new names, with patterns that JSON Schema's dialect of regexes has."""
    if isinstance(value, dict):
        return {key: _with_references(part, renamed) for key, part in cast("Schema", value).items()}
    if isinstance(value, list):
        return [_with_references(part, renamed) for part in cast("list[Any]", value)]
    if isinstance(value, str):
        named = _REFERENCE.sub(lambda found: _TEMPLATE.format(name=renamed[found[1]]), value)
        return named.removesuffix(r"\Z") + "$" if named.endswith(r"\Z") else named
    return value


def _describe_request(name: str, schema: Schema) -> None:
    """Say what fields mean, and that null is the same as absent."""
    schema.pop("description", None)
    schema["description"] = "Other fields reach the model's code, if it takes them; null is the same as absent."
    properties: dict[str, Schema] = schema["properties"]
    for field, given in properties.items():
        schema_of_field = dict(given)
        if field not in schema["required"]:
            default = schema_of_field.pop("default", None)
            schema_of_field = {"anyOf": [*_alternatives(schema_of_field), _NULL]}
            if default is not None:
                schema_of_field["default"] = default
        properties[field] = {"description": text_of_field(name, field), **schema_of_field}


def _describe_answer(schema: Schema) -> None:
    """Say which fields are always there: all but those that are left out when nobody set them."""
    properties: dict[str, Schema] = schema.get("properties", {})
    schema["required"] = [field for field, given in properties.items() if given.get("default", "") is not None]
    for field, given in properties.items():
        if field not in schema["required"]:
            [*kinds] = _alternatives({key: part for key, part in given.items() if key != "default"})
            properties[field] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _alternatives(schema: Schema) -> Iterable[Schema]:
    """Return what a value may be but null."""
    return [one for one in schema.get("anyOf", [schema]) if one != _NULL]


def _image_edit(images: Schema) -> Schema:
    """Return the schema of the form of an edit: the fields of an image request, and files."""
    file: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
    files: Schema = {
        "description": "The image to edit, or several: as `image` each, or as `image[]`.",
        "anyOf": [file, {"type": "array", "items": file, "minItems": 1}],
    }
    mask = {**file, "description": "A PNG whose transparent parts are to be edited."}
    return {
        "title": "ImageEditRequest",
        "type": "object",
        "description": "A form; " + images["description"][0].lower() + images["description"][1:],
        "properties": {"image": files, "mask": mask, **images["properties"]},
        "required": ["image", *images["required"]],
    }


def _image_edit_in_json(images: Schema) -> Schema:
    """Return the schema of an edit that is JSON: the fields of an image request, and images as texts."""
    text: Schema = {"type": "string", "minLength": 1, "description": "A `data:` URL, or base64."}
    wrapped: Schema = {"type": "object", "properties": {"image_url": text}, "required": ["image_url"]}
    one = [text, wrapped]
    many: Schema = {"type": "array", "items": {"anyOf": one}, "minItems": 1, "maxItems": MAX_INPUT_IMAGES}
    several: Schema = {"anyOf": [*one, many]}
    return {
        "title": "ImageEditJsonRequest",
        "type": "object",
        "description": images["description"],
        "properties": {
            "image": {"description": "The image to edit, or several; addresses are not fetched.", **several},
            "images": {"description": "The same, under the name that OpenAI's JSON has.", **several},
            "mask": {"description": "A PNG whose transparent parts are to be edited.", "anyOf": [*one, _NULL]},
            **images["properties"],
        },
        "required": images["required"],
        "anyOf": [{"required": ["image"]}, {"required": ["images"]}],
    }
