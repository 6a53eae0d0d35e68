"""Image requests, the fields of edits, and their answers, written and read."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.errors import InputError
from modelport.values.images import Image, ImageResult
from modelport.values.usage import Usage
from modelport.wire.image_request import (
    ImageRequest,
    decode_image_request,
    encode_image_request,
    image_edit_fields,
    image_edit_request,
)
from modelport.wire.image_response import ImageObject, ImageResponse, decode_image_response, image_response, images_of
from modelport.wire.objects import encode_object
from modelport.wire.received import BadResponseError

PNG = b"\x89PNG\r\n\x1a\n123"
texts = st.text(st.characters(codec=None, exclude_categories=()))
requests = st.builds(
    ImageRequest,
    model=st.text(min_size=1),
    prompt=texts.filter(bool),
    n=st.integers(1, 10),
    response_format=st.sampled_from([None, "url", "b64_json"]),
    options=st.fixed_dictionaries(
        {}, optional={"size": st.sampled_from(["auto", "512x512"]), "quality": st.just("hd"), "seed": st.integers()}
    ),
)


def decoded(**fields: Any) -> ImageRequest:
    return decode_image_request(json.dumps({"model": "m", "prompt": "a cat", **fields}).encode())


@given(requests)
def test_a_request_sent_and_read_is_the_same(conforms: Any, request: ImageRequest) -> None:
    raw = encode_image_request(request)
    conforms(raw, "CreateImageRequest")
    read = decode_image_request(raw)
    assert msgspec.structs.replace(read, given={}) == request
    assert read.given == json.loads(raw)


def test_a_minimal_request_asks_for_one_image_as_the_model_gives_it() -> None:
    assert decoded(n=None, size=None, response_format=None) == decoded()
    assert decoded() == ImageRequest("m", "a cat", given={"model": "m", "prompt": "a cat"})
    assert msgspec.structs.replace(decoded(stream=False), given={}) == ImageRequest("m", "a cat")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ["x"]}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"size": "big"}, "size"),
        ({"size": "999999x1"}, "size"),
        ({"size": "0x0"}, "size"),
        ({"size": "1x1\n"}, "size"),
        ({"response_format": "png"}, "response_format"),
        ({"output_compression": 101}, "output_compression"),
        ({"stream": True}, "stream"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(**fields)
    assert (caught.value.status_code, caught.value.param) == (400, param)


def test_the_fields_of_an_edit_are_texts() -> None:
    fields = {"model": "m", "prompt": "a cat", "n": "2", "size": "256x256", "response_format": "", "seed": "7"}
    given = {"model": "m", "prompt": "a cat", "n": 2, "size": "256x256", "seed": "7"}
    expected = ImageRequest("m", "a cat", 2, None, {"size": "256x256", "seed": "7"}, given)
    assert image_edit_request(fields) == expected
    assert image_edit_fields(expected) == {name: value for name, value in fields.items() if value}
    with pytest.raises(InputError, match="'n'"):
        image_edit_request({"model": "m", "prompt": "x", "n": "9" * 50})
    with pytest.raises(InputError, match="'n'"):
        image_edit_request({"model": "m", "prompt": "x", "n": "two"})
    with pytest.raises(InputError, match="streamed"):
        image_edit_request({"model": "m", "prompt": "x", "stream": "true"})


images = st.builds(
    Image, data=st.binary(min_size=1), mime_type=st.none(), revised_prompt=st.none() | st.text(min_size=1)
) | st.builds(Image, url=st.just("https://example.com/a.png"), revised_prompt=st.none() | st.text(min_size=1))


@given(
    st.lists(images, max_size=3),
    st.none() | st.builds(Usage, st.integers(1, 9), st.integers(0, 9), st.integers(10, 20)),
)
def test_images_written_and_read_are_the_same(conforms: Any, given_images: list[Image], usage: Usage | None) -> None:
    response = image_response(ImageResult(given_images, 5, usage))
    plain = conforms(response, "ImagesResponse")
    assert ("usage" in plain) == (usage is not None)
    assert decode_image_response(encode_object(response)) == response
    result = images_of(response)
    assert [(one.data, one.url, one.revised_prompt) for one in result.images] == [
        (one.data, one.url, one.revised_prompt) for one in given_images
    ]
    assert (result.created, result.usage) == (5, usage)


def test_the_guides_answer_has_nothing_else() -> None:
    response = ImageResponse(created=5, data=[ImageObject(url="https://example.com/image.png")])
    assert json.loads(encode_object(response)) == {"created": 5, "data": [{"url": "https://example.com/image.png"}]}
    assert response["data"][0]["url"] == "https://example.com/image.png"


def test_bytes_become_a_data_url_when_a_url_is_wanted() -> None:
    result = ImageResult([Image(PNG, mime_type="image/png"), Image(url="https://x/y")], 5)
    encoded = base64.b64encode(PNG).decode()
    wanted = image_response(result, response_format="url").model_dump()["data"]
    assert wanted == [{"url": f"data:image/png;base64,{encoded}"}, {"url": "https://x/y"}]
    assert image_response(result, response_format="b64_json").model_dump()["data"] == [
        {"b64_json": encoded},
        {"url": "https://x/y"},
    ]
    assert images_of({"data": wanted}).images[0] == Image(PNG, mime_type="image/png")


def test_an_answer_without_a_time_gets_this_one() -> None:
    assert image_response(ImageResult([])).created > 1_700_000_000


@pytest.mark.parametrize(
    "body", [{}, {"data": 5}, {"data": [{}]}, {"data": [{"b64_json": "?"}]}, {"data": [{"url": "data:"}]}]
)
def test_an_answer_without_images_is_said_to_be_bad(body: Any) -> None:
    with pytest.raises(BadResponseError):
        images_of(decode_image_response(json.dumps(body)))
