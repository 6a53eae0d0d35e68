"""Images: what an image hook may return, what an edit hook is given, and what `generate_images` gives back."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

import msgspec
from typing_extensions import override

from modelport.values.usage import Usage

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
"""How the bytes of the common formats begin."""


_STEP_CHARACTERS = 2**20
"""How much base64 is decoded in one step: a multiple of four."""


class Image(msgspec.Struct, frozen=True):
    """Is one image: its bytes, or the URL that it is at."""

    data: bytes | None = None
    """The encoded image (PNG, JPEG, …); None: it is at `url`."""
    url: str | None = None
    """An http(s) URL; None: the bytes are here."""
    mime_type: str | None = None
    """`image/png` and the like; None: not known."""
    revised_prompt: str | None = None
    """The prompt that the image was really made of, when the model changed it."""

    @property
    def b64_json(self) -> str | None:
        """The bytes in base64, as OpenAI's responses carry them; None for an image that is at a URL."""
        return None if self.data is None else base64.b64encode(self.data).decode("ascii")

    @property
    def data_url(self) -> str | None:
        """The bytes as a `data:` URL; None for an image that is at a URL."""
        return (
            f"data:{self.mime_type or 'application/octet-stream'};base64,{self.b64_json}"
            if self.data is not None
            else None
        )

    @override
    def __repr__(self) -> str:
        what = f"url={self.url!r}" if self.data is None else f"<{len(self.data)} bytes>"
        more = [f"{name}={value!r}" for name in ("mime_type", "revised_prompt") if (value := getattr(self, name))]
        return f"Image({', '.join([what, *more])})"


class ImageResult(msgspec.Struct, frozen=True):
    """Is what `ImageModel.generate_images` and `edit_images` return."""

    images: list[Image]
    """As many as were asked for."""
    created: int = 0
    """When they were made, in seconds since 1970."""
    usage: Usage | None = None
    """Tokens of the prompt (counted or estimated when the hook does not say) and of the images (when it does)."""


def mime_type_of(data: bytes) -> str | None:
    """Return the type that an image's first bytes tell; None when they tell none of the common ones."""
    for signature, mime_type in _SIGNATURES:
        if data.startswith(signature):
            return mime_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "image/avif"
    return None


def image_of_bytes(data: bytes, mime_type: str | None = None, revised_prompt: str | None = None) -> Image | None:
    """Return the image of some bytes; None when there are none."""
    return Image(data, None, mime_type_of(data) or mime_type, revised_prompt) if data else None


def image_of_text(text: str, revised_prompt: str | None = None) -> Image | None:
    """Return the image that a text stands for: an http(s) URL, a `data:` URL, or base64; None when it is none."""
    if text.startswith(("http://", "https://")):
        return Image(url=text, revised_prompt=revised_prompt)
    mime_type = None
    if text.startswith("data:"):
        header, _, body = text[len("data:") :].partition(",")
        mime_type, *parameters = header.split(";")
        if "base64" not in parameters:
            return image_of_bytes(unquote_to_bytes(body), mime_type, revised_prompt)
        text = body
    try:
        data = _decoded("".join(text.split()))
    except (binascii.Error, ValueError):
        return None
    return image_of_bytes(data, mime_type, revised_prompt)


def _decoded(text: str) -> bytes:
    """Return the bytes of base64, a long one step by step, so that other threads run in between.

    Raises:
        ValueError: It is no base64.
    """
    if len(text) <= _STEP_CHARACTERS:
        return base64.b64decode(text, validate=True)
    if "=" in text[:-2]:
        raise ValueError("padding in the middle")
    steps = range(0, len(text), _STEP_CHARACTERS)
    return b"".join([base64.b64decode(text[start : start + _STEP_CHARACTERS], validate=True) for start in steps])
