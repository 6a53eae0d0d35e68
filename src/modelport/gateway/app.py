"""The ASGI app: which path is answered by what, who may call, and what every answer has in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router

from modelport.gateway.auth import Keyring
from modelport.gateway.chat import answer_chat
from modelport.gateway.config import load_settings
from modelport.gateway.errors import log_defect, reply_of
from modelport.gateway.exchange import ClientGoneError, Exchange
from modelport.gateway.lifespan import run_lifespan
from modelport.gateway.model_source import sources_of
from modelport.gateway.settings import GatewaySettings
from modelport.registry.registry import Model, Registry
from modelport.values.errors import ModelportError
from modelport.wire.model_list import ModelEntry, model_list

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Handler = Callable[["Gateway", Exchange], Awaitable[None]]
"""Answers one request; what it raises becomes an error object."""


class Gateway:
    """Is an ASGI app that answers in OpenAI's formats for the models it holds."""

    def __init__(self, settings: GatewaySettings, registry: Registry) -> None:
        self.server = settings.server
        self.registry = registry
        self.scrubber = settings.scrubber()
        self.keyring = Keyring(key.key.get_secret_value() for key in settings.server.keys)
        self._router = Router(_routes(self), redirect_slashes=False, default=_no_route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the lifespan of the server."""
        if scope["type"] == "lifespan":
            await run_lifespan(self.registry, self.scrubber, receive, send)
        elif scope["type"] == "http":
            # Starlette raises its 405 instead of answering in plain text when it is inside of an app.
            scope["app"] = self
            try:
                await self._router(scope, receive, send)
            except HTTPException as error:
                if error.status_code == 405:
                    error.detail = f"{scope['method']} is not answered at {scope['path']!r:.200}"
                await Exchange(scope, receive, send).fail(reply_of(error))
        else:
            await send({"type": "websocket.close", "code": 1008})


class _Endpoint:
    """Is the ASGI app of one route: it checks the key and turns what its handler raises into an answer."""

    def __init__(self, gateway: Gateway, handler: Handler, *, needs_key: bool) -> None:
        self._gateway = gateway
        self._handler = handler
        self._needs_key = needs_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            if self._needs_key:
                self._gateway.keyring.check(
                    exchange.header("authorization"), exchange.header("x-api-key"), exchange.local_address
                )
            await self._handler(self._gateway, exchange)
        except ClientGoneError:
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an error object
            if not isinstance(error, ModelportError):
                log_defect(error, request_id=exchange.request_id)
            await exchange.fail(reply_of(error))


def create_app(config: GatewaySettings | str | Path | Mapping[str, Model]) -> Gateway:
    """Return the ASGI app for a config file, settings, or models by name.

    Without keys it answers only calls over loopback.

    Args:
        config: A YAML file's path, settings that were read, or `{"name": model}`.

    Raises:
        InputError: The config has a key or value that is wrong.
        LoadError: A model cannot be imported or made.
    """
    if isinstance(config, Mapping):
        return Gateway(GatewaySettings(), Registry(config))
    settings = config if isinstance(config, GatewaySettings) else load_settings(config)
    return Gateway(settings, Registry(_models_of(settings)))


def _models_of(settings: GatewaySettings) -> dict[str, Model]:
    return {name: sources[0].model_for("chat") for name, sources in sources_of(settings).items()}


def _routes(gateway: Gateway) -> list[Route]:
    def under_both(path: str, method: str, handler: Handler) -> list[Route]:
        endpoint = _Endpoint(gateway, handler, needs_key=True)
        return [Route(f"{base}{path}", endpoint, methods=[method]) for base in ("/v1", "")]

    live = _Endpoint(gateway, _answer_live, needs_key=False)
    return [
        *under_both("/chat/completions", "POST", answer_chat),
        *under_both("/models", "GET", _answer_models),
        *under_both("/models/{id:path}", "GET", _answer_model),
        Route("/health/live", live, methods=["GET"]),
    ]


async def _answer_models(gateway: Gateway, exchange: Exchange) -> None:
    await exchange.reply(200, model_list(gateway.registry.names(), gateway.registry.created))


async def _answer_model(gateway: Gateway, exchange: Exchange) -> None:
    name: str = exchange.path_params["id"]
    gateway.registry.get(name)
    await exchange.reply(200, ModelEntry(id=name, created=gateway.registry.created))


async def _answer_live(gateway: Gateway, exchange: Exchange) -> None:
    await exchange.reply(200, {"status": "live"})


async def _no_route(scope: Scope, receive: Receive, send: Send) -> None:
    raise HTTPException(
        404, f"there is no {scope['method']} {scope['path']!r:.200} here; try POST /v1/chat/completions"
    )
