"""All paths but those that models answer: the list of models, health, metrics, documents, and what is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router

from modelport.gateway.docs_page import DOCS_HEADERS, docs_html
from modelport.gateway.errors import log_defect, reply_of
from modelport.gateway.exchange import Exchange, exchange_of
from modelport.gateway.metrics import OTHER_ENDPOINT
from modelport.gateway.openapi import openapi_json
from modelport.values.errors import ModelportError
from modelport.values.status_errors import UnavailableError
from modelport.wire.model_list import ModelEntry, model_list

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from modelport.gateway.app import Gateway

Handler = Callable[["Gateway", Exchange], Awaitable[None]]
"""Answers one request; what it raises becomes an error object."""

_HTML = (b"content-type", b"text/html; charset=utf-8")


class Site:
    """Is the ASGI app of the paths that no model answers."""

    def __init__(self, gateway: Gateway, posts: Iterable[str]) -> None:
        """Make it.

        Args:
            gateway: Whose site this is.
            posts: The paths that models answer to POST: here they only say so.
        """
        self._gateway = gateway
        pages = [
            *_under_both("/models", gateway, _answer_models),
            *_under_both("/models/{id:path}", gateway, _answer_model),
            _route("/health/live", gateway, _answer_live, needs_key=False),
            _route("/health/ready", gateway, _answer_ready, needs_key=False),
            _route("/metrics", gateway, _answer_metrics, needs_key=False),
            _route("/openapi.json", gateway, _answer_openapi, needs_key=False),
            _route("/docs", gateway, _answer_docs, needs_key=False),
        ]
        only_posts = [
            Route(path, _Page(gateway, path, _answer_nothing, needs_key=False), methods=["POST"]) for path in posts
        ]
        self._methods = {route.path: sorted(route.methods or ()) for route in [*pages, *only_posts]}
        self._router = Router([*pages, *only_posts], redirect_slashes=False, default=_no_route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            await self._answer_options(exchange_of(scope, receive, send))
            return
        # Starlette raises its 405 instead of answering in plain text when it is inside of an app.
        scope["app"] = self
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            if error.status_code == 405:
                error.detail = f"{scope['method']} is not answered at {scope['path']!r:.200}"
            exchange = _opened(self._gateway, scope, receive, send)
            await exchange.fail(reply_of(error))
            self._gateway.metrics.answered(OTHER_ENDPOINT, exchange.status)

    async def _answer_options(self, exchange: Exchange) -> None:
        """Say which methods a path has, and to a browser whether a page may call."""
        cors = self._gateway.cors
        preflight = cors.preflight(exchange.headers) if cors is not None else None
        allowed = ", ".join([*self._methods.get(exchange.scope["path"], ["GET", "HEAD"]), "OPTIONS"])
        await exchange.reply_empty(204, [(b"allow", allowed.encode()), *(preflight or [])])


class _Page:
    """Is the ASGI app of one path: it checks the key and turns what its handler raises into an answer."""

    def __init__(self, gateway: Gateway, path: str, handler: Handler, *, needs_key: bool) -> None:
        self._gateway = gateway
        self._endpoint = path.removeprefix("/v1").replace(":path", "")
        self._handler = handler
        self._needs_key = needs_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _opened(self._gateway, scope, receive, send)
        try:
            if self._needs_key:
                _check_key(self._gateway, exchange)
            await self._handler(self._gateway, exchange)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an error object
            if not isinstance(error, ModelportError):
                log_defect(error, request_id=exchange.request_id)
            await exchange.fail(reply_of(error))
        finally:
            self._gateway.metrics.answered(self._endpoint, exchange.status)


def _opened(gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> Exchange:
    exchange = exchange_of(scope, receive, send)
    if gateway.cors is not None:
        exchange.answer_headers += gateway.cors.headers_for(exchange.headers.get(b"origin"))
    return exchange


def _check_key(gateway: Gateway, exchange: Exchange) -> None:
    headers, keyring = exchange.headers, gateway.serving.keyring
    exchange.key = keyring.check(headers.get(b"authorization"), headers.get(b"x-api-key"), exchange.local_address)


def _route(path: str, gateway: Gateway, handler: Handler, *, needs_key: bool = True) -> Route:
    return Route(path, _Page(gateway, path, handler, needs_key=needs_key), methods=["GET"])


def _under_both(path: str, gateway: Gateway, handler: Handler) -> list[Route]:
    return [_route(f"{base}{path}", gateway, handler) for base in ("/v1", "")]


async def _answer_models(gateway: Gateway, exchange: Exchange) -> None:
    serving, key = gateway.serving, exchange.key
    await exchange.reply(200, model_list(filter(key.allows, serving.router.names()), serving.created))


async def _answer_model(gateway: Gateway, exchange: Exchange) -> None:
    serving = gateway.serving
    name: str = exchange.scope["path_params"]["id"]
    serving.router.route(name)
    exchange.key.must_allow(name)
    await exchange.reply(200, ModelEntry(id=name, created=serving.created))


async def _answer_live(gateway: Gateway, exchange: Exchange) -> None:
    await exchange.reply(200, {"status": "live"})


async def _answer_ready(gateway: Gateway, exchange: Exchange) -> None:
    if gateway.draining:
        raise UnavailableError("the server is shutting down", code="shutting_down")
    await exchange.reply(200, {"status": "ready"})


async def _answer_metrics(gateway: Gateway, exchange: Exchange) -> None:
    if not gateway.serving.settings.server.metrics:
        raise HTTPException(404, "the metrics are off; set server.metrics in the config")
    if gateway.serving.keyring.needs_key("/metrics", exchange.local_address):
        _check_key(gateway, exchange)
    body, content_type = await gateway.metrics.exposition(exchange.header("accept"))
    await exchange.reply_raw(200, body, (b"content-type", content_type.encode()))


async def _answer_openapi(gateway: Gateway, exchange: Exchange) -> None:
    await exchange.reply_raw(200, openapi_json())


async def _answer_docs(gateway: Gateway, exchange: Exchange) -> None:
    await exchange.reply_raw(200, docs_html(), _HTML, DOCS_HEADERS)


async def _answer_nothing(gateway: Gateway, exchange: Exchange) -> None:
    raise AssertionError("models' paths are answered before the site is asked")


async def _no_route(scope: Scope, receive: Receive, send: Send) -> None:
    raise HTTPException(
        404, f"there is no {scope['method']} {scope['path']!r:.200} here; try POST /v1/chat/completions"
    )
