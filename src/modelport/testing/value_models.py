"""Embedding and image models, and a handler, to test your own code with."""

from __future__ import annotations

import math
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from modelport.models.embedding import EmbeddingModel
from modelport.models.handler import CustomLLM
from modelport.models.image import ImageModel
from modelport.values.images import Image

_PNG = b"\x89PNG\r\n\x1a\n"


class EchoEmbeddingModel(EmbeddingModel):
    """Gives each text a vector of its own, of length 1: always the same for the same text."""

    size: int = 8
    """How many numbers a vector has, unless the call or `dimensions` says."""

    def _embed(self, texts: list[str], dimensions: int | None = None) -> list[list[float]]:
        return [_vector(text, dimensions or self.size) for text in texts]


def _vector(text: str, size: int) -> list[float]:
    numbers = [zlib.crc32(f"{position} {text}".encode("utf-8", "replace")) / 2**31 - 1 for position in range(size)]
    length = math.hypot(*numbers) or 1.0
    return [number / length for number in numbers]


class EchoImageModel(ImageModel):
    """Gives images that hold their prompt: PNG signatures with the prompt and a number after them, no real pictures."""

    def _generate_images(self, prompt: str, n: int = 1, size: str | None = None) -> list[bytes]:
        return [_PNG + f"{prompt} {number}".encode("utf-8", "replace") for number in range(n)]

    def _edit_images(self, images: list[Image], prompt: str, mask: Image | None = None, n: int = 1) -> list[bytes]:
        return [(images[0].data or b"") + f" {prompt} {number}".encode("utf-8", "replace") for number in range(n)]


class EchoHandler(CustomLLM):
    """Is a handler, as LiteLLM has them, that answers with the last message's text by all four chat methods."""

    def completion(self, messages: list[Any], model_response: Any, **kwargs: Any) -> Any:
        """Fill in the response."""
        model_response.choices[0].message.content = _last_text(messages)
        return model_response

    async def acompletion(self, messages: list[Any], model_response: Any, **kwargs: Any) -> Any:
        """Fill in the response."""
        return self.completion(messages, model_response)

    def streaming(self, messages: list[Any], **kwargs: Any) -> Iterator[Any]:
        """Yield one chunk for each character, and one at the end."""
        text = _last_text(messages)
        yield from (_chunk(letter) for letter in text)
        yield _chunk("", finish_reason="stop")

    async def astreaming(self, messages: list[Any], **kwargs: Any) -> AsyncIterator[Any]:
        """Yield one chunk for each character, and one at the end."""
        for chunk in self.streaming(messages):
            yield chunk


def _last_text(messages: list[Any]) -> str:
    content = messages[-1]["content"] if messages else ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or ())


def _chunk(text: str, finish_reason: str = "") -> dict[str, Any]:
    return {
        "text": text,
        "tool_use": None,
        "is_finished": bool(finish_reason),
        "finish_reason": finish_reason,
        "usage": None,
        "index": 0,
    }
