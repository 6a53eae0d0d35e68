"""Loads the models when the server starts and unloads them when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelport.values.errors import LoadError

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from modelport.gateway.app import Gateway


async def run_lifespan(gateway: Gateway, receive: Receive, send: Send) -> None:
    """Follow ASGI's lifespan protocol; a model that cannot be loaded stops the start with one clear line."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await gateway.serving.load()
            except LoadError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        else:
            await gateway.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
