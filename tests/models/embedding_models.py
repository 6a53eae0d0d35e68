"""Embedding models that keep what they were given or return what they are told, and every way to ask them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from pydantic import PrivateAttr, SecretStr

from modelport import EmbeddingModel

SOON = 10.0
WAYS = ("embed_documents", "aembed_documents", "embed", "aembed")


def vector_of(text: str) -> list[float]:
    return [float(len(text)), float(sum(map(ord, text))), 1.0]


class Counting(EmbeddingModel):
    """Keeps what its hooks were given, and which of them ran."""

    _parts: list[list[str]] = PrivateAttr(default_factory=list)
    _ran: list[str] = PrivateAttr(default_factory=list)

    def _answer(self, hook: str, texts: list[str]) -> list[list[float]]:
        self._parts.append(texts)
        self._ran.append(hook)
        return [vector_of(text) for text in texts]


class SyncOnly(Counting):
    def _embed(self, texts):
        return self._answer("_embed", texts)


class AsyncOnly(Counting):
    async def _aembed(self, texts):
        await asyncio.sleep(0)
        return self._answer("_aembed", texts)


class Both(SyncOnly, AsyncOnly):
    pass


class Returning(EmbeddingModel):
    """Returns what it is made with."""

    value: Any
    api_key: SecretStr = SecretStr("sk-very-secret")

    def _embed(self, texts):
        return self.value


class Array:
    """Is an array of numpy's or torch's kind."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.thread: threading.Thread | None = None

    def tolist(self) -> Any:
        self.thread = threading.current_thread()
        return self.values


async def ask(model: EmbeddingModel, way: str, texts: Any, **kwargs: Any) -> list[list[float]]:
    """Embed texts in one of the ways; sync ways run in a thread of their own."""
    method = getattr(model, way)
    result = await method(texts, **kwargs) if way[0] == "a" else await asyncio.to_thread(method, texts, **kwargs)
    return result.embeddings if way.endswith("embed") else result
