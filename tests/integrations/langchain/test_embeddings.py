"""`to_langchain_embeddings`: a genuine `Embeddings` of an embedding model."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from modelport import CustomLLM, EmbeddingModel
from modelport.integrations.langchain import to_langchain_embeddings
from modelport.values.errors import InputError


class Lengths(EmbeddingModel):
    """Embeds a text as its length and how many spaces it has."""

    scale: float = 1.0

    def _embed(self, texts: list[str], **kwargs: Any) -> list[tuple[float, float]]:
        return [(len(text) * self.scale, float(text.count(" "))) for text in texts]


class Handler(CustomLLM):
    def embedding(self, model: str, input: list[str], *args: Any, **kwargs: Any) -> Any:
        return {"data": [{"embedding": [float(len(text))], "index": i} for i, text in enumerate(input)]}


def test_it_is_a_genuine_embeddings_with_the_models_name() -> None:
    embeddings = to_langchain_embeddings(Lengths())
    assert isinstance(embeddings, Embeddings)
    assert (type(embeddings).__name__, repr(embeddings)) == ("Lengths", "Lengths(dimensions=None, scale=1.0)")
    assert type(embeddings) is type(to_langchain_embeddings(Lengths()))


def test_vectors_are_plain_lists_sync_and_async() -> None:
    embeddings = to_langchain_embeddings(Lengths())
    assert embeddings.embed_documents(["a b", "c"]) == [[3.0, 1.0], [1.0, 0.0]]
    assert embeddings.embed_query("a b") == [3.0, 1.0]
    assert asyncio.run(embeddings.aembed_documents(["a b"])) == [[3.0, 1.0]]
    assert asyncio.run(embeddings.aembed_query("a b")) == [3.0, 1.0]


def test_a_vector_store_searches_with_it() -> None:
    pytest.importorskip("numpy", reason="LangChain's vector store needs it")
    store = InMemoryVectorStore.from_texts(["a", "a b c d e f"], to_langchain_embeddings(Lengths()))
    assert store.similarity_search("x", k=1)[0].page_content == "a"


def test_it_is_made_by_its_class_and_pickled() -> None:
    made: Any = type(to_langchain_embeddings(Lengths()))
    assert made(scale=2.0).embed_query("a") == [2.0, 0.0]
    assert pickle.loads(pickle.dumps(made(scale=2.0))).embed_query("a") == [2.0, 0.0]


def test_a_handler_embeds_too() -> None:
    assert to_langchain_embeddings(Handler()).embed_query("abc") == [3.0]


def test_another_kind_of_value_is_refused() -> None:
    wrong: Any = "text"
    with pytest.raises(InputError, match="not a str"):
        to_langchain_embeddings(wrong)
