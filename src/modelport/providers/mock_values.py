"""`MockEmbeddings` and `MockImages`: vectors and images that depend on nothing but the input and a seed."""

from __future__ import annotations

import hashlib
import math
import random
import struct
import zlib
from typing import Any

from modelport.models.embedding import EmbeddingModel
from modelport.models.image import ImageModel
from modelport.values.errors import InputError
from modelport.values.images import Image

DIMENSIONS = 8
"""How long vectors are that nobody asked to be of another length."""
MAX_DIMENSIONS = 65_536
"""The longest vector."""
MAX_SIDE_PIXELS = 4096
"""The longest side of an image."""


class MockEmbeddings(EmbeddingModel):
    """Is an embedding model whose vectors are unit vectors made of the text's hash: equal texts, equal vectors."""

    model: str = "mock"
    """The name that results carry."""
    seed: int = 0
    """Models with one seed give equal vectors."""

    async def _aembed(self, texts: list[str], dimensions: int = DIMENSIONS, **kwargs: Any) -> list[list[float]]:
        if dimensions > MAX_DIMENSIONS:
            raise InputError(f"dimensions must be at most {MAX_DIMENSIONS}, not {dimensions!r}", param="dimensions")
        return [self._vector(text, dimensions) for text in texts]

    def _vector(self, text: str, dimensions: int) -> list[float]:
        dice = random.Random(_digest(self.seed, text))  # noqa: S311 - nothing secret depends on it
        numbers = [dice.gauss(0, 1) for _ in range(dimensions)]
        length = math.sqrt(sum(number * number for number in numbers)) or 1.0
        return [number / length for number in numbers]


class MockImages(ImageModel):
    """Is an image model that gives PNG images of one colour, made of the prompt's hash."""

    model: str = "mock"
    """The name that logs carry."""
    size: str = "16x16"
    """Width and height in pixels, when a call does not say, or says `auto`."""
    seed: int = 0
    """Models with one seed give equal images."""

    async def _agenerate_images(self, prompt: str, n: int = 1, size: str | None = None, **kwargs: Any) -> list[Image]:
        width, height = _sides(self.size if not size or size == "auto" else size)
        return [_image(width, height, _digest(self.seed, f"{prompt}:{index}")) for index in range(n)]

    async def _aedit_images(
        self,
        images: list[Image],
        prompt: str,
        mask: Image | None = None,
        n: int = 1,
        size: str | None = None,
        **kwargs: Any,
    ) -> list[Image]:
        width, height = _sides(self.size if not size or size == "auto" else size)
        inputs = hashlib.sha256(b"".join(image.data or b"" for image in images)).hexdigest()
        return [_image(width, height, _digest(self.seed, f"{prompt}:{inputs}:{index}")) for index in range(n)]


def _digest(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "surrogatepass")).digest()


def _sides(size: str) -> tuple[int, int]:
    """Return width and height.

    Raises:
        InputError: It is no `WIDTHxHEIGHT` in pixels, or too large.
    """
    width, _, height = size.partition("x")
    if not (width.isascii() and height.isascii() and width.isdigit() and height.isdigit()):
        raise InputError(f"size must be WIDTHxHEIGHT in pixels, as '16x16', not {size!r:.40}", param="size")
    if (
        len(size) > len("0000x0000")
        or not 1 <= int(width) <= MAX_SIDE_PIXELS
        or not 1 <= int(height) <= MAX_SIDE_PIXELS
    ):
        raise InputError(f"size must have sides of 1 to {MAX_SIDE_PIXELS} pixels, not {size!r:.40}", param="size")
    return int(width), int(height)


def _image(width: int, height: int, digest: bytes) -> Image:
    return Image(png(width, height, digest[:3]), mime_type="image/png")


def png(width: int, height: int, colour: bytes) -> bytes:
    """Return a PNG image of one colour.

    Args:
        width: In pixels.
        height: In pixels.
        colour: Three bytes: red, green, blue.
    """

    def block(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + colour * width) * height
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", header) + block(b"IDAT", zlib.compress(rows, 9)) + block(b"IEND", b"")
