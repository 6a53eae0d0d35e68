"""What the connections of one server share: their bounds, and the clock that looks at their ages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from modelport.gateway.turn_writes import TurnWrites

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import Receive, Scope, Send

    from modelport.gateway.settings import LimitSettings

KEEP_ALIVE_SECONDS = 75.0
"""How long an idle connection stays open: longer than clients' pools keep theirs."""
LINGER_SECONDS = 2.0
"""How long a client may take to read the answer after which its connection ends."""
SWEEP_SECONDS = 1.0
"""How often the ages are looked at, so how late a limit may strike."""
POLITE_REFUSALS = 256
"""How many connections over the bound are told so; even more are cut off without a word."""


Answer = Callable[["Scope", "Receive", "Send"], Awaitable[None]]
"""Answers one HTTP request: an ASGI app, but for the lifespan."""


class Aging(Protocol):
    """Is a connection as the clock sees it."""

    def look_at_age(self, now: float) -> None:
        """End the connection if it has been in its present phase for too long."""
        ...


class Connections:
    """Holds the bounds of a server's connections.

    There is one timer for all of them, not one for each request: a phase that lasts longer than it may is noticed by
    the first sweep after that, and a phase begins to count with the first sweep that sees it.
    """

    __slots__ = (
        "_open",
        "_timer",
        "answer",
        "body_timeout_seconds",
        "connected",
        "draining",
        "header_timeout_seconds",
        "keep_alive_seconds",
        "linger_seconds",
        "max_connections",
        "max_header_bytes",
        "writes",
    )

    def __init__(self, limits: LimitSettings, answer: Answer) -> None:
        self.answer = answer
        """Answers a request."""
        self.writes = TurnWrites()
        """The answers that are written at the end of the loop's turn."""
        self.draining = False
        """Whether the server is about to end: every answer says `connection: close`."""
        self.connected = 0
        """How many connections there have been."""
        self.keep_alive_seconds = KEEP_ALIVE_SECONDS
        """How long a connection without a request stays open."""
        self.linger_seconds = LINGER_SECONDS
        """How long a refused client may take to read why."""
        self.obey(limits)
        self._open: Collection[Aging] = ()
        self._timer: asyncio.TimerHandle | None = None

    def obey(self, limits: LimitSettings) -> None:
        """Take other bounds; connections that are open obey them too."""
        self.max_header_bytes = limits.max_header_bytes
        self.header_timeout_seconds = limits.header_timeout_seconds
        self.body_timeout_seconds = limits.body_timeout_seconds
        self.max_connections = limits.max_connections

    def watch(self, connections: Collection[Aging]) -> None:
        """Look at the ages of these connections from now on, until `unwatch`; on the running loop."""
        self._open = connections
        self._timer = asyncio.get_running_loop().call_later(self._interval_seconds(), self._sweep)

    def unwatch(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self._open):
            connection.look_at_age(now)
        self._timer = loop.call_later(self._interval_seconds(), self._sweep)

    def _interval_seconds(self) -> float:
        shortest = min(
            self.header_timeout_seconds, self.body_timeout_seconds, self.keep_alive_seconds, self.linger_seconds
        )
        return min(SWEEP_SECONDS, shortest / 4)
