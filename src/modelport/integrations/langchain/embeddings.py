"""`to_langchain_embeddings`: an embedding model as a genuine LangChain `Embeddings`."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, ClassVar

from langchain_core.embeddings import Embeddings
from typing_extensions import override

from modelport.integrations.langchain.foreign_object import langchain_model_of
from modelport.models.embedding import EmbeddingModel
from modelport.models.handler import CustomLLM
from modelport.values.errors import InputError

_lock = threading.Lock()


class EmbeddingsFace(Embeddings):
    """Is the base of the LangChain classes of embedding models; each has its model's name."""

    __modelport_class__: ClassVar[type[EmbeddingModel]]

    def __init__(self, model: EmbeddingModel | None = None, **fields: Any) -> None:
        """Take a model, or the fields to make one of."""
        made = model if model is not None else type(self).__modelport_class__(**fields)
        self.model = made.with_params(**fields) if model is not None and fields else made
        """The model that answers."""

    @override
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector per text, in order."""
        return _plain(self.model.embed_documents(texts))

    @override
    def embed_query(self, text: str) -> list[float]:
        """Return the vector of one text."""
        return list(self.model.embed_query(text))

    @override
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector per text, in order, on the running loop."""
        return _plain(await self.model.aembed_documents(texts))

    @override
    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of one text, on the running loop."""
        return list(await self.model.aembed_query(text))

    @override
    def __repr__(self) -> str:
        return repr(self.model)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.model,)


def to_langchain_embeddings(model: EmbeddingModel | CustomLLM) -> Embeddings:
    """Return LangChain's `Embeddings` of an embedding model, or of a handler that embeds.

    Raises:
        InputError: It is no such model.
        MissingExtraError: langchain-core is not installed.
    """
    if isinstance(model, CustomLLM):
        from modelport.models.handler_models import HandlerModels

        model = HandlerModels(model).model("embedding")
    if (was := langchain_model_of(model)) is not None and isinstance(model, EmbeddingModel):
        return was
    if not isinstance(model, EmbeddingModel):
        raise InputError(
            f"to_langchain_embeddings takes an EmbeddingModel or a CustomLLM handler, not a {type(model).__name__}; "
            f"text and chat models go through to_langchain"
        )
    return embeddings_class(type(model))(model)


def embeddings_class(cls: type[EmbeddingModel]) -> type[EmbeddingsFace]:
    """Return the LangChain class of an embedding model's class, always the same one."""
    with _lock:
        made = cls.__dict__.get("__modelport_langchain__")
        if made is None:
            names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
            made = type(cls.__name__, (EmbeddingsFace,), {**names, "__modelport_class__": cls})
            cls.__modelport_langchain__ = made  # pyright: ignore[reportAttributeAccessIssue]
        return made


def _restored(model: EmbeddingModel) -> EmbeddingsFace:
    return embeddings_class(type(model))(model)


def _plain(vectors: Iterable[Iterable[float]]) -> list[list[float]]:
    return [list(vector) for vector in vectors]
