"""Loads the models when the server starts and unloads them when it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelport.models.scrubbing import Scrubber
from modelport.registry.registry import Model

if TYPE_CHECKING:
    from starlette.types import Receive, Send

logger = logging.getLogger("modelport.gateway")


async def run_lifespan(models: Iterable[Model], scrubber: Scrubber, receive: Receive, send: Send) -> None:
    """Follow ASGI's lifespan protocol; a model that cannot be loaded stops the start with one clear line."""
    loaded: list[Model] = []
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            failure = await _load(models, loaded, scrubber)
            if failure is not None:
                await _unload(loaded, scrubber)
                await send({"type": "lifespan.startup.failed", "message": failure})
                return
            await send({"type": "lifespan.startup.complete"})
        else:
            await _unload(loaded, scrubber)
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _load(models: Iterable[Model], loaded: list[Model], scrubber: Scrubber) -> str | None:
    for model in models:
        try:
            await model.aload()
        except Exception as error:  # noqa: BLE001 - whatever an author's `_load` raises
            text = scrubber.for_model(model).without_secrets(f"{type(error).__name__}: {error}")
            return f"{type(model).__name__} cannot be loaded: {text}"
        loaded.append(model)
    return None


async def _unload(loaded: list[Model], scrubber: Scrubber) -> None:
    for model in reversed(loaded):
        try:
            await model.aunload()
        except Exception as error:  # noqa: BLE001 - one model's clean-up must not keep the others from theirs
            text = scrubber.for_model(model).without_secrets(f"{type(error).__name__}: {error}")
            logger.error("unloading %s failed: %s", type(model).__name__, text)
