"""`POST /rerank`: documents in the order in which they fit a query, as Cohere, Jina and LiteLLM have it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from modelport.engine.answers import arun
from modelport.engine.ranking import Ranking
from modelport.gateway.endpoints.asking import config_of, own_keywords
from modelport.models.reranking import rerank_hooks
from modelport.runs.scope import scope_of
from modelport.sdk.ranks import ranking_call, ranking_response
from modelport.wire.json_text import encode_json
from modelport.wire.rerank import RerankRequest, decode_rerank_request

if TYPE_CHECKING:
    from modelport.engine.hooks import Hook
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord

_RESERVED = frozenset({"query", "documents", "top_n"})
"""Names that no option may have: they are parameters of the hook."""


class RerankEndpoint:
    """Answers requests for rankings."""

    path = "/rerank"

    def decode(self, raw: bytes, exchange: Exchange) -> RerankRequest:
        """Return the request in a body; raises InputError when it is wrong."""
        return decode_rerank_request(raw)

    async def answer(
        self, request: RerankRequest, deployment: Deployment, exchange: Exchange, record: RequestRecord
    ) -> None:
        """Let a deployment answer.

        Raises:
            InputError: It ranks nothing.
        """
        model: Any = deployment.model("rerank")
        hook = cast("Hook", rerank_hooks(model).async_answer)
        own = own_keywords(deployment, model, hook, request.options, reserved=_RESERVED)
        scope = scope_of(config_of(exchange))
        ranking = cast("Ranking", await arun(ranking_call(model, request, own, is_async=True, scope=scope)))
        record.first_token_at = perf_counter()
        if ranking.usage is not None:
            record.prompt_tokens = ranking.usage.prompt_tokens
            record.completion_tokens = ranking.usage.completion_tokens
        response = ranking_response(ranking, request, owner=type(model).__name__, name=request.model)
        await exchange.reply_raw(200, encode_json(response))
