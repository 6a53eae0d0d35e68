"""`POST /images/generations`: images of a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from modelport.gateway.answering import handler_request
from modelport.gateway.endpoints.asking import config_of, own_keywords
from modelport.gateway.heavy_work import worked
from modelport.sdk.images import image_keywords
from modelport.values.errors import InputError
from modelport.values.images import ImageResult
from modelport.wire.image_request import ImageRequest, decode_image_request
from modelport.wire.image_response import image_blocks

if TYPE_CHECKING:
    from modelport.engine.hooks import Hook
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord

_RESERVED = frozenset({"n", "config", "images", "image", "mask", "prompt"})
"""Names that no option may have: they are parameters of the model's own methods and hooks."""


class ImagesEndpoint:
    """Answers requests for images of a prompt."""

    path = "/images/generations"

    def decode(self, raw: bytes, exchange: Exchange) -> ImageRequest:
        """Return the request in a body; raises InputError when it is wrong."""
        return decode_image_request(raw)

    async def answer(
        self, request: ImageRequest, deployment: Deployment, exchange: Exchange, record: RequestRecord
    ) -> None:
        """Let a deployment answer.

        Raises:
            InputError: It makes no images.
        """
        model = deployment.model("image")
        hook = hook_or_refuse(model.__modelport_hooks__.async_answer, "make", deployment)
        keywords = keywords_of(request, deployment, model, hook, exchange)
        await send_images(await model.agenerate_images(request.prompt, **keywords), request, exchange, record)


def hook_or_refuse(hook: Hook | None, what: str, deployment: Deployment) -> Hook:
    """Return an image model's hook for what is asked.

    Raises:
        InputError: It has none.
    """
    if hook is None:
        raise InputError(f"the model {deployment.name!r} cannot {what} images; ask another one", param="model")
    return hook


def keywords_of(
    request: ImageRequest, deployment: Deployment, model: Any, hook: Hook, exchange: Exchange
) -> dict[str, Any]:
    """Return the keywords of an image model's call, for making or editing."""
    config = config_of(exchange)
    if not deployment.source.provider.is_handler:
        own: Mapping[str, Any] = own_keywords(deployment, model, hook, request.options, reserved=_RESERVED)
        return image_keywords(model, {**own, "config": config}, n=request.n, response_format=request.response_format)
    told = handler_request(deployment, request.given, None)
    if "n" in request.given:
        # A handler may give all of them at once.
        told = msgspec.structs.replace(told, optional_params={**told.optional_params, "n": request.n})
    return {"request": told, "n": request.n, "config": config}


async def send_images(result: ImageResult, request: ImageRequest, exchange: Exchange, record: RequestRecord) -> None:
    """Answer with images."""
    record.first_token_at = perf_counter()
    if result.usage is not None:
        record.prompt_tokens, record.completion_tokens = result.usage.prompt_tokens, result.usage.completion_tokens
    size_bytes = sum(len(image.data or b"") for image in result.images)
    blocks = await worked(lambda: image_blocks(result, response_format=request.response_format), size_bytes)
    await exchange.reply_blocks(200, blocks)
