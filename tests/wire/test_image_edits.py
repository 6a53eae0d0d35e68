"""Requests to edit images: forms, and JSON with the images in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelport.values.errors import InputError
from modelport.values.images import Image
from modelport.wire.image_edit_request import ImageEditRequest, decode_image_edit_request, image_edit_of_form
from modelport.wire.image_request import ImageRequest

DATA = "data:image/png;base64,AAAA"
A, B, PNG = Image(b"\0\0\0"), Image(b"\4\x10A"), Image(b"\0\0\0", mime_type="image/png")
ASKED = ImageRequest("m", "a cat", given={"model": "m", "prompt": "a cat"})


def decoded(**fields: Any) -> ImageEditRequest:
    return decode_image_edit_request(json.dumps({"model": "m", "prompt": "a cat", **fields}).encode())


@pytest.mark.parametrize(
    ("fields", "images", "mask"),
    [
        ({"image": DATA}, [PNG], None),
        ({"image": ["AAAA", DATA], "mask": "BBBB"}, [A, PNG], B),
        ({"images": [{"image_url": DATA}], "mask": {"image_url": "BBBB"}}, [PNG], B),
        ({"images": [{"type": "image_url", "image_url": {"url": DATA}}]}, [PNG], None),
    ],
)
def test_the_images_of_a_json_body_are_texts(fields: dict[str, Any], images: list[Image], mask: Image | None) -> None:
    assert decoded(**fields) == ImageEditRequest(ASKED, images, mask)


def test_a_form_has_files_and_texts() -> None:
    form: list[tuple[str, Any]] = [("model", "m"), ("image[]", b"\0\0\0"), ("prompt", "a cat"), ("image[]", DATA)]
    assert image_edit_of_form(form) == ImageEditRequest(ASKED, [A, PNG])
    assert image_edit_of_form([*form, ("mask", b"\4\x10A")]).mask == B
    assert image_edit_of_form([*form, ("mask", b""), ("n", "2")]).asked.n == 2


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "image"),
        ({"image": []}, "image"),
        ({"image": ""}, "image"),
        ({"image": "/etc/passwd"}, "image"),
        ({"image": "file:///etc/passwd"}, "image"),
        ({"image": "https://example.com/a.png"}, "image"),
        ({"image": ["AAAA", "http://[::1]/"]}, "image[1]"),
        ({"image": DATA, "mask": "http://localhost/"}, "mask"),
        ({"image": 1}, "image"),
        ({"image": [DATA, 1]}, "image[1]"),
        ({"image": [DATA, ""]}, "image[1]"),
        ({"image": [DATA] * 17}, "image"),
        ({"images": [{"file_id": "file-1"}]}, "images[0]"),
        ({"image": DATA, "mask": 1}, "mask"),
        ({"image": DATA, "prompt": ""}, "prompt"),
        ({"image": DATA, "n": 11}, "n"),
        ({"image": DATA, "n": True}, "n"),
        ({"image": DATA, "stream": True}, "stream"),
    ],
)
def test_a_wrong_field_of_an_edit_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(**fields)
    assert (caught.value.status_code, caught.value.param) == (400, param)


def test_a_file_in_the_place_of_a_text_is_named() -> None:
    with pytest.raises(InputError) as caught:
        image_edit_of_form([("model", "m"), ("prompt", b"x"), ("image", b"1")])
    assert caught.value.param == "prompt"
