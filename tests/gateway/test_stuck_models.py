"""Models that do not end: their clients leave, or their time is up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from modelport import LLM, EmbeddingModel, ImageModel
from modelport.gateway.app import Gateway
from modelport.gateway.config import settings_from

Wait = Callable[[], Awaitable[Any]]


def vectors(wait: Wait) -> Any:
    class Vectors(EmbeddingModel):
        async def _aembed(self, texts):
            return await wait()

    return Vectors()


def images(wait: Wait) -> Any:
    class Images(ImageModel):
        async def _agenerate_images(self, prompt):
            return await wait()

    return Images()


def ranks(wait: Wait) -> Any:
    class Ranks(LLM):
        def _call(self, prompt):
            return prompt

        async def _arerank(self, query, documents):
            return await wait()

    return Ranks()


each_endpoint = pytest.mark.parametrize(
    ("path", "make", "fields"),
    [
        ("embeddings", vectors, {"input": "x"}),
        ("images/generations", images, {"prompt": "x", "n": 2}),
        ("rerank", ranks, {"query": "q", "documents": ["a"]}),
    ],
    ids=["embeddings", "images", "rerank"],
)


@each_endpoint
async def test_a_client_that_leaves_stops_the_model(post: Any, path: str, make: Any, fields: dict[str, Any]) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    reply = post(make(wait), path, **fields)
    await began.wait()
    reply.disconnect()
    await reply.done()
    assert ended.is_set()
    assert not reply.messages


@each_endpoint
async def test_the_deployments_timeout_holds(ask: Any, path: str, make: Any, fields: dict[str, Any]) -> None:
    model = make(asyncio.Event().wait)
    app = Gateway(settings_from({"server": {"timeout_seconds": 0.02}}), models={"m": model})
    reply = await ask(app, "POST", f"/{path}", json.dumps({"model": "m", **fields}).encode()).done()
    assert (reply.status, reply.error["type"]) == (504, "timeout_error")
