"""What `POST /images/generations` and `/images/edits` take, but for the uploaded files of an edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from modelport.values.errors import InputError
from modelport.wire.checks import checked
from modelport.wire.json_text import decode_object, encode_json
from modelport.wire.request_fields import Text, given_fields

MAX_IMAGES = 10
"""OpenAI's bound of `n`."""
_NUMBERS = ("n", "output_compression", "partial_images")
"""Fields of a form, where all values are texts, that are numbers."""

ImageFormat = Literal["url", "b64_json"]
"""How an image comes: as an address, or as base64 of its bytes."""


class ImageBody(msgspec.Struct):
    """Says what type and bounds the known fields have; the schema is OpenAI's `CreateImageRequest`."""

    model: Text
    prompt: Text
    n: Annotated[int, Meta(ge=1, le=MAX_IMAGES)] = 1
    size: Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})\Z")] | None = None
    response_format: ImageFormat | None = None
    stream: bool = False
    quality: str | None = None
    style: str | None = None
    background: str | None = None
    output_format: str | None = None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None = None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None = None
    moderation: str | None = None
    input_fidelity: str | None = None
    user: str | None = None


_OURS = frozenset({"model", "prompt", "n", "response_format", "stream", "partial_images"})


class ImageRequest(msgspec.Struct, frozen=True):
    """Is a checked request for images."""

    model: str
    """The name that the client asks for."""
    prompt: str
    """What the images shall show, or what shall be changed in them."""
    n: int = 1
    """How many images are wanted."""
    response_format: ImageFormat | None = None
    """How they shall come; None: as the model gives them."""
    options: dict[str, Any] = {}
    """All other fields that are not null, `size` ("1024x1024") among them: for the hook."""
    given: dict[str, Any] = {}
    """All fields that are not null, as they came: for a handler."""

    @property
    def stream(self) -> bool:
        """Whether the answer comes piece by piece: never."""
        return False


def decode_image_request(raw: bytes) -> ImageRequest:
    """Return the request in a body; null counts as absent, unknown fields are kept in `options`.

    Raises:
        InputError: The body is no JSON object, or a field is missing, of the wrong type or out of bounds; or the
            images shall be streamed.
    """
    return _request(given_fields(decode_object(raw)))


def image_edit_request(fields: Mapping[str, Any]) -> ImageRequest:
    """Return the request in an edit's fields but for its images; in a form all values are texts.

    Raises:
        InputError: A field is missing, of the wrong type or out of bounds; or the images shall be streamed.
    """
    body: dict[str, Any] = {name: value for name, value in fields.items() if value not in (None, "")}
    for name in _NUMBERS:
        number = body.get(name)
        if isinstance(number, str) and number.isdecimal():
            body[name] = int(number[:20])
    if isinstance(body.get("stream"), str):
        body["stream"] = body["stream"].lower() in ("true", "1")
    return _request(body)


def encode_image_request(request: ImageRequest) -> bytes:
    """Return the body that asks another server for the same images."""
    return encode_json(_body_of(request))


def image_edit_fields(request: ImageRequest) -> dict[str, str]:
    """Return the text fields of the form that asks another server for the same edit; the files are not among them."""
    fields = _body_of(request).items()
    return {name: value if isinstance(value, str) else encode_json(value).decode() for name, value in fields}


def _request(body: dict[str, Any]) -> ImageRequest:
    known = checked(body, ImageBody)
    if known.stream:
        raise InputError("'stream': images are not streamed; leave it out", param="stream")
    return ImageRequest(
        model=known.model,
        prompt=known.prompt,
        n=known.n,
        response_format=known.response_format,
        options={name: value for name, value in body.items() if name not in _OURS},
        given=body,
    )


def _body_of(request: ImageRequest) -> dict[str, Any]:
    body = {**request.options, "model": request.model, "prompt": request.prompt, "n": request.n}
    if request.response_format is not None:
        body["response_format"] = request.response_format
    return body
