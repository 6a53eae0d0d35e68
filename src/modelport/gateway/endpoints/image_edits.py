"""`POST /images/edits`: edited images, of uploaded ones. Nothing that a client names is opened or fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelport.gateway.endpoints.images import hook_or_refuse, keywords_of, send_images
from modelport.gateway.form import read_form
from modelport.values.errors import InputError
from modelport.wire.image_edit_request import (
    MAX_FIELDS,
    MAX_INPUT_IMAGES,
    ImageEditRequest,
    decode_image_edit_request,
    image_edit_of_form,
)

if TYPE_CHECKING:
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord

_MAX_FILES = MAX_INPUT_IMAGES + 1
"""How many files a form may have: the images and a mask."""


class ImageEditsEndpoint:
    """Answers requests for edited images."""

    path = "/images/edits"

    def decode(self, raw: bytes, exchange: Exchange) -> ImageEditRequest:
        """Return the request in a body, a form or JSON; raises InputError when it is wrong."""
        return _request(exchange.header("content-type") or "", raw)

    async def answer(
        self, request: ImageEditRequest, deployment: Deployment, exchange: Exchange, record: RequestRecord
    ) -> None:
        """Let a deployment answer.

        Raises:
            InputError: It edits no images.
        """
        model = deployment.model("image")
        asked = request.asked
        hook = hook_or_refuse(model.__modelport_edit_hooks__.async_answer, "edit", deployment)
        keywords = keywords_of(asked, deployment, model, hook, exchange)
        result = await model.aedit_images(request.images, asked.prompt, mask=request.mask, **keywords)
        await send_images(result, asked, exchange, record)


def _request(content_type: str, raw: bytes) -> ImageEditRequest:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return image_edit_of_form(read_form(content_type, raw, max_files=_MAX_FILES, max_fields=MAX_FIELDS))
    if kind not in ("", "application/json"):
        raise InputError(f"an edit is sent as multipart/form-data, or as application/json, not as {kind!r:.100}")
    return decode_image_edit_request(raw)
