"""`rerank`: documents in the order in which they fit a query."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

import modelport
from modelport import LLM, CustomLLM

DOCUMENTS: list[Any] = ["a", "ccc", {"text": "bb", "id": 7}]


class ByLength(LLM):
    def _rerank(self, query, documents):
        return [(place, len(text)) for place, text in enumerate(documents)]


class ByLengthAsync(LLM):
    async def _arerank(self, query, documents, top_n=None, **kwargs):
        return [{"index": place, "relevance_score": len(text)} for place, text in enumerate(documents)]


class Handler(CustomLLM):
    def _rerank(self, query, documents, top_n=None):
        return [(place, len(text)) for place, text in enumerate(documents)]


class AsyncHandler(CustomLLM):
    async def _arerank(self, query, documents):
        return [(place, len(text)) for place, text in enumerate(documents)]


def rank(is_async: bool, *args: Any, **given: Any) -> Any:
    return asyncio.run(modelport.arerank(*args, **given)) if is_async else modelport.rerank(*args, **given)


@pytest.mark.parametrize("kind", [ByLength, ByLengthAsync, Handler, AsyncHandler])
@pytest.mark.parametrize("is_async", [False, True])
def test_the_best_come_first(kind: Any, is_async: bool) -> None:
    modelport.register("m", kind())
    response = rank(is_async, "m/x", "q", DOCUMENTS, top_n=2, return_documents=True)
    assert [one.index for one in response.results] == [1, 2]
    assert [one.relevance_score for one in response.results] == [3.0, 2.0]
    assert [one.document["text"] for one in response.results] == ["ccc", "bb"]
    assert response.model == "x"
    assert len(rank(is_async, "m/x", "q", DOCUMENTS).results) == 3


class Given(LLM):
    ranking: Any = None
    deterministic: ClassVar[bool] = False

    def _rerank(self, query, documents):
        if isinstance(self.ranking, Exception):
            raise self.ranking
        return self.ranking


@pytest.mark.parametrize(
    ("ranking", "says"),
    [
        (None, "pairs"),
        ([1, 2], "pair"),
        ([(0, "x")], "pair"),
        ([(9, 1.0)], "out of range"),
        ([(0, 1.0), (0, 2.0)], "twice"),
        (ValueError("broken"), "broken"),
    ],
    ids=str,
)
def test_a_wrong_ranking_is_the_models_500(ranking: Any, says: str) -> None:
    modelport.register("m", Given(ranking=ranking))
    with pytest.raises(modelport.ModelportError, match=says) as failure:
        modelport.rerank("m/x", "q", DOCUMENTS)
    assert failure.value.status_code == 500


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"query": 3}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": "text"}, "documents"),
        ({"documents": ["a", {"no": "text"}]}, "documents[1]"),
        ({"top_n": 0}, "top_n"),
        ({"heat": 1}, "heat"),
    ],
    ids=str,
)
def test_a_wrong_value_is_the_callers_400(given: dict[str, Any], param: str) -> None:
    modelport.register("m", ByLength())
    with pytest.raises(modelport.ModelportError) as failure:
        rank(False, "m/x", **{"query": "q", "documents": ["a"], **given})
    assert (failure.value.status_code, failure.value.param) == (400, param)


def test_parameters_that_the_hook_does_not_take_may_be_dropped() -> None:
    modelport.register("m", ByLength())
    assert modelport.rerank("m/x", "q", ["a"], heat=1, drop_params=True).results


def test_a_model_that_ranks_nothing_says_so() -> None:
    class Plain(LLM):
        def _call(self, prompt):
            return ""

    modelport.register("m", Plain())
    with pytest.raises(modelport.ModelportError, match="Plain ranks nothing"):
        modelport.rerank("m/x", "q", ["a"])
