"""Ranking documents by a query, as Cohere, Jina and LiteLLM have it: `POST /rerank`, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from msgspec import Meta

from modelport.values.errors import InputError
from modelport.values.usage import Usage
from modelport.wire.checks import checked, shown
from modelport.wire.json_text import decode_object, encode_json
from modelport.wire.objects import WireObject, always, plain
from modelport.wire.received import BadResponseError, decode_response, field_of, list_of
from modelport.wire.request_fields import Text, Tokens, given_fields

MAX_DOCUMENTS = 10_000
"""The most documents of one request: Cohere's bound."""

Document = str | dict[str, Any]
"""A text, or a dict whose `text` is ranked."""


class RerankBody(msgspec.Struct):
    """Says what type and bounds the known fields have; Cohere, Jina and LiteLLM agree on these."""

    model: Text
    query: Text
    documents: Annotated[list[Document], Meta(min_length=1, max_length=MAX_DOCUMENTS)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False
    max_chunks_per_doc: Tokens | None = None
    max_tokens_per_doc: Tokens | None = None
    rank_fields: list[Text] | None = None


_OURS = frozenset({"model", "query", "documents", "top_n", "return_documents"})


class RerankRequest(msgspec.Struct, frozen=True):
    """Is a checked rerank request."""

    model: str
    """The name that the client asks for."""
    query: str
    """What the documents are ranked by."""
    documents: list[Document]
    """The documents, at least one."""
    top_n: int | None = None
    """How many results are wanted; None: all."""
    return_documents: bool = False
    """Whether the results carry their documents."""
    options: dict[str, Any] = {}
    """All other fields that are not null: for the hook."""

    @property
    def stream(self) -> bool:
        """Whether the answer comes piece by piece: never."""
        return False

    @property
    def texts(self) -> list[str]:
        """The texts of the documents, in order."""
        return [one if isinstance(one, str) else one["text"] for one in self.documents]


class RerankResult(WireObject, kw_only=True):
    """Is one document's place."""

    index: int = always(0)
    """Which document of the request, from 0."""
    relevance_score: float = always(0.0)
    """How well it fits the query; higher is better."""
    document: dict[str, Any] | None = None
    """`{"text": …}` and what else the request's document had, when they were asked for."""


class RerankResponse(WireObject, kw_only=True):
    """Is the answer to a rerank request."""

    id: str = msgspec.field(default_factory=lambda: f"rerank-{uuid4().hex}")
    """Names this answer."""
    model: str | None = None
    """The name that the client asked for."""
    results: list[RerankResult] = msgspec.field(default_factory=list[RerankResult])
    """The documents, the best first."""
    meta: dict[str, Any] | None = None
    """`{"tokens": {"input_tokens": …, "output_tokens": …}}`, as Cohere says it."""


_new_response = plain(RerankResponse)
_new_result = plain(RerankResult)


def decode_rerank_request(raw: bytes) -> RerankRequest:
    """Return the request in a body; null counts as absent, unknown fields are kept in `options`.

    Raises:
        InputError: The body is no JSON object, or a field is missing, of the wrong type or out of bounds.
    """
    body = given_fields(decode_object(raw))
    known = checked(body, RerankBody)
    for position, document in enumerate(known.documents):
        if isinstance(document, dict) and not isinstance(document.get("text"), str):
            param = f"documents[{position}].text"
            raise InputError(f"{param!r} must be a string, got {shown(document.get('text'))}", param=param)
    options = {name: value for name, value in body.items() if name not in _OURS}
    return RerankRequest(known.model, known.query, known.documents, known.top_n, known.return_documents, options)


def encode_rerank_request(request: RerankRequest) -> bytes:
    """Return the body that asks another server for the same."""
    body = {
        **request.options,
        "model": request.model,
        "query": request.query,
        "documents": request.documents,
        "return_documents": request.return_documents,
    }
    if request.top_n is not None:
        body["top_n"] = request.top_n
    return encode_json(body)


def rerank_response(
    ranking: Sequence[tuple[int, float]], request: RerankRequest, *, usage: Usage | None = None
) -> RerankResponse:
    """Return the answer that carries a ranking.

    Args:
        ranking: The documents' indexes with their scores, the best first.
        request: What was asked; `top_n` results are kept.
        usage: The tokens that it took, when they are known.
    """
    meta = None
    if usage is not None:
        meta = {"tokens": {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}}
    results = [_result(index, score, request) for index, score in ranking[: request.top_n]]
    return _new_response(model=request.model, results=results, meta=meta)


def decode_rerank_response(raw: bytes | str) -> RerankResponse:
    """Return the ranking in a body; other keys are kept.

    Raises:
        BadResponseError: The body is no JSON object, has no `results`, or one without index or score.
    """
    body = decode_response(raw)
    ranking = ranking_of(body)
    response = RerankResponse.model_validate(body)
    for result, (_, score) in zip(response.results, ranking, strict=True):
        result.relevance_score = score
    return response


def ranking_of(response: Any) -> list[tuple[int, float]]:
    """Return the documents' indexes with their scores, in the order of an answer.

    Args:
        response: A `RerankResponse`, a dict, or LiteLLM's own object; `results[i].index` and `.relevance_score` (or
            `.score`) are read.

    Raises:
        BadResponseError: There is no list `results`, or an entry has no index or score.
    """
    found: list[tuple[int, float]] = []
    for position, entry in enumerate(list_of(response, "results")):
        index = field_of(entry, "index")
        score = field_of(entry, "relevance_score", field_of(entry, "score"))
        if isinstance(index, bool) or not isinstance(index, int) or not isinstance(score, (int, float)):
            raise BadResponseError(f"results[{position}] must have an index and a relevance_score, got {shown(entry)}")
        found.append((index, float(score)))
    return found


def _result(index: int, score: float, request: RerankRequest) -> RerankResult:
    document = request.documents[index] if request.return_documents else None
    return _new_result(
        index=index,
        relevance_score=score,
        document={"text": document} if isinstance(document, str) else document,
    )
