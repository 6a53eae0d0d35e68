"""`HTTPHandler` and `AsyncHTTPHandler`: LiteLLM's HTTP clients, thin over httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from modelport.integrations import litellm
from modelport.integrations.litellm import http_requests
from modelport.integrations.litellm.llms.custom_httpx.http_handler import get_async_httpx_client
from modelport.values.errors import MissingExtraError

URL = "http://model.test/v1"


class Lines(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Is a body that comes in pieces."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"one\nt"
        yield b"wo\n"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in Lines():
            yield piece


def echo(request: httpx.Request) -> httpx.Response:
    """Answer with what was asked; `/429` with that status, `/slow` with a timeout, `/moved` with a redirect."""
    if request.url.path.endswith("/slow"):
        raise httpx.ReadTimeout("too slow", request=request)
    if request.url.path.endswith("/stream"):
        return httpx.Response(200, stream=Lines())
    if request.url.path.endswith("/moved"):
        return httpx.Response(307, headers={"location": f"{URL}/here"})
    facts = {
        "method": request.method,
        "url": str(request.url),
        "body": request.read().decode(),
        "header": request.headers.get("x-test"),
        "type": request.headers.get("content-type", "").partition(";")[0],
    }
    return httpx.Response(429 if request.url.path.endswith("/429") else 200, json=facts)


@pytest.fixture
def handler() -> Any:
    with litellm.HTTPHandler(client=httpx.Client(transport=httpx.MockTransport(echo))) as made:
        yield made


@pytest.fixture
async def async_handler() -> Any:
    client = httpx.AsyncClient(transport=httpx.MockTransport(echo))
    async with litellm.AsyncHTTPHandler(client=client) as made:
        yield made


def test_a_post_carries_json_headers_and_query(handler: litellm.HTTPHandler) -> None:
    facts = handler.post(URL, json={"a": 1}, headers={"x-test": "yes"}, params={"q": "1"}).json()
    assert (facts["method"], facts["url"], facts["header"]) == ("POST", f"{URL}?q=1", "yes")
    assert facts["type"] == "application/json"


@pytest.mark.parametrize(
    ("data", "body", "kind"),
    [
        ("raw text", "raw text", ""),
        (b"raw bytes", "raw bytes", ""),
        ({"a": "1"}, "a=1", "application/x-www-form-urlencoded"),
    ],
)
def test_data_is_a_raw_body_or_a_form(handler: litellm.HTTPHandler, data: Any, body: str, kind: str) -> None:
    facts = handler.post(URL, data=data).json()
    assert (facts["body"], facts["type"]) == (body, kind)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
async def test_all_methods_work_sync_and_async(handler: Any, async_handler: Any, method: str) -> None:
    assert getattr(handler, method)(URL, headers={"x-test": "1"}).json()["method"] == method.upper()
    assert (await getattr(async_handler, method)(URL, headers={"x-test": "1"})).json()["header"] == "1"


async def test_an_error_status_is_raised_with_its_status_and_text(handler: Any, async_handler: Any) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        handler.post(f"{URL}/429")
    error: Any = caught.value
    assert error.status_code == 429
    assert '"method":"POST"' in error.message.replace(" ", "")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await async_handler.post(f"{URL}/429", stream=True)
    assert caught.value.status_code == 429  # pyright: ignore[reportAttributeAccessIssue]
    assert caught.value.text  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_timeout_is_litellms(handler: Any, async_handler: Any) -> None:
    with pytest.raises(litellm.Timeout, match="did not answer in time"):
        handler.get(f"{URL}/slow")
    with pytest.raises(litellm.Timeout):
        await async_handler.get(f"{URL}/slow")


async def test_a_streamed_body_is_read_line_by_line(handler: Any, async_handler: Any) -> None:
    response = handler.post(f"{URL}/stream", json={}, stream=True)
    assert not response.is_stream_consumed
    assert list(response.iter_lines()) == ["one", "two"]
    response = await async_handler.post(f"{URL}/stream", json={}, stream=True)
    assert not response.is_stream_consumed
    assert [line async for line in response.aiter_lines()] == ["one", "two"]


async def test_redirects_can_be_followed_or_not(handler: Any) -> None:
    assert handler.get(f"{URL}/moved", follow_redirects=True).json()["url"] == f"{URL}/here"
    with pytest.raises(httpx.HTTPStatusError):
        handler.get(f"{URL}/moved", follow_redirects=False)


def test_clients_are_made_with_what_was_given() -> None:
    with litellm.HTTPHandler() as plain, litellm.HTTPHandler(timeout=3.0, concurrent_limit=2, ssl_verify=False) as made:
        assert plain.client.timeout == httpx.Timeout(600, connect=5)
        assert made.client.timeout == httpx.Timeout(3.0)
        assert plain.client.follow_redirects


def test_each_event_loop_has_connections_of_its_own() -> None:
    handler = get_async_httpx_client("custom", params={"timeout": 4.0, "ignored": 1})

    async def client() -> httpx.AsyncClient:
        async with handler:
            assert handler.client is handler.client
            return handler.client

    first, second = asyncio.run(client()), asyncio.run(client())
    assert first is not second
    assert first.timeout == httpx.Timeout(4.0)


def test_a_missing_httpx_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(http_requests.importlib, "import_module", missing)
    for kind in (litellm.HTTPHandler, litellm.AsyncHTTPHandler):
        with pytest.raises(MissingExtraError, match=r"modelport\[gateway\]"):
            kind()
