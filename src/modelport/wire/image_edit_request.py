"""What `POST /images/edits` takes: a form with files, or JSON whose images are `data:` URLs or base64.

An image is what the client sent, never the name of a place: addresses are refused, and nothing is opened or fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from modelport.values.errors import InputError
from modelport.values.images import Image, image_of_bytes, image_of_text
from modelport.wire.checks import shown
from modelport.wire.image_request import ImageRequest, image_edit_request
from modelport.wire.json_text import decode_object
from modelport.wire.request_fields import given_fields

MAX_INPUT_IMAGES = 16
"""OpenAI's bound of the images to edit."""
MAX_FIELDS = 64
"""How many fields that are no files a form may have."""
_IMAGES = ("image", "image[]", "images", "images[]")
"""The names under which clients send the images."""

Content = bytes | str
"""A form's field: the bytes of a file, or a text."""


class ImageEditRequest(msgspec.Struct, frozen=True):
    """Is a checked request to edit images."""

    asked: ImageRequest
    """All of it but the images."""
    images: list[Image]
    """The images to edit, at least one, with their bytes."""
    mask: Image | None = None
    """Where to edit; None: everywhere."""

    @property
    def model(self) -> str:
        """The name that the client asks for."""
        return self.asked.model

    @property
    def stream(self) -> bool:
        """Whether the answer comes piece by piece: never."""
        return False


def decode_image_edit_request(raw: bytes) -> ImageEditRequest:
    """Return the request in a JSON body.

    `image` is a text or a list of texts; `images` is OpenAI's list of `{"image_url": …}`; `mask` is one of either.

    Raises:
        InputError: The body is no JSON object, a field is missing, of the wrong type or out of bounds, or there is no
            image, or one that is none or elsewhere.
    """
    body = given_fields(decode_object(raw))
    name = next((one for one in _IMAGES if one in body), "image")
    given: Any = body.get(name)
    many = cast("list[Any]", given) if isinstance(given, list) else [given] if given else []
    is_list = isinstance(given, list)
    images = [_image(_text_in(one), f"{name}[{place}]" if is_list else name) for place, one in enumerate(many)]
    mask = _image(_text_in(body["mask"]), "mask") if "mask" in body else None
    return _request({field: value for field, value in body.items() if field not in (*_IMAGES, "mask")}, images, mask)


def image_edit_of_form(fields: Iterable[tuple[str, Content]]) -> ImageEditRequest:
    """Return the request in a form's fields.

    Args:
        fields: Names and values in order; of a file its bytes.

    Raises:
        InputError: A field is missing, of the wrong type or out of bounds, or there is no image, or one that is none.
    """
    texts: dict[str, str] = {}
    images: list[Image] = []
    mask: Image | None = None
    for name, value in fields:
        if name in _IMAGES:
            images.append(_image(value, name))
        elif name == "mask":
            mask = _image(value, name) if value else None
        elif isinstance(value, str):
            texts[name] = value
        else:
            raise InputError(f"{name!r:.100} must not be a file", param=name)
    return _request(texts, images, mask)


def _request(fields: Mapping[str, Any], images: Sequence[Image], mask: Image | None) -> ImageEditRequest:
    asked = image_edit_request(fields)
    if not images:
        raise InputError("'image' is missing: send at least one image to edit", param="image")
    if len(images) > MAX_INPUT_IMAGES:
        raise InputError(f"'image': {MAX_INPUT_IMAGES} images at most, got {len(images)}", param="image")
    return ImageEditRequest(asked, list(images), mask)


def _text_in(value: Any) -> Any:
    """Return what stands in the place of an image in JSON: it should be a text."""
    text: Any = cast("dict[str, Any]", value).get("image_url") if isinstance(value, dict) else value
    return cast("dict[str, Any]", text).get("url") if isinstance(text, dict) else text


def _image(value: Any, param: str) -> Image:
    """Return an image of its bytes, or of a `data:` URL or base64 text.

    Raises:
        InputError: It is none, or at an address.
    """
    image = (
        image_of_bytes(value) if isinstance(value, bytes) else image_of_text(value) if isinstance(value, str) else None
    )
    if image is None:
        what = "is empty" if value in (b"", "") else "must be a data URL or base64 text"
        raise InputError(f"{param!r:.100} {what}, got {shown(value)}", param=param)
    if image.data is None:
        raise InputError(f"{param!r:.100} is an address, and addresses are not fetched; send the image", param=param)
    return image
