"""LangChain's classes with methods that are there only because LangChain wants them: they count as not written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core import language_models as langchain
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from modelport import to_openai_client
from modelport.integrations.langchain import from_langchain


class SyncOnly(langchain.LLM):
    """Says so of its async method, as classes of LangChain's first years do."""

    def _call(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        return prompt.upper()

    async def _acall(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        raise NotImplementedError("Async is not supported")

    @property
    def _llm_type(self) -> str:
        return "sync"


class StreamsOnly(langchain.BaseChatModel):
    """Has to write `_generate`, and has nothing for it."""

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for piece in "abc":
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))

    @property
    def _llm_type(self) -> str:
        return "streams"


class Refusing(langchain.LLM):
    """Answers nothing at all."""

    def _call(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        raise NotImplementedError("not yet written")

    @property
    def _llm_type(self) -> str:
        return "refusing"


class AsyncEmbeddings(Embeddings):
    """Has async methods only."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError("use aembed_documents")

    def embed_query(self, text: str) -> list[float]:
        raise NotImplementedError("use aembed_query")

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text))] for text in texts]

    async def aembed_query(self, text: str) -> list[float]:
        return [-1.0]


def test_an_async_method_that_only_refuses_gives_way_to_the_sync_one() -> None:
    model = from_langchain(SyncOnly())
    assert asyncio.run(model.ainvoke("hello")) == "HELLO"
    assert to_openai_client(model).completions.create(model="any", prompt="hello").choices[0].text == "HELLO"


def test_a_sync_method_that_only_refuses_gives_way_to_the_async_stream() -> None:
    model = from_langchain(StreamsOnly())
    assert model.invoke("hello").text == "abc"
    assert [piece.text for piece in model.stream("hello") if piece.text] == ["a", "b", "c"]


def test_async_embeddings_embed_for_sync_callers() -> None:
    model = from_langchain(AsyncEmbeddings())
    assert model.embed_documents(["a", "bc"]) == [[1.0], [2.0]]
    assert model.embed_query("a") == [-1.0]


def test_a_class_that_only_refuses_says_its_own_words() -> None:
    with pytest.raises(NotImplementedError, match="not yet written"):
        from_langchain(Refusing()).invoke("hello")
