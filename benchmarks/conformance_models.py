"""Models that the wire checks ask at modelport's gateway: the least that an author writes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from modelport import LLM, EmbeddingModel, ImageModel

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)
"""One pixel."""


class Echo(LLM):
    """Answers with the last message, piece by piece."""

    chat_template: str | None = "last"

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for start in range(0, len(prompt), 3):
            yield prompt[start : start + 3]


class Vectors(EmbeddingModel):
    """Makes a vector of a text's length and letters."""

    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), float(sum(map(ord, text)) % 97), 1.0, 0.5] for text in texts]


class Pixel(ImageModel):
    """Draws the same picture each time."""

    def _generate_images(self, prompt: str) -> bytes:
        return PNG
