"""`OpenAICompatibleImages`: image models on an OpenAI-compatible server, by `images/generations` and `images/edits`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelport.models.image import ImageModel
from modelport.providers.openai_endpoint import OpenAIEndpoint
from modelport.values.images import Image
from modelport.wire.json_text import encode_json

if TYPE_CHECKING:
    from modelport.providers.exchange import Exchange


class OpenAICompatibleImages(OpenAIEndpoint, ImageModel):
    """Is an image model on an OpenAI-compatible server.

    Every keyword of a call goes into the request as it is: `size`, `quality`, `response_format`, …
    """

    async def _agenerate_images(self, prompt: str, n: int = 1, **kwargs: Any) -> dict[str, Any]:
        async with self._post("/images/generations", {"prompt": prompt, "n": n}, kwargs) as exchange:
            return await _images(exchange)

    async def _aedit_images(
        self, images: list[Image], prompt: str, mask: Image | None = None, n: int = 1, **kwargs: Any
    ) -> dict[str, Any]:
        from modelport.providers.exchange import Exchange, Request

        fields = self._body({"prompt": prompt, "n": n}, kwargs)
        form = _form(fields, images, mask)
        request = Request("POST", self._url("/images/edits", kwargs), self._headers(kwargs), form)
        async with Exchange(self, request) as exchange:
            return await _images(exchange)


async def _images(exchange: Exchange) -> dict[str, Any]:
    """Return a response with images in it.

    Raises:
        APIStatusError: It is none.
    """
    from modelport.providers.failures import malformed
    from modelport.providers.openai_answers import decoded

    body = await exchange.read()
    response = decoded(body, exchange)
    data = response.get("data")
    if not isinstance(data, list) or not data:
        raise malformed(exchange.place, exchange.scrub, "answered with no images", body)
    return response


def _form(fields: dict[str, Any], images: list[Image], mask: Image | None) -> Any:
    """Return the multipart form of an edit: texts, and the images as files."""
    import aiohttp

    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value if isinstance(value, str) else encode_json(value).decode())
    name = "image" if len(images) == 1 else "image[]"
    for position, image in enumerate(images):
        _add_image(form, name, f"image{position}", image)
    if mask is not None:
        _add_image(form, "mask", "mask", mask)
    return form


def _add_image(form: Any, name: str, stem: str, image: Image) -> None:
    kind = image.mime_type or "image/png"
    form.add_field(name, image.data, filename=f"{stem}.{kind.partition('/')[2]}", content_type=kind)
