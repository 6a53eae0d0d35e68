"""Embedding requests and their answers, as numbers and as base64, written and read."""

from __future__ import annotations

import base64
import json
import math
import struct
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.embeddings import EmbeddingResult
from modelport.values.errors import InputError
from modelport.values.usage import Usage
from modelport.wire.embedding_request import EmbeddingRequest, decode_embedding_request, encode_embedding_request
from modelport.wire.embedding_response import (
    EmbeddingObject,
    EmbeddingResponse,
    decode_embedding_response,
    decode_vector,
    embedding_response,
    embeddings_of,
    encode_vector,
)
from modelport.wire.objects import encode_object
from modelport.wire.received import BadResponseError

texts = st.text(st.characters(codec=None, exclude_categories=()))
token_ids = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)
floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(floats32, min_size=1, max_size=8)
formats: Any = st.sampled_from(["float", "base64"])
requests = st.builds(
    EmbeddingRequest,
    model=st.text(min_size=1),
    inputs=st.lists(texts, min_size=1, max_size=3) | st.lists(token_ids, min_size=1, max_size=3),
    encoding_format=formats,
    dimensions=st.none() | st.integers(1, 65_536),
    options=st.fixed_dictionaries({}, optional={"user": st.text()}),
)


def decoded(**fields: Any) -> EmbeddingRequest:
    return decode_embedding_request(json.dumps({"model": "m", "input": "hello", **fields}).encode())


@given(requests)
def test_a_request_sent_and_read_is_the_same(conforms: Any, request: EmbeddingRequest) -> None:
    raw = encode_embedding_request(request)
    conforms(raw, "CreateEmbeddingRequest")
    read = decode_embedding_request(raw)
    assert msgspec.structs.replace(read, given={}) == request
    assert read.given == json.loads(raw)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("hello", ["hello"]), ("", [""]), (["a", "b"], ["a", "b"]), ([1, 2], [[1, 2]]), ([[1, 2], [3]], [[1, 2], [3]])],
)
def test_an_input_is_one_list_entry_each(given: Any, meant: Any) -> None:
    assert decoded(input=given).inputs == meant


def test_the_format_is_numbers_unless_asked_otherwise_and_is_no_option_of_the_hook() -> None:
    assert decoded() == decoded(encoding_format=None, dimensions=None, user=None)
    assert decoded().encoding_format == "float"
    assert decoded(encoding_format="base64", dimensions=3, input_type="query").options == {"input_type": "query"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["a", [1]]}, "input"),
        ({"input": [[]]}, "input[0]"),
        ({"input": ["x"] * 2049}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 10**12}, "dimensions"),
        ({"dimensions": 1.0}, "dimensions"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(**fields)
    assert (caught.value.status_code, caught.value.param) == (400, param)


@given(st.lists(vectors, max_size=4), formats)
def test_vectors_written_and_read_are_the_same(conforms: Any, given_vectors: list[list[float]], form: Any) -> None:
    result = EmbeddingResult(given_vectors, Usage(3, 0, 3), "m")
    response = embedding_response(result, model="m", encoding_format=form)
    plain = conforms(response, "CreateEmbeddingResponse") if form == "float" else json.loads(encode_object(response))
    assert plain["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert [entry["index"] for entry in plain["data"]] == list(range(len(given_vectors)))
    assert decode_embedding_response(encode_object(response)) == response
    assert embeddings_of(response) == result


def test_base64_is_that_of_little_endian_float32() -> None:
    assert encode_vector([1.0, -2.5]) == base64.b64encode(struct.pack("<2f", 1.0, -2.5)).decode()
    assert encode_vector([]) == ""
    assert encode_vector([1, 2]) == encode_vector([1.0, 2.0])
    assert decode_vector(encode_vector([1e300])) == [math.inf]
    assert decode_vector(base64.b64encode(struct.pack("<f", 0.5)).decode()) == [0.5]


@pytest.mark.parametrize("text", ["?", "AAA", "AAAA", "AAAAAAA=", "äöü"])
def test_what_is_no_base64_of_whole_numbers_is_said_to_be_bad(text: str) -> None:
    with pytest.raises(BadResponseError):
        decode_vector(text)


def test_vectors_are_read_in_order_of_their_index_and_from_dicts_too() -> None:
    data = [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1.0]}]
    assert embeddings_of({"data": data}).embeddings == [[1.0], [2.0]]
    assert embeddings_of(EmbeddingResponse.model_validate({"data": data})).embeddings == [[1.0], [2.0]]
    unnumbered = EmbeddingResponse()
    unnumbered.data = [{"embedding": [1.0]}, {"embedding": [2.0]}]  # pyright: ignore[reportAttributeAccessIssue]
    assert embeddings_of(unnumbered).embeddings == [[1.0], [2.0]]


def test_a_response_reads_as_litellms() -> None:
    data: Any = [{"embedding": [0.5], "index": 0, "object": "embedding"}]
    response = EmbeddingResponse(model="m", data=data)
    assert response["data"][0]["embedding"] == response.data[0].embedding == [0.5]
    assert response.data == [EmbeddingObject(embedding=[0.5])]
    assert response.model_dump()["data"] == data


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": [{}]}, {"data": [{"embedding": ["x"]}]}, {"data": [5]}])
def test_an_answer_without_vectors_is_said_to_be_bad(body: Any) -> None:
    with pytest.raises(BadResponseError):
        embeddings_of(decode_embedding_response(json.dumps(body)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(json_values, json_values)
def test_any_json_is_read_or_refused(value: Any, entry: Any) -> None:
    with suppress(InputError):
        decoded(input=value, dimensions=entry)
    with suppress(BadResponseError):
        embeddings_of({"data": [{"embedding": value}, entry], "usage": entry})
