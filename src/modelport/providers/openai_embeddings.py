"""`OpenAICompatibleEmbeddings`: embedding models on an OpenAI-compatible server, by `POST {base_url}/embeddings`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from modelport.models.embedding import EmbeddingModel
from modelport.providers.openai_endpoint import OpenAIEndpoint
from modelport.values.embeddings import Embedding
from modelport.values.usage import Usage
from modelport.wire.received import BadResponseError


class OpenAICompatibleEmbeddings(OpenAIEndpoint, EmbeddingModel):
    """Is an embedding model on an OpenAI-compatible server."""

    inputs_per_request: int = Field(default=2048, ge=1)
    """How many texts one request carries at most; more are sent one request after the other."""
    encoding_format: Literal["float", "base64"] = "float"
    """How the server is asked to write vectors; both are understood. Base64 is read several times faster, where the
    server knows it."""

    async def _aembed(self, texts: list[str], dimensions: int | None = None, **kwargs: Any) -> list[Embedding]:
        call = {**kwargs, "encoding_format": self.encoding_format, "dimensions": dimensions}
        found: list[Embedding] = []
        for start in range(0, len(texts), self.inputs_per_request):
            found += await self._request(texts[start : start + self.inputs_per_request], call)
        return found

    async def _request(self, texts: list[str], call: dict[str, Any]) -> list[Embedding]:
        from modelport.providers.failures import malformed
        from modelport.providers.openai_answers import decoded
        from modelport.values.shares import shared_out
        from modelport.wire.embedding_response import embeddings_of

        async with self._post("/embeddings", {"input": texts}, call) as exchange:
            body = await exchange.read()
        try:
            result = embeddings_of(decoded(body, exchange))
        except BadResponseError as error:
            raise malformed(exchange.place, exchange.scrub, f"answered with no embeddings ({error})", body) from None
        if len(result.embeddings) != len(texts):
            what = f"answered with {len(result.embeddings)} embeddings for {len(texts)} texts"
            raise malformed(exchange.place, exchange.scrub, what)
        if not result.usage.total_tokens:
            return [Embedding(vector) for vector in result.embeddings]
        parts = shared_out(result.usage.prompt_tokens, [len(text.encode("utf-8", "surrogatepass")) for text in texts])
        return [Embedding(vector, Usage(part, 0, part)) for vector, part in zip(result.embeddings, parts, strict=True)]
