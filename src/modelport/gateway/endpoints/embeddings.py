"""`POST /embeddings`: a vector for each input, as numbers or as base64."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from modelport.engine.workers import call_in_worker
from modelport.gateway.answering import handler_request
from modelport.gateway.endpoints.asking import config_of, own_keywords
from modelport.gateway.heavy_work import worked
from modelport.models.token_ids import has_token_ids, texts_of
from modelport.wire.embedding_request import EmbeddingRequest, decode_embedding_request
from modelport.wire.embedding_response import embedding_response
from modelport.wire.entries import entry_blocks

if TYPE_CHECKING:
    from modelport.engine.hooks import Hook
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord

_RESERVED = frozenset({"texts", "dimensions", "config"})
"""Names that no option may have: they are parameters of the model's own method."""
_NOT_FOR_HANDLERS = frozenset({"input", "encoding_format"})
"""What is done here and is none of a handler's business."""
_BYTES_PER_NUMBER = 20
"""How long a number is in JSON, about; in base64 it is shorter, and made as fast."""


class EmbeddingsEndpoint:
    """Answers requests for vectors."""

    path = "/embeddings"

    def decode(self, raw: bytes, exchange: Exchange) -> EmbeddingRequest:
        """Return the request in a body; raises InputError when it is wrong."""
        return decode_embedding_request(raw)

    async def answer(
        self, request: EmbeddingRequest, deployment: Deployment, exchange: Exchange, record: RequestRecord
    ) -> None:
        """Let a deployment answer.

        Raises:
            InputError: It makes no vectors, none of that length, or none of token ids.
        """
        model = deployment.model("embedding")
        inputs, keywords = await _asked(request, deployment, model, exchange)
        result = await model.aembed(inputs, **keywords)
        record.first_token_at = perf_counter()
        record.prompt_tokens = result.usage.prompt_tokens

        def encoded() -> list[bytes]:
            response = embedding_response(result, model=request.model, encoding_format=request.encoding_format)
            return entry_blocks(response)

        numbers = sum(map(len, result.embeddings))
        await exchange.reply_blocks(200, await worked(encoded, numbers * _BYTES_PER_NUMBER))


async def _asked(
    request: EmbeddingRequest, deployment: Deployment, model: Any, exchange: Exchange
) -> tuple[list[Any], dict[str, Any]]:
    """Return the inputs and the keywords of the model's call."""
    inputs: list[Any] = list(request.inputs)
    config = config_of(exchange)
    if deployment.source.provider.is_handler:
        # A handler gets token ids as they are.
        given = {name: value for name, value in request.given.items() if name not in _NOT_FOR_HANDLERS}
        own: dict[str, Any] = {"request": handler_request(deployment, given, None)}
    else:
        if has_token_ids(inputs):
            inputs = list(await call_in_worker(lambda: texts_of(model, request.inputs, "input")))
        hook: Hook = model.__modelport_hooks__.async_many
        own = own_keywords(deployment, model, hook, request.options, reserved=_RESERVED)
    dimensions = request.dimensions or deployment.source.defaults.get("dimensions")
    return inputs, {**own, "dimensions": dimensions, "config": config}
