"""One call of an ASGI app by a client in this process: what the app receives and sends, the client gives and takes.

The app runs on its loop; the client may be in another thread. Between them is a bounded line: the app's `send` waits
while the client has too much that it did not take.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import enum
import logging
import threading
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - asyncio exports it; asking costs nothing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from modelport.runs.loops import call_soon

if TYPE_CHECKING:
    from starlette.types import ASGIApp

logger = logging.getLogger("modelport.gateway")

LAST_SENDS = 16
"""How often an app may go on sending after its client has left, before `send` raises."""


class Head(msgspec.Struct, frozen=True):
    """Is the beginning of an answer."""

    status: int
    """The HTTP status."""
    headers: list[tuple[bytes, bytes]]
    """The headers as ASGI has them."""


class Signal(enum.Enum):
    """Is what an app tells its client beside the answer."""

    WANTS_BODY = "wants body"
    """The app waits for the next part of the request's body."""
    END = "end"
    """The answer is complete."""
    BROKEN = "broken"
    """The app failed after its answer had begun."""
    CLOSED = "closed"
    """The transport was closed while the answer was read."""


Item = Head | bytes | Signal | BaseException
"""What comes out of a call: the head, the body's parts, signals, and what the app raised."""


class AppCall:
    """Is one request to an app, and its answer as it comes."""

    def __init__(
        self,
        app: ASGIApp,
        scope: Mapping[str, Any],
        body: bytes | None,
        deliver: Callable[[Item], None],
        *,
        raise_app_exceptions: bool,
        max_buffered_bytes: int,
    ) -> None:
        """Make one, to be run on a loop.

        Args:
            app: Who answers.
            scope: ASGI's, of a request.
            body: The request's whole body; None: the client gives it in parts, when the app wants them.
            deliver: Called on the app's loop with each item; does not wait.
            raise_app_exceptions: Whether the client gets what the app raises; False: it gets status 500.
            max_buffered_bytes: How much of the answer may wait for the client before `send` waits.
        """
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where the app runs."""
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the app has returned."""
        self.left = False
        """Whether the client reads no further."""
        self._app = app
        self._scope = scope
        self._deliver = deliver
        self._raises = raise_app_exceptions
        self._max_buffered_bytes = max_buffered_bytes
        self._body = body
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._is_wanted = False
        self._is_received = False
        self._is_begun = False
        self._is_complete = False
        self._disconnected = asyncio.Event()
        self._room = asyncio.Event()
        self._lock = threading.Lock()
        self._buffered_bytes = 0
        self._waits_for_room = False
        self._last_sends = 0
        self._task: asyncio.Task[Any] | None = None

    async def run(self) -> None:
        """Run the app to its end."""
        self._task = asyncio.current_task()
        try:
            await self._app(dict(self._scope), self._receive, self._send)
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            if not self._is_complete:
                self._fail(RuntimeError("the app returned before its answer was complete"))
        finally:
            self.ended.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if self.left:
            return
        if self._is_complete:
            logger.error("an app failed after its answer: %s", type(error).__name__)
        elif self._raises:
            self._deliver(error)
        elif self._is_begun:
            self._deliver(Signal.BROKEN)
        else:
            self._deliver(Head(500, [(b"content-type", b"text/plain; charset=utf-8")]))
            self._deliver(b"Internal Server Error")
            self._deliver(Signal.END)

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body, self._is_received = self._body, None, True
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._is_received and not self._disconnected.is_set():
            if not self._is_wanted:
                self._is_wanted = True
                self._deliver(Signal.WANTS_BODY)
            part = await self._parts.get()
            self._is_wanted = False
            self._is_received = part is None
            if not self.left:
                return {"type": "http.request", "body": part or b"", "more_body": part is not None}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        kind = message["type"]
        if self.left:
            self._last_sends += 1
            if self._last_sends > LAST_SENDS:
                raise OSError("the client has closed the connection")
            await asyncio.sleep(0)
        elif self._is_complete:
            raise RuntimeError(f"the app sent {kind!r} after the end of its answer")
        elif kind == "http.response.start":
            if self._is_begun:
                raise RuntimeError("the app began its answer twice")
            self._is_begun = True
            self._deliver(Head(message["status"], [(bytes(k), bytes(v)) for k, v in message.get("headers", ())]))
        elif kind == "http.response.body":
            if not self._is_begun:
                raise RuntimeError("the app sent a body before 'http.response.start'")
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"the app sent {kind!r}, which is no part of an HTTP answer")

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        full = False
        if body and self._scope["method"] != "HEAD":
            with self._lock:
                self._buffered_bytes += len(body)
                full = self._waits_for_room = more and self._buffered_bytes > self._max_buffered_bytes
                self._room.clear()
            self._deliver(bytes(body))
        if not more:
            self._is_complete = True
            self._deliver(Signal.END)
            self._disconnected.set()
        elif full:
            await self._room.wait()

    # --- the client's side: from any thread ------------------------------------------------------

    def taken(self, size_bytes: int) -> None:
        """Say that the client took a part of the answer: the app may send more."""
        with self._lock:
            self._buffered_bytes -= size_bytes
            wake = self._waits_for_room and self._buffered_bytes <= self._max_buffered_bytes // 2
            if wake:
                self._waits_for_room = False
        if wake:
            self._on_loop(self._room.set)

    def give(self, part: bytes | None) -> None:
        """Give the app the part of the body that it wants; None after the last."""
        self._on_loop(lambda: self._parts.put_nowait(part))

    def leave(self, signal: Signal | None = None) -> None:
        """Tell the app that the client is gone; `signal` is what somebody who still reads gets."""
        if not self.ended.done() and not self.left:
            self._on_loop(lambda: self._leave(signal))

    def _leave(self, signal: Signal | None) -> None:
        # May run in the middle of anything, when a forgotten answer is collected: it takes no lock.
        if not self.left and not self._is_complete:
            self.left = True
            self._parts.put_nowait(None)
            self._disconnected.set()
            self._room.set()
            if signal is not None:
                self._deliver(signal)

    def cancel(self) -> None:
        """Cancel an app that goes on although its client is gone."""
        if not self.ended.done() and self._task is not None:
            self._on_loop(self._task.cancel)

    def _on_loop(self, job: Callable[[], object]) -> None:
        loop = self.loop
        if loop is None:
            return
        if _get_running_loop() is loop:
            job()
        else:
            call_soon(loop, job)
