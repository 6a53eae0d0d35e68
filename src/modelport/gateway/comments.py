"""Keeps the connection of a silent stream: a comment now and then, which readers of server-sent events pass over."""

from __future__ import annotations

import asyncio
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from modelport.gateway.exchange import Exchange

COMMENT = b": keep-alive\n"
"""One line without an empty one after it: an empty event, which some readers would take for data, never comes of it."""


class Comments:
    """Sends a comment whenever nothing has been sent for a while; used as `async with` around a stream."""

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        """Make them.

        Args:
            exchange: The stream; before its first event nothing is sent, for the status is not known.
            seconds: How long a silence may last.
        """
        self._exchange = exchange
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _run(self) -> None:
        exchange = self._exchange
        while not exchange.ended:
            wait = self._seconds
            if exchange.started:
                wait -= monotonic() - exchange.written_at
            if wait <= 0:
                await exchange.write(COMMENT, more=True)
                wait = self._seconds
            await asyncio.sleep(wait)
