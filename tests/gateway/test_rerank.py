"""`POST /rerank`: documents in the order in which they fit a query."""

from __future__ import annotations

import math
from typing import Any

import pytest

from modelport import LLM, CustomLLM, EmbeddingModel

DOCUMENTS: list[Any] = ["a", "ccc", {"text": "bb", "id": 7}]
GOT: dict[str, Any] = {}


class ByLength(EmbeddingModel):
    def _embed(self, texts):
        return [[1.0] for _ in texts]

    def _rerank(self, query, documents):
        return [(place, len(text)) for place, text in enumerate(documents)]


class ByLengthAsync(LLM):
    def _call(self, prompt):
        return prompt

    async def _arerank(self, query, documents, top_n=None, **kwargs):
        GOT.update(query=query, documents=documents, top_n=top_n, kwargs=kwargs)
        return [{"index": place, "relevance_score": len(text)} for place, text in enumerate(documents)]


class Handler(CustomLLM):
    def _rerank(self, query, documents, top_n=None):
        return [(place, len(text)) for place, text in enumerate(documents)]


class AsyncHandler(CustomLLM):
    async def _arerank(self, query, documents):
        return [(place, len(text)) for place, text in enumerate(documents)]


every_kind = pytest.mark.parametrize(
    "kind", [ByLength, ByLengthAsync, Handler, AsyncHandler], ids=lambda kind: kind.__name__
)


@every_kind
async def test_the_best_come_first_with_their_documents_when_asked(post: Any, kind: Any) -> None:
    reply = await post(kind(), "rerank", query="q", documents=DOCUMENTS).done()
    assert reply.status == 200, reply.body
    assert reply.json["results"] == [
        {"index": 1, "relevance_score": 3.0},
        {"index": 2, "relevance_score": 2.0},
        {"index": 0, "relevance_score": 1.0},
    ]
    assert reply.json["model"] == "m"
    assert reply.json["id"]
    assert set(reply.json["meta"]["tokens"]) == {"input_tokens", "output_tokens"}
    reply = await post(kind(), "rerank", query="q", documents=DOCUMENTS, top_n=2, return_documents=True).done()
    assert [one["document"] for one in reply.json["results"]] == [{"text": "ccc"}, {"text": "bb", "id": 7}]


async def test_fields_reach_a_hook_that_takes_them_but_none_of_its_own(post: Any) -> None:
    fields = {"top_n": 2, "rank_fields": ["text"], "max_chunks_per_doc": 3, "self": 1, "config": {}}
    await post(ByLengthAsync(), "rerank", query="q", documents=["a", "b"], **fields).done()
    assert (GOT["query"], GOT["documents"], GOT["top_n"]) == ("q", ["a", "b"], 2)
    assert GOT["kwargs"] == {"rank_fields": ["text"], "max_chunks_per_doc": 3, "config": {}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [(9, 1.0)],
        [(0, 1.0), (0, 2.0)],
        [(0, math.nan)],
        [(0, math.inf)],
        [(0,)],
        [(True, 1)],
        [("0", 1)],
        [(0, "high")],
    ],
    ids=repr,
)
async def test_nonsense_is_a_500_without_a_traceback(post: Any, value: Any) -> None:
    class Nonsense(CustomLLM):
        def _rerank(self, query, documents):
            return value

    reply = await post(Nonsense(), "rerank", query="q", documents=["a", "b"]).done()
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert "Traceback" not in reply.error["message"]


async def test_a_model_that_ranks_nothing_is_the_clients_400(post: Any) -> None:
    class Text(LLM):
        def _call(self, prompt):
            return prompt

    class Chatting(CustomLLM):
        def completion(self, messages):
            return "x"

    for model in (Text(), Chatting()):
        reply = await post(model, "rerank", query="q", documents=["a"]).done()
        assert (reply.status, reply.error["param"]) == (400, "model")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"documents": ["a"]}, "query"),
        ({"query": "", "documents": ["a"]}, "query"),
        ({"query": "q"}, "documents"),
        ({"query": "q", "documents": []}, "documents"),
        ({"query": "q", "documents": ["a", 1]}, "documents[1]"),
        ({"query": "q", "documents": [{"title": "a"}]}, "documents[0].text"),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n"),
        ({"query": "q", "documents": ["a"], "max_chunks_per_doc": 0}, "max_chunks_per_doc"),
        ({"query": "q", "documents": ["a"], "return_documents": "yes"}, "return_documents"),
    ],
)
async def test_a_wrong_field_is_a_400_that_names_it(post: Any, fields: dict[str, Any], param: str) -> None:
    reply = await post(ByLength(), "rerank", **fields).done()
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_nulls_are_the_same_as_absent_fields(post: Any) -> None:
    reply = await post(ByLength(), "rerank", query="q", documents=["a"], top_n=None, return_documents=None).done()
    assert reply.json["results"] == [{"index": 0, "relevance_score": 1.0}]
