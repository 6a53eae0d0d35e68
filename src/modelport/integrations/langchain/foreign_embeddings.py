"""LangChain's embeddings as our embedding models."""

from __future__ import annotations

import threading
from typing import Any, cast

from langchain_core.embeddings import Embeddings
from pydantic import Field

from modelport.integrations.langchain.foreign_classes import answering, new_class
from modelport.integrations.langchain.foreign_object import OfLangChain
from modelport.models.embedding import EmbeddingModel

_QUERIES = frozenset({"query", "search_query"})
"""What `input_type` says of texts that are questions: LangChain has another method for those."""
_lock = threading.Lock()
_made: dict[tuple[Any, ...], type[Any]] = {}


class LangChainEmbeddings(OfLangChain, EmbeddingModel):
    """Is a LangChain embeddings object; a call's `input_type="query"` goes to its `embed_query`."""

    langchain_model: Any = Field(repr=False)
    """LangChain's object."""


def _embed(self: LangChainEmbeddings, texts: list[str], input_type: str | None = None) -> Any:
    model: Embeddings = self.langchain_model
    if input_type in _QUERIES:
        return [model.embed_query(text) for text in texts]
    return model.embed_documents(list(texts))


async def _aembed(self: LangChainEmbeddings, texts: list[str], input_type: str | None = None) -> Any:
    model: Embeddings = self.langchain_model
    if input_type in _QUERIES:
        return [await model.aembed_query(text) for text in texts]
    return await model.aembed_documents(list(texts))


def _embed_query(self: LangChainEmbeddings, text: str, *, input_type: str = "query", **kwargs: Any) -> Any:
    """Return the vector of a question; see `embed`."""
    return EmbeddingModel.embed_query(self, text, input_type=input_type, **kwargs)


async def _aembed_query(self: LangChainEmbeddings, text: str, *, input_type: str = "query", **kwargs: Any) -> Any:
    """Return the vector of a question, on the running loop; see `embed`."""
    return await EmbeddingModel.aembed_query(self, text, input_type=input_type, **kwargs)


def embedding_class_for(value: Embeddings) -> type[Any]:
    """Return our class for LangChain embeddings: with the hooks that the class has methods of its own for."""
    cls = cast("type[Any]", type(value))
    methods = {"_embed": cls.embed_documents}
    if cls.aembed_documents is not Embeddings.aembed_documents:
        methods["_aembed"] = cls.aembed_documents
    names = tuple(answering(methods))
    with _lock:
        made = _made.get((cls, names))
        if made is None:
            hooks: dict[str, Any] = {name: _HOOKS[name] for name in names}
            hooks.update(embed_query=_embed_query, aembed_query=_aembed_query)
            made = _made[cls, names] = new_class(cls, LangChainEmbeddings, hooks)
        return made


_HOOKS: dict[str, Any] = {"_embed": _embed, "_aembed": _aembed}
