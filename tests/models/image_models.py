"""Image models that keep what they were given or return what they are told, and every way to ask them."""

from __future__ import annotations

import asyncio
import base64
import threading
from typing import Any

from pydantic import PrivateAttr, SecretStr

from modelport import ImageModel
from modelport.values.images import ImageResult

SOON = 10.0
PNG = b"\x89PNG\r\n\x1a\n rest"
JPEG = b"\xff\xd8\xff rest"
WAYS = ("generate_images", "agenerate_images")
EDIT_WAYS = ("edit_images", "aedit_images")


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


class SyncOnly(ImageModel):
    _given: list[Any] = PrivateAttr(default_factory=list)

    def _generate_images(self, prompt, n=1):
        self._given.append(("_generate_images", prompt, n))
        return [f"{prompt}-{i}".encode() for i in range(n)]

    def _edit_images(self, images, prompt, mask=None, n=1):
        self._given.append(("_edit_images", images, prompt, mask, n))
        return [image.data + prompt.encode() for image in images][:n]


class AsyncOnly(ImageModel):
    _given: list[Any] = PrivateAttr(default_factory=list)

    async def _agenerate_images(self, prompt, n=1):
        await asyncio.sleep(0)
        self._given.append(("_agenerate_images", prompt, n))
        return [f"{prompt}-{i}".encode() for i in range(n)]

    async def _aedit_images(self, images, prompt, mask=None, n=1):
        self._given.append(("_aedit_images", images, prompt, mask, n))
        return [image.data + prompt.encode() for image in images][:n]


class Both(SyncOnly, AsyncOnly):
    pass


class Returning(ImageModel):
    """Returns what it is made with."""

    value: Any
    api_key: SecretStr = SecretStr("sk-very-secret")

    def _generate_images(self, prompt, **kwargs):
        return self.value


class Saved:
    """Is an image of PIL's kind."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None

    def save(self, file: Any, format: str) -> None:
        assert format == "PNG"
        self.thread = threading.current_thread()
        file.write(PNG)


class Unsaved:
    def save(self, file: Any, format: str) -> None:
        raise OSError("secret: cannot write mode CMYK as PNG")


async def ask(model: ImageModel, way: str, *args: Any, **kwargs: Any) -> ImageResult:
    """Call in one of the ways; sync ways run in a thread of their own."""
    method = getattr(model, way)
    return await method(*args, **kwargs) if way[0] == "a" else await asyncio.to_thread(method, *args, **kwargs)
