"""Rerank requests and their answers, written and read."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.errors import InputError
from modelport.values.usage import Usage
from modelport.wire.objects import encode_object
from modelport.wire.received import BadResponseError
from modelport.wire.rerank import (
    RerankRequest,
    RerankResponse,
    decode_rerank_request,
    decode_rerank_response,
    encode_rerank_request,
    ranking_of,
    rerank_response,
)

texts = st.text(st.characters(codec=None, exclude_categories=()))
documents = texts | st.builds(lambda text: {"text": text, "title": "t"}, texts)
requests = st.builds(
    RerankRequest,
    model=st.text(min_size=1),
    query=texts.filter(bool),
    documents=st.lists(documents, min_size=1, max_size=4),
    top_n=st.none() | st.integers(1, 9),
    return_documents=st.booleans(),
    options=st.fixed_dictionaries({}, optional={"max_chunks_per_doc": st.integers(1, 9)}),
)


def decoded(**fields: Any) -> RerankRequest:
    body = {"model": "m", "query": "q", "documents": ["a", {"text": "b", "id": 5}], **fields}
    return decode_rerank_request(json.dumps(body).encode())


@given(requests)
def test_a_request_sent_and_read_is_the_same(request: RerankRequest) -> None:
    assert decode_rerank_request(encode_rerank_request(request)) == request


def test_documents_are_texts_or_dicts_with_a_text() -> None:
    assert decoded().texts == ["a", "b"]
    assert decoded(top_n=None, return_documents=None) == decoded()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"query": None}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": "a"}, "documents"),
        ({"documents": [5]}, "documents[0]"),
        ({"documents": ["a", {"image": "x"}]}, "documents[1].text"),
        ({"documents": ["x"] * 10_001}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"return_documents": 1}, "return_documents"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(**fields)
    assert (caught.value.status_code, caught.value.param) == (400, param)


def test_an_answer_has_its_results_best_first_and_documents_only_when_asked_for() -> None:
    ranking = [(1, 0.9), (0, 0.1)]
    body = rerank_response(ranking, decoded(), usage=Usage(7, 0, 7)).model_dump()
    assert body.pop("id").startswith("rerank-")
    assert body == {
        "model": "m",
        "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
        "meta": {"tokens": {"input_tokens": 7, "output_tokens": 0}},
    }
    assert "meta" not in rerank_response(ranking, decoded()).model_dump()
    shown = rerank_response(ranking, decoded(return_documents=True)).results
    assert [one.document for one in shown] == [{"text": "b", "id": 5}, {"text": "a"}]
    assert [one.index for one in rerank_response(ranking, decoded(top_n=1)).results] == [1]


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), max_size=4))
def test_a_ranking_written_and_read_is_the_same(ranking: list[tuple[int, float]]) -> None:
    response = rerank_response(ranking, decoded())
    assert decode_rerank_response(encode_object(response)) == response
    assert ranking_of(response) == ranking


def test_what_servers_really_send_is_read() -> None:
    assert ranking_of({"results": [{"index": 1, "score": 1}]}) == [(1, 1.0)]
    assert ranking_of(decode_rerank_response(b'{"results": [{"index": 1, "score": 1}]}')) == [(1, 1.0)]
    assert ranking_of(SimpleNamespace(results=[SimpleNamespace(index=0, relevance_score=0.5)])) == [(0, 0.5)]
    response = RerankResponse.model_validate({"results": [{"index": 0, "relevance_score": 0.5}]})
    assert response["results"][0]["relevance_score"] == 0.5


@pytest.mark.parametrize(
    "body", [{}, {"results": {}}, {"results": [{"index": 0}]}, {"results": [{"index": "0", "score": 1}]}]
)
def test_an_answer_without_a_ranking_is_said_to_be_bad(body: Any) -> None:
    with pytest.raises(BadResponseError):
        ranking_of(decode_rerank_response(json.dumps(body)))
