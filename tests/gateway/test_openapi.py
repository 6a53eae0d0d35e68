"""The OpenAPI document: it is valid, and it says of every body what the gateway does with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from modelport.gateway.openapi import EXAMPLES, openapi, openapi_json
from modelport.gateway.openapi_schemas import REQUESTS
from modelport.values.embeddings import EmbeddingResult
from modelport.values.errors import InputError
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.images import Image, ImageResult
from modelport.values.usage import Usage
from modelport.wire.chat_chunks import ChatChunks
from modelport.wire.chat_request import decode_chat_request
from modelport.wire.chat_response import chat_completion
from modelport.wire.embedding_request import decode_embedding_request
from modelport.wire.embedding_response import embedding_response
from modelport.wire.error_object import ErrorBody, ErrorObject
from modelport.wire.image_edit_request import decode_image_edit_request
from modelport.wire.image_request import decode_image_request
from modelport.wire.image_response import image_response
from modelport.wire.json_text import encode_json
from modelport.wire.model_list import model_list
from modelport.wire.rerank import decode_rerank_request, rerank_response
from modelport.wire.text_chunks import TextChunks
from modelport.wire.text_request import decode_text_request
from modelport.wire.text_response import text_completion

USAGE = Usage(3, 2, 5)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
BASES: dict[str, tuple[Callable[[bytes], Any], dict[str, Any]]] = {
    "ChatCompletionRequest": (decode_chat_request, EXAMPLES["/chat/completions"]),
    "CompletionRequest": (decode_text_request, EXAMPLES["/completions"]),
    "EmbeddingRequest": (decode_embedding_request, EXAMPLES["/embeddings"]),
    "ImageRequest": (decode_image_request, EXAMPLES["/images/generations"]),
    "RerankRequest": (decode_rerank_request, EXAMPLES["/rerank"]),
}
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 1.5, 5, 21, 128, 129, 65_537, 10**30, -(2**63)),
    *("", "x", "auto", "1024x1024", "0x0", "float", "base64", "url", "b64_json"),
    *(
        [],
        ["a"],
        ["a", "b"],
        [""],
        ["1", "2", "3", "4", "5"],
        [1, 2],
        [[1], [2, 3]],
        [[]],
        ["a", 1],
        [True],
        ["x"] * 2049,
    ),
    *({}, {"a": 1}, {"5": 1.5}, {"5": "x"}, {"type": "text"}, {"include_usage": True}, {"include_usage": 1}),
    *([TOOL], [{"type": "function", "function": {}}], [{"text": "a", "id": 1}], [{"image": "x"}]),
    [{"role": "developer", "content": [{"type": "text", "text": "x"}, "y"]}],
    [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ],
    *([{"role": "wizard", "content": "x"}], [{"content": "x"}], [{"role": "user", "content": 5}]),
]
"""What is tried as the value of each field of each request: right for some, wrong for others."""


def beyond_schemas(body: dict[str, Any]) -> bool:
    """Tell whether a body breaks a rule that its schema does not have: about two fields, or of an image stream."""
    return body.get("best_of") not in (None, body.get("n") or 1) or ("size" in body and body.get("stream") is True)


@cache
def validator_of(schema: str) -> Any:
    return jsonschema.Draft202012Validator({**openapi(), "$ref": f"#/components/schemas/{schema}"})


def conforms(value: Any, schema: str) -> None:
    validator_of(schema).validate(json.loads(encode_json(value)))


def test_the_document_is_valid_openapi_3_1() -> None:
    document = json.loads(openapi_json())
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_endpoint_is_there_once() -> None:
    document = openapi()
    found = {(method, path) for path, node in document["paths"].items() for method in node if method in ("get", "post")}
    assert found == {
        ("post", "/chat/completions"),
        ("post", "/completions"),
        ("post", "/embeddings"),
        ("post", "/images/generations"),
        ("post", "/images/edits"),
        ("post", "/rerank"),
        ("get", "/models"),
        ("get", "/models/{id}"),
        ("get", "/health/live"),
        ("get", "/health/ready"),
        ("get", "/metrics"),
    }
    assert [server["url"] for server in document["servers"]] == ["/v1", "/"]
    assert document["paths"]["/metrics"]["servers"] == [{"url": "/"}]


def test_a_key_is_needed_everywhere_but_for_health() -> None:
    document = openapi()
    assert document["security"] == [{"bearer": []}, {"key": []}]
    open_paths = [path for path, node in document["paths"].items() if node.get("get", {}).get("security") == []]
    assert open_paths == ["/health/live", "/health/ready"]


@pytest.mark.parametrize("schema", BASES)
def test_the_examples_are_taken(schema: str) -> None:
    decode, body = BASES[schema]
    conforms(body, schema)
    decode(encode_json(body))


@pytest.mark.parametrize("schema", BASES)
def test_the_schema_takes_what_the_gateway_takes_and_refuses_what_it_refuses(schema: str) -> None:
    decode, base = BASES[schema]
    taken, refused = 0, 0
    for field in [*REQUESTS[schema].__struct_fields__, "of_our_own"]:
        for value in VALUES:
            body = {**base, field: value}
            if beyond_schemas(body):
                continue
            try:
                decode(encode_json(body))
            except InputError:
                is_taken = False
            else:
                is_taken = True
            assert validator_of(schema).is_valid(body) is is_taken, (field, value)
            taken, refused = taken + is_taken, refused + (not is_taken)
    assert taken > 50
    assert refused > 50


@pytest.mark.parametrize("schema", BASES)
def test_a_field_that_is_required_cannot_be_left_out(schema: str) -> None:
    decode, base = BASES[schema]
    for field in openapi()["components"]["schemas"][schema]["required"]:
        body = {name: value for name, value in base.items() if name != field}
        assert not validator_of(schema).is_valid(body)
        with pytest.raises(InputError, match=f"'{field}'"):
            decode(encode_json(body))


def test_the_form_of_an_edit_has_the_fields_of_an_image_request_and_files() -> None:
    schemas = openapi()["components"]["schemas"]
    edit = schemas["ImageEditRequest"]
    assert set(edit["properties"]) == {*schemas["ImageRequest"]["properties"], "image", "mask"}
    assert edit["required"] == ["image", "model", "prompt"]
    conforms({"model": "m", "prompt": "x", "image": ["bytes", "bytes"]}, "ImageEditRequest")


TEXT_IMAGE = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n pixels").decode()


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        ({"image": TEXT_IMAGE}, True),
        ({"image": [TEXT_IMAGE, TEXT_IMAGE], "mask": TEXT_IMAGE, "n": 2}, True),
        ({"images": [{"image_url": TEXT_IMAGE}], "mask": {"image_url": TEXT_IMAGE}}, True),
        ({"images": TEXT_IMAGE, "mask": None}, True),
        ({}, False),
        ({"image": []}, False),
        ({"image": ""}, False),
        ({"image": 5}, False),
        ({"images": [{"image_url": 5}]}, False),
        ({"image": [TEXT_IMAGE] * 17}, False),
    ],
)
def test_an_edit_in_json_is_what_the_schema_says(fields: dict[str, Any], taken: bool) -> None:
    body = {"model": "m", "prompt": "x", **fields}
    assert validator_of("ImageEditJsonRequest").is_valid(body) is taken
    with nullcontext() if taken else pytest.raises(InputError):
        decode_image_edit_request(encode_json(body))


def test_every_field_of_every_request_has_a_sentence() -> None:
    for schema in (*BASES, "ImageEditRequest", "ImageEditJsonRequest"):
        for field, node in openapi()["components"]["schemas"][schema]["properties"].items():
            assert node["description"].endswith("."), (schema, field)


def test_answers_are_what_the_schemas_say() -> None:
    plain = Generation("hello", "stop", USAGE)
    called = Generation("", "tool_calls", USAGE, tool_calls=[{"name": "f", "args": {}, "id": "c", "type": "tool_call"}])
    for answer in (plain, called):
        completion = chat_completion([answer, answer], completion_id="c1", created=1, model="m")
        conforms(completion, "ChatCompletion")
    conforms(text_completion([[plain]], completion_id="c1", created=1, model="m"), "Completion")
    vectors = EmbeddingResult([[1.0, 2.0]], USAGE, "m")
    conforms(embedding_response(vectors, model="m", encoding_format="float"), "EmbeddingList")
    conforms(embedding_response(vectors, model="m", encoding_format="base64"), "EmbeddingList")
    images = ImageResult([Image(data=b"x"), Image(url="https://a.example/b.png", revised_prompt="c")], usage=USAGE)
    conforms(image_response(images), "ImageList")
    asked = decode_rerank_request(encode_json({**EXAMPLES["/rerank"], "return_documents": True}))
    conforms(rerank_response([(1, 0.5), (0, 0.1)], asked, usage=USAGE), "Ranking")
    conforms(model_list(["a", "b/c"], 1), "ModelList")
    conforms(ErrorBody(ErrorObject(message="no", type="server_error")), "Error")


def test_pieces_of_streams_are_what_the_schemas_say() -> None:
    chat = ChatChunks(completion_id="c1", created=1, model="m", include_usage=True)
    pieces = [GenerationChunk("a"), GenerationChunk("", "stop", USAGE)]
    events = b"".join(event for piece in pieces for event in chat.events(0, piece)) + b"".join(chat.last_events())
    bodies = [line.removeprefix(b"data: ") for line in events.split(b"\n\n") if line]
    assert bodies.pop() == b"[DONE]"
    assert len(bodies) >= 4
    for body in bodies:
        conforms(json.loads(body), "ChatCompletionChunk")
    texts = TextChunks(completion_id="c1", created=1, model="m", include_usage=True)
    events = b"".join(event for piece in pieces for event in texts.events(0, piece)) + b"".join(texts.last_events())
    for body in [line.removeprefix(b"data: ") for line in events.split(b"\n\n") if line][:-1]:
        conforms(json.loads(body), "Completion")


def test_what_no_answer_looks_like_is_no_answer() -> None:
    for value, schema in (
        ({"error": {"message": "no"}}, "Error"),
        ({"error": "no"}, "Error"),
        ({"object": "list", "data": []}, "ChatCompletion"),
        ({"object": "lists", "data": []}, "ModelList"),
    ):
        with pytest.raises(jsonschema.ValidationError):
            conforms(value, schema)


def test_a_caller_may_change_the_document_it_got() -> None:
    openapi()["paths"].clear()
    openapi()["components"]["schemas"].clear()
    assert openapi()["paths"]
    assert openapi_json() is openapi_json()
