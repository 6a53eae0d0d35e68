"""`rerank` and `arerank`: documents in the order in which they fit a query, by a model's `provider/name`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from modelport.engine.answers import arun, run
from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.engine.ranking import Ranking
from modelport.models.reranking import rerank_hooks
from modelport.runs.scope import Scope
from modelport.sdk.calling import ModelCall, given_only
from modelport.sdk.request import own_keywords, scope_in
from modelport.sdk.resilience import Resilient, Ways, is_resilient, resilient
from modelport.values.errors import HookError, InputError
from modelport.wire.rerank import Document, RerankRequest, RerankResponse, rerank_response


def rerank(
    model: str,
    query: str,
    documents: Sequence[Document],
    *,
    top_n: int | None = None,
    return_documents: bool | None = None,
    **given: Any,
) -> RerankResponse:
    """Return documents ranked by a query, the best first, as Cohere's and LiteLLM's rerank has it.

    Args:
        model: `provider/name` of any model or handler with a `_rerank` or `_arerank` hook.
        query: What they are ranked by.
        documents: Texts, or dicts whose `text` is ranked.
        top_n: How many results are wanted; None: all.
        return_documents: Whether the results carry their documents.
        **given: As for `completion`: `timeout`, `num_retries`, `fallbacks`, `config`; all else goes to the model.

    Raises:
        ModelportError: One class per status, with the model's own exception as `__cause__`.
    """
    given = given_only(given)
    request = _request(model, query, documents, top_n, return_documents)
    if is_resilient(given):
        return _attempts(request, given).answer()
    call = _RerankCall(model, given)
    return call.run(lambda: call.response(run(call.engine_call(request, given, is_async=False)), request))


async def arerank(
    model: str,
    query: str,
    documents: Sequence[Document],
    *,
    top_n: int | None = None,
    return_documents: bool | None = None,
    **given: Any,
) -> RerankResponse:
    """Return documents ranked by a query, on the running loop; see `rerank`."""
    given = given_only(given)
    request = _request(model, query, documents, top_n, return_documents)
    if is_resilient(given):
        return await _attempts(request, given).aanswer()
    call = _RerankCall(model, given)

    async def answered() -> RerankResponse:
        return call.response(await arun(call.engine_call(request, given, is_async=True)), request)

    return await call.arun(answered)


def _attempts(asked: RerankRequest, given: Mapping[str, Any]) -> Resilient:
    more: dict[str, Any] = {
        "query": asked.query,
        "documents": asked.documents,
        "top_n": asked.top_n,
        "return_documents": asked.return_documents,
    }
    ways = Ways(
        lambda name, own: rerank(name, **more | own),
        lambda name, own: arerank(name, **more | own),
    )
    return resilient(asked.model, given, ways)


class _RerankCall(ModelCall):
    """Is a model that ranks."""

    def __init__(self, model: str, given: Mapping[str, Any]) -> None:
        super().__init__("rerank", model, given)

    def engine_call(self, request: RerankRequest, given: Mapping[str, Any], *, is_async: bool) -> Call:
        """Return the engine's call of the model's `_rerank`."""
        hooks = rerank_hooks(self.model)
        own = own_keywords(self.model, given, hooks)
        return ranking_call(self.model, request, own, is_async=is_async, scope=scope_in(given))

    def response(self, ranking: Any, request: RerankRequest) -> RerankResponse:
        """Return the response that carries a ranking."""
        return ranking_response(ranking, request, owner=type(self.model).__name__, name=self.name)


def ranking_call(
    model: Any, request: RerankRequest, own: Mapping[str, Any], *, is_async: bool, scope: Scope | None = None
) -> Call:
    """Return the engine's call of a model's `_rerank`.

    Args:
        model: The model.
        request: What is asked.
        own: The keywords for its hook.
        is_async: Whether the call runs on a loop.
        scope: The call's scope.

    Raises:
        InputError: The model has no hook that ranks.
    """
    hooks = rerank_hooks(model)
    hook = cast("Hook", hooks.async_answer if is_async else hooks.answer)
    keywords = {**own, "documents": request.texts}
    if hook.takes("top_n"):
        keywords["top_n"] = request.top_n
    return Call(model, request.query, scope=scope, kwargs=keywords, hooks=hooks)


def ranking_response(ranking: Any, request: RerankRequest, *, owner: str, name: str) -> RerankResponse:
    """Return the response that carries a ranking.

    Args:
        ranking: What the engine gave.
        request: What was asked.
        owner: The class of the model, for the error.
        name: The model's name, as the response has it.

    Raises:
        HookError: It ranks a document that there is not, or one twice.
    """
    ranked = cast("Ranking", ranking)
    seen: set[int] = set()
    for index, _ in ranked.results:
        if index >= len(request.documents) or index in seen:
            what = "ranked twice" if index in seen else f"out of range for {len(request.documents)} documents"
            raise HookError(f"{owner} gave the document {index}, which is {what}")
        seen.add(index)
    response = rerank_response(ranked.results, request, usage=ranked.usage)
    response.model = name
    return response


def _request(model: str, query: Any, documents: Any, top_n: Any, return_documents: bool | None) -> RerankRequest:
    if not isinstance(query, str):
        raise InputError(f"query must be a text, not {type(query).__name__}", param="query")
    if isinstance(documents, (str, bytes)) or not isinstance(documents, Sequence) or not documents:
        raise InputError("documents must be a list of at least one text", param="documents")
    given = list(cast("Sequence[Any]", documents))
    for position, one in enumerate(given):
        if not isinstance(one, str) and not (isinstance(one, dict) and isinstance(_text_in(one), str)):
            param = f"documents[{position}]"
            raise InputError(f"{param} must be a text, or a dict with a 'text'", param=param)
    if top_n is not None and (isinstance(top_n, bool) or not isinstance(top_n, int) or top_n < 1):
        raise InputError(f"top_n must be an int of at least 1, or None, not {top_n!r}", param="top_n")
    return RerankRequest(model, query, given, top_n, bool(return_documents))


def _text_in(document: Any) -> Any:
    return document.get("text")
