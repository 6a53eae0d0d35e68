"""The life of an ASGI app in this process: its start before the first request, its end when nobody asks any more."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from typing import TYPE_CHECKING, Any

from modelport.runs.loops import call_soon
from modelport.values.errors import LoadError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

logger = logging.getLogger("modelport.gateway")


class AppLifespan:
    """Leads an app through ASGI's lifespan; an app that knows none is left without.

    When the app's loop ends, the app ends in good order too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the app has started; its exception is a `LoadError` when it could not."""
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the app has ended."""
        self.state: dict[str, Any] = {}
        """What the app keeps for its requests."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where the app lives."""
        self._app = app
        self._stopping = asyncio.Event()
        self._is_started = False

    @property
    def is_over(self) -> bool:
        """Whether the app has ended, or its loop has."""
        return self.ended.done() or (self.loop is not None and self.loop.is_closed())

    async def run(self) -> None:
        """Run the app's lifespan to its end."""
        self.loop = asyncio.get_running_loop()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - apps without a lifespan say so by raising, whatever it is
            if self.ready.done() and self.ready.exception() is None:
                logger.error("the end of an app failed: %s", type(error).__name__)
        finally:
            if not self.ready.done():
                self.ready.set_result(None)
            self.ended.set_result(None)

    def stop(self) -> None:
        """Let the app end; from any thread, does not wait."""
        loop = self.loop
        if loop is not None and not self.is_over:
            call_soon(loop, self._stopping.set)

    async def _receive(self) -> dict[str, Any]:
        if not self._is_started:
            self._is_started = True
            return {"type": "lifespan.startup"}
        try:
            await self._stopping.wait()
        except asyncio.CancelledError:
            # The loop is ending: that is the app's end, not a failure of it.
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Any) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not self.ready.done():
            self.ready.set_result(None)
        elif kind == "lifespan.startup.failed" and not self.ready.done():
            self.ready.set_exception(
                LoadError(f"the app cannot start: {message.get('message') or 'it does not say why'}")
            )
        elif kind == "lifespan.shutdown.failed":
            logger.error("the end of an app failed: %s", message.get("message", ""))
