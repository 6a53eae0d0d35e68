"""Keys as a client meets them: who may call what, how often, and what the headers say."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import PrivateAttr

from modelport import LLM
from modelport.gateway.app import Gateway
from modelport.gateway.config import settings_from


class Model(LLM):
    """Answers at once, or when it is let go."""

    held: bool = False
    _began: asyncio.Queue[None] = PrivateAttr(default_factory=asyncio.Queue)
    _go: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    async def _acall(self, prompt: str) -> str:
        self._began.put_nowait(None)
        if self.held:
            await self._go.wait()
        return "x" * 40


def app_of(*keys: Any, model: Model | None = None, **server: Any) -> Gateway:
    settings = settings_from({"server": {"keys": list(keys), **server}})
    return Gateway(settings, models={"m": model or Model(), "other": Model()})


@pytest.fixture
def post(ask: Any) -> Any:
    def post(app: Gateway, key: str | None, model: str = "m", header: str = "authorization") -> Any:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}]}).encode()
        given = {} if key is None else {header: f"Bearer {key}" if header == "authorization" else key}
        return ask(app, "POST", "/v1/chat/completions", body, given)

    return post


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_key_opens_by_either_header(post: Any, header: str) -> None:
    app = app_of("sk-right")
    assert (await post(app, "sk-right", header=header).done()).status == 200
    refused = await post(app, "sk-wrong", header=header).done()
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert b"sk-wrong" not in refused.body


async def test_a_key_may_be_for_some_models_only(post: Any) -> None:
    app = app_of({"key": "sk-1", "models": ["oth*"]})
    refused = await post(app, "sk-1").done()
    assert (refused.status, refused.error["param"], refused.error["code"]) == (403, "model", "model_not_allowed")
    assert (await post(app, "sk-1", "other").done()).status == 200


async def test_a_key_sees_the_models_that_it_may_call(ask: Any) -> None:
    app = app_of({"key": "sk-1", "models": ["oth*"]}, "sk-2")
    seen = {}
    for key in ("sk-1", "sk-2"):
        reply = await ask(app, "GET", "/v1/models", headers={"x-api-key": key}).done()
        seen[key] = [one["id"] for one in json.loads(reply.body)["data"]]
    assert seen == {"sk-1": ["other"], "sk-2": ["m", "other"]}
    refused = await ask(app, "GET", "/v1/models/m", headers={"x-api-key": "sk-1"}).done()
    assert (refused.status, refused.error["code"]) == (403, "model_not_allowed")
    assert (await ask(app, "GET", "/v1/models/other", headers={"x-api-key": "sk-1"}).done()).status == 200


async def test_requests_per_minute_are_counted_down_in_the_headers_until_a_429(post: Any) -> None:
    app = app_of({"key": "sk-1", "requests_per_minute": 2}, "sk-free")
    first, second, third = [await post(app, "sk-1").done() for _ in range(3)]
    assert [one.status for one in (first, second, third)] == [200, 200, 429]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert [one.headers["x-ratelimit-remaining-requests"] for one in (first, second, third)] == ["1", "0", "0"]
    assert (third.error["type"], third.error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert 1 <= int(third.headers["retry-after"]) <= 30
    free = await post(app, "sk-free").done()
    assert (free.status, [name for name in free.headers if "ratelimit" in name]) == (200, [])


async def test_tokens_are_charged_when_the_answer_is_there(post: Any) -> None:
    app = app_of({"key": "sk-1", "tokens_per_minute": 5})
    assert (await post(app, "sk-1").done()).status == 200  # takes more than there is, which is known only now
    refused = await post(app, "sk-1").done()
    assert (refused.status, refused.headers["x-ratelimit-remaining-tokens"]) == (429, "0")


async def test_parallel_requests_are_bounded_and_given_back_when_a_client_leaves(post: Any) -> None:
    model = Model(held=True)
    app = app_of({"key": "sk-1", "max_parallel_requests": 1}, model=model)
    first = post(app, "sk-1")
    await model._began.get()
    assert (await post(app, "sk-1").done()).status == 429
    first.disconnect()
    await first.done()
    model.held = False
    assert (await post(app, "sk-1").done()).status == 200


async def test_without_keys_only_this_machine_may_call(ask: Any) -> None:
    app = app_of()
    assert (await ask(app, "GET", "/v1/models").done()).status == 200
    assert (await ask(app, "GET", "/v1/models", server=("10.0.0.5", 80)).done()).status == 401


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/docs", "/openapi.json"])
async def test_health_and_documents_need_no_key(ask: Any, path: str) -> None:
    app = app_of("sk-1")
    assert (await ask(app, "GET", path, server=("10.0.0.5", 80)).done()).status == 200


async def test_metrics_need_a_key_unless_asked_for_on_this_machine(ask: Any) -> None:
    app = app_of("sk-1")
    assert (await ask(app, "GET", "/metrics").done()).status == 200
    assert (await ask(app, "GET", "/metrics", server=("10.0.0.5", 80)).done()).status == 401
    key = {"authorization": "Bearer sk-1"}
    assert (await ask(app, "GET", "/metrics", headers=key, server=("10.0.0.5", 80)).done()).status == 200


async def test_metrics_can_be_switched_off(ask: Any) -> None:
    assert (await ask(app_of(metrics=False), "GET", "/metrics").done()).status == 404


async def test_a_server_that_ends_refuses_and_says_so(ask: Any, post: Any) -> None:
    app = app_of()
    app.draining = True
    ready = await ask(app, "GET", "/health/ready").done()
    refused = await post(app, None).done()
    assert (ready.status, refused.status, refused.error["code"]) == (503, 503, "shutting_down")
    assert (refused.headers["connection"], refused.headers["retry-after"]) == ("close", "1")
    assert (await ask(app, "GET", "/health/live").done()).status == 200
