"""What is common to all paths: keys, ids, sizes, and that every answer of whatever kind is well formed."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from modelport import LLM, CustomLLM, create_app
from modelport.gateway.config import settings_from

HERE = Path(__file__)


class Echo(LLM):
    chat_template: str | None = "last"

    def _call(self, prompt: str) -> str:
        return prompt


@pytest.fixture
def app() -> Any:
    return create_app({"echo": Echo(), "team/echo:1": Echo()})


def app_with(**server: Any) -> Any:
    return create_app(settings_from({"models": {"m": {"use": f"{HERE}:Echo"}}, "server": server}))


CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
async def test_the_models_are_listed(app: Any, ask: Any, conforms: Any, path: str) -> None:
    reply = await ask(app, "GET", path).done()
    conforms(reply.json, "ListModelsResponse")
    assert (reply.status, [one["id"] for one in reply.json["data"]]) == (200, ["echo", "team/echo:1"])


@pytest.mark.parametrize("path", ["/v1/models/team/echo:1", "/models/team/echo:1"])
async def test_a_model_with_slashes_in_its_name_is_found(app: Any, ask: Any, conforms: Any, path: str) -> None:
    reply = await ask(app, "GET", path).done()
    conforms(reply.json, "Model")
    assert reply.json["id"] == "team/echo:1"


@pytest.mark.parametrize("path", ["/v1/models/nothing", "/v1/models/", "/models/team/"])
async def test_a_model_that_is_not_there_is_a_404(app: Any, ask: Any, path: str) -> None:
    reply = await ask(app, "GET", path).done()
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")


@pytest.mark.parametrize("path", ["/health/live", "/v1/models", "/v1/models/echo"])
async def test_head_answers_as_get_does_without_the_body(app: Any, ask: Any, path: str) -> None:
    get, head = await ask(app, "GET", path).done(), await ask(app, "HEAD", path).done()
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/health/live", 405),
        ("BREW", "/v1/models", 405),
        ("GET", "/v1/../etc/passwd", 404),
    ],
)
async def test_an_unknown_route_or_method_is_an_error_object(
    app: Any, ask: Any, method: str, path: str, status: int
) -> None:
    reply = await ask(app, method, path).done()
    assert (reply.status, reply.error["type"]) == (status, "invalid_request_error")
    assert ("allow" in reply.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/health/live", "/v1/models", "/nothing", "/v1/chat/completions"])
async def test_every_answer_carries_a_request_id(app: Any, ask: Any, path: str) -> None:
    one, other = await ask(app, "GET", path).done(), await ask(app, "GET", path).done()
    assert one.headers["x-request-id"].startswith("req_")
    assert one.headers["x-request-id"] != other.headers["x-request-id"]


async def test_a_clients_own_request_id_is_echoed(app: Any, ask: Any) -> None:
    reply = await ask(app, "GET", "/nothing", headers={"X-Request-Id": "mine-1"}).done()
    assert reply.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize("given", ["x" * 129, "a\tb", "é", ""])
async def test_a_request_id_that_could_harm_is_not_echoed(app: Any, ask: Any, given: str) -> None:
    reply = await ask(app, "GET", "/health/live", headers={"X-Request-Id": given}).done()
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer sk-1"}, {"x-api-key": "sk-2"}])
async def test_a_key_opens_the_gateway(ask: Any, headers: dict[str, str]) -> None:
    reply = await ask(app_with(keys=["sk-1", "sk-2"]), "GET", "/v1/models", headers=headers).done()
    assert reply.status == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-3"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("GET", "/v1/models/m"), ("POST", "/v1/chat/completions"), ("POST", "/chat/completions")],
)
async def test_without_a_known_key_nothing_is_answered(
    ask: Any, headers: dict[str, str], method: str, path: str
) -> None:
    reply = await ask(app_with(keys=["sk-1"]), method, path, CHAT, headers).done()
    assert (reply.status, reply.error["type"]) == (401, "authentication_error")
    assert reply.error["code"] == "invalid_api_key"
    assert reply.headers["www-authenticate"] == "Bearer"
    assert b"sk-" not in reply.body


async def test_the_health_check_needs_no_key(ask: Any) -> None:
    reply = await ask(app_with(keys=["sk-1"]), "GET", "/health/live").done()
    assert (reply.status, reply.json) == (200, {"status": "live"})


async def test_without_keys_only_loopback_is_answered(app: Any, ask: Any) -> None:
    local = await ask(app, "GET", "/v1/models", server=("::1", 1)).done()
    other = await ask(app, "GET", "/v1/models", server=("192.0.2.7", 1)).done()
    assert (local.status, other.status) == (200, 401)


@pytest.mark.parametrize("headers", [{"content-length": "101"}, {"content-length": "9" * 5000}, {}])
async def test_a_body_that_is_too_large_is_refused(ask: Any, headers: dict[str, str]) -> None:
    parts = [b" " * 60, b" " * 60]
    reply = await ask(app_with(limits={"max_body_bytes": 100}), "POST", "/v1/chat/completions", parts, headers).done()
    assert (reply.status, reply.error["type"]) == (413, "invalid_request_error")
    assert "larger than 100 bytes" in reply.error["message"]
    assert reply.headers["connection"] == "close"


async def test_a_body_may_come_in_parts_and_fill_the_bound(ask: Any) -> None:
    app = app_with(limits={"max_body_bytes": len(CHAT)})
    parts = [CHAT[:5], b"", CHAT[5:]]
    reply = await ask(app, "POST", "/v1/chat/completions", parts, {"content-length": str(len(CHAT))}).done()
    assert reply.json["choices"][0]["message"]["content"] == "hi"


async def test_a_compressed_body_is_refused_with_the_reason(app: Any, ask: Any) -> None:
    headers = {"content-encoding": "gzip"}
    reply = await ask(app, "POST", "/v1/chat/completions", gzip.compress(CHAT), headers).done()
    assert (reply.status, reply.headers["accept-encoding"]) == (415, "identity")
    assert "'gzip'" in reply.error["message"]
    plain = await ask(app_with(), "POST", "/v1/chat/completions", CHAT, {"content-encoding": "Identity"}).done()
    assert plain.status == 200


async def test_a_client_that_leaves_while_sending_ends_its_request(app: Any, ask: Any) -> None:
    reply = ask(app, "POST", "/v1/chat/completions", [b"{", b""])
    reply.incoming.get_nowait()
    reply.incoming.get_nowait()
    reply.incoming.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
    reply.disconnect()
    assert (await reply.done()).messages == []


async def test_a_websocket_is_turned_away(app: Any) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/"}, asyncio.Queue[Any]().get, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_defect_of_the_gateway_is_a_500_without_details(
    ask: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with()

    def broken(name: str) -> Any:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(app.serving.router, "route", broken)
    reply = await ask(app, "POST", "/v1/chat/completions", CHAT).done()
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert b"secret detail" not in reply.body
    [record] = caplog.records
    assert "ZeroDivisionError" in record.getMessage()
    assert "secret detail" not in caplog.text


@pytest.mark.parametrize(
    ("name", "asked"), [("m", "m"), ("gpt-*", "gpt-5"), ("*", "a/b"), ("my/*", "my/x"), ("my/*-large", "my/x-large")]
)
async def test_a_handler_sees_the_name_that_was_asked_for(ask: Any, name: str, asked: str) -> None:
    class Handler(CustomLLM):
        def completion(self, model: str, **kwargs: Any) -> Any:
            return model

    body = json.dumps({"model": asked, "messages": [{"role": "user", "content": "hi"}]}).encode()
    reply = await ask(create_app({name: Handler()}), "POST", "/v1/chat/completions", body).done()
    assert reply.json["choices"][0]["message"]["content"] == asked
