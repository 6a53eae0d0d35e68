"""OpenAI's answer to a request for images, made of values and read back."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from modelport.values.images import Image, ImageResult, image_of_text
from modelport.values.usage import Usage
from modelport.wire.checks import shown
from modelport.wire.completion import now_seconds
from modelport.wire.entries import entry_blocks
from modelport.wire.image_request import ImageFormat
from modelport.wire.json_text import encode_json
from modelport.wire.objects import WireObject, always, plain
from modelport.wire.received import BadResponseError, decode_response, field_of, int_or, list_of, text_or_none, usage_in

_STEP_BYTES = 3 * 256 * 1024
"""How many bytes are written as base64 in one step: a multiple of three, so that what is written can be joined."""


class ImageObject(WireObject, kw_only=True):
    """Is one image: where it is, or what it is."""

    url: str | None = None
    """Its address; an image that is here can be a `data:` URL."""
    b64_json: str | None = None
    """Its bytes in base64."""
    revised_prompt: str | None = None
    """The prompt that it was really made of, when the model changed it."""


class ImageTokens(WireObject, kw_only=True):
    """Says what the input's tokens are tokens of."""

    text_tokens: int = always(0)
    """Those of the prompt."""
    image_tokens: int = always(0)
    """Those of the images to edit."""


class ImageUsage(WireObject, kw_only=True):
    """Counts the tokens of the prompt and the images."""

    input_tokens: int = always(0)
    """Tokens of the prompt, and of the images to edit."""
    output_tokens: int = always(0)
    """Tokens of the images made."""
    total_tokens: int = always(0)
    """Both together."""
    input_tokens_details: ImageTokens = msgspec.field(default_factory=ImageTokens)
    """What the input's tokens are tokens of; all count as text when nobody told them apart."""


class ImageResponse(WireObject, kw_only=True):
    """Is the answer to a request for images."""

    created: int = msgspec.field(default_factory=now_seconds)
    """When they were made, in seconds since 1970."""
    data: list[ImageObject] = msgspec.field(default_factory=list[ImageObject])
    """The images."""
    usage: ImageUsage | None = None
    """The tokens that they took."""


_new_response = plain(ImageResponse)
_new_object = plain(ImageObject)
_new_usage = plain(ImageUsage)
_new_tokens = plain(ImageTokens)


def image_response(result: ImageResult, *, response_format: ImageFormat | None = None) -> ImageResponse:
    """Return the answer that carries some images.

    Args:
        result: The images.
        response_format: How they are wanted. "url" makes `data:` URLs of bytes; an image that is at a URL keeps it
            whatever is wanted, as nothing is downloaded here.
    """
    return _new_response(
        created=result.created or now_seconds(),
        data=[_object(image, response_format) for image in result.images],
        usage=_usage(result.usage) if result.usage is not None else None,
    )


def image_blocks(result: ImageResult, *, response_format: ImageFormat | None = None) -> list[bytes]:
    """Return the JSON of `image_response` in blocks; a long image is written a piece at a time."""
    shell = image_response(msgspec.structs.replace(result, images=[]), response_format=response_format)
    return entry_blocks(shell, _pieces(result.images, response_format))


def _pieces(images: Iterable[Image], response_format: ImageFormat | None) -> Iterator[bytes]:
    for position, image in enumerate(images):
        if position:
            yield b","
        if image.data is None:
            yield encode_json(_object(image, response_format))
            continue
        # The empty image's text ends where the base64 goes, which needs no escapes.
        empty = encode_json(_object(msgspec.structs.replace(image, data=b""), response_format))
        before, _, after = empty.partition(b'"b64_json":""' if response_format != "url" else b';base64,"')
        yield before + (b'"b64_json":"' if response_format != "url" else b";base64,")
        for start in range(0, len(image.data), _STEP_BYTES):
            yield binascii.b2a_base64(image.data[start : start + _STEP_BYTES], newline=False)
        yield b'"' + after


def decode_image_response(raw: bytes | str) -> ImageResponse:
    """Return the images in a body; keys that OpenAI does not have are kept.

    Raises:
        BadResponseError: The body is no JSON object, or has no `data`.
    """
    body = decode_response(raw)
    list_of(body, "data")
    return ImageResponse.model_validate(body)


def images_of(response: Any) -> ImageResult:
    """Return the images of an answer.

    Args:
        response: An `ImageResponse`, a dict, or LiteLLM's own object; `data[i].url` and `.b64_json` are read.

    Raises:
        BadResponseError: There is no list `data`, or an entry has no image.
    """
    images = [_image(entry, position) for position, entry in enumerate(list_of(response, "data"))]
    return ImageResult(images, int_or(field_of(response, "created"), 0), usage_in(response))


def _object(image: Image, response_format: ImageFormat | None) -> ImageObject:
    prompt = image.revised_prompt
    if image.data is None:
        return _new_object(url=image.url, revised_prompt=prompt)
    if response_format == "url":
        return _new_object(url=image.data_url, revised_prompt=prompt)
    return _new_object(b64_json=image.b64_json, revised_prompt=prompt)


def _usage(usage: Usage) -> ImageUsage:
    return _new_usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_tokens_details=_new_tokens(text_tokens=usage.prompt_tokens),
    )


def _image(entry: Any, position: int) -> Image:
    prompt = text_or_none(field_of(entry, "revised_prompt"))
    url, encoded = text_or_none(field_of(entry, "url")), text_or_none(field_of(entry, "b64_json"))
    image = image_of_text(encoded, prompt) if encoded else None
    if image is None and url:
        # Addresses need not be http ones; what is no base64 is an address.
        image = image_of_text(url, prompt) if url.startswith("data:") else Image(url=url, revised_prompt=prompt)
    if image is None:
        raise BadResponseError(f"data[{position}] has neither a 'url' nor a 'b64_json' image: {shown(encoded or url)}")
    return image
