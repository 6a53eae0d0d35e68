"""What servers get wrong in errors: on every endpoint, whole and in streams. See test_wire_traps.py, too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelport import LLM, CustomLLMError, EmbeddingModel, ImageModel, create_app

STATUSES = (
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    413,
    415,
    418,
    422,
    425,
    429,
    499,
    500,
    501,
    502,
    503,
    504,
    529,
    599,
)


class Failing(LLM):
    chat_template: str | None = "last"

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        if prompt == "late":
            yield "one"
        raise CustomLLMError(int(prompt) if prompt.isdigit() else 500, f"status {prompt}")


class FailingVectors(EmbeddingModel):
    def _embed(self, texts: list[str]) -> list[list[float]]:
        raise CustomLLMError(int(texts[0]), f"status {texts[0]}")


class FailingImages(ImageModel):
    def _generate_images(self, prompt: str) -> list[bytes]:
        raise CustomLLMError(int(prompt), f"status {prompt}")


# vllm#12886, ray#64833, autogen PR 757, FastAPI's defaults: all four keys, whatever the status
@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_of_a_model_is_an_error_object(ask: Any, status: int) -> None:
    app = create_app({"text": Failing(), "vectors": FailingVectors(), "images": FailingImages()})
    says = [{"role": "user", "content": str(status)}]
    for path, body in (
        ("chat/completions", {"model": "text", "messages": says}),
        ("chat/completions", {"model": "text", "messages": says, "stream": True}),
        ("completions", {"model": "text", "prompt": str(status)}),
        ("completions", {"model": "text", "prompt": str(status), "stream": True, "n": 2}),
        ("embeddings", {"model": "vectors", "input": str(status)}),
        ("images/generations", {"model": "images", "prompt": str(status)}),
    ):
        reply = await ask(app, "POST", f"/v1/{path}", json.dumps(body).encode()).done()
        assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
        assert set(reply.error) == {"message", "type", "param", "code"}
        assert f"status {status}" in reply.error["message"]
        assert reply.headers["x-request-id"]
        # SDKs try 408, 409, 429 and 5xx again by themselves.
        says_when = "retry-after" in reply.headers
        assert says_when if status in {429, 503} else reply.headers["x-should-retry"] == "false"


# any-llm PR 847, open-webui#29628, litellm PR 32159, mastra PR 22097
@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("n", [1, 2])
async def test_an_error_in_a_stream_is_its_last_frame(ask: Any, path: str, n: int) -> None:
    said = {"prompt": "late"} if path == "completions" else {"messages": [{"role": "user", "content": "late"}]}
    body = json.dumps({"model": "m", "stream": True, "n": n, **said}).encode()
    reply = await ask(create_app({"m": Failing()}), "POST", f"/{path}", body).done()
    *chunks, error = reply.events
    assert reply.body.endswith(b"}\n\n")
    assert (reply.status, set(error), set(error["error"])) == (200, {"error"}, {"message", "type", "param", "code"})
    assert chunks
    assert all(entry["finish_reason"] is None for chunk in chunks for entry in chunk["choices"])
