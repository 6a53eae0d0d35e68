"""A transport of httpx that calls an ASGI app in this process: no server, no socket, and streams that stream.

    transport = InProcessTransport(create_app({"my-model": model}))
    with httpx.Client(transport=transport, base_url="http://gateway") as client:
        client.post("/v1/chat/completions", json={…})

It serves sync and async clients, of httpx and of httpx2.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import os
import threading
import weakref
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - asyncio exports it; asking costs nothing
from collections.abc import Callable, Coroutine, Iterable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import httpx
from typing_extensions import override

from modelport.gateway.app_answer import (
    AsyncAnswer,
    AsyncStream,
    SyncAnswer,
    SyncStream,
    package_of,
    stream_class,
)
from modelport.gateway.app_call import AppCall, Item, Signal
from modelport.gateway.app_lifespan import AppLifespan
from modelport.runs.loops import LoopThread, background_loop

if TYPE_CHECKING:
    import httpx2
    from starlette.types import ASGIApp

    class _Transport(  # pyright: ignore[reportIncompatibleMethodOverride] - the class below fits all of them
        httpx.BaseTransport, httpx.AsyncBaseTransport, httpx2.BaseTransport, httpx2.AsyncBaseTransport
    ): ...

else:

    class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
        """Is what httpx knows as a transport."""


MAX_BUFFERED_BYTES = 65_536
"""How much of an answer may wait for its reader before the app waits."""
CLOSE_SECONDS = 5.0
"""How long `close` waits for an app that was told that its clients are gone; then its calls are cancelled."""
_running: set[asyncio.Task[None]] = set()


class InProcessTransport(_Transport):
    """Sends requests to an ASGI app: `httpx.Client(transport=…)`, `httpx.AsyncClient(transport=…)`.

    Parts of an answer arrive as the app sends them. An app whose reader is slow waits in `send`; one whose answer is
    closed early, or dropped, receives `http.disconnect`. The app runs on the loop of an async client; for sync clients
    on a loop in a thread of this transport's own, so also in code that runs on a loop. It sees the caller's context.

    The app's lifespan starts once, on entering the client or else before the first request, and ends on leaving or
    closing it. Of the client's timeouts `read` counts: it raises `ReadTimeout` of the client's package.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        raise_app_exceptions: bool = True,
        lifespan: bool = True,
        root_path: str = "",
        client: tuple[str, int] = ("127.0.0.1", 50_000),
        max_buffered_bytes: int = MAX_BUFFERED_BYTES,
    ) -> None:
        """Make one.

        Args:
            app: Who answers.
            raise_app_exceptions: Whether what the app raises is raised in the client; False: the answer is a 500, or
                one that breaks off.
            lifespan: Whether the app is started and ended.
            root_path: ASGI's: where the app is mounted.
            client: The address that the app sees; both ends of the connection are on this machine.
            max_buffered_bytes: How much of an answer may wait for its reader before the app waits; 0: nothing, the
                app goes on when a part is taken.
        """
        self._app = app
        self._raises = raise_app_exceptions
        self._has_lifespan = lifespan
        self._root_path = root_path
        self._client = client
        self._max_buffered_bytes = max_buffered_bytes
        self._lock = threading.Lock()
        self._process_id = os.getpid()
        self._thread: LoopThread | None = None
        self._lifespan: AppLifespan | None = None
        self._open: set[AppCall] = set()

    # --- sync ------------------------------------------------------------------------------------

    @override
    def handle_request(self, request: Any) -> Any:
        """Answer a request of a sync client; its body is read while the answer is."""
        package = package_of(request)
        thread = self._own_thread()
        lifespan = self._begun(thread)
        if lifespan is not None:
            lifespan.ready.result()
        items: SimpleQueue[Item] = SimpleQueue()
        call = self._call(request, items.put)
        # A call that is made on the app's own loop would wait for itself.
        runner = background_loop() if thread.waits_for_caller() else thread
        call.loop = runner.loop
        runner.submit(call.run())
        answer = SyncAnswer(call, items, request, package)
        stream = stream_class(package, "SyncByteStream", SyncStream)(answer)
        head = answer.head()
        weakref.finalize(stream, call.leave).atexit = False
        return package.Response(head.status, headers=head.headers, stream=stream)

    @override
    def close(self) -> None:
        """End what is open, and the app; waits for that, unless it is this thread's own loop that they are on."""
        calls, lifespan = self._closed()
        own = _get_running_loop()
        _wait([call.ended for call in calls if call.loop is not own])
        for call in calls:
            call.cancel()
        if lifespan is not None:
            lifespan.stop()
            if lifespan.loop is not own:
                _wait([lifespan.ended])

    @override
    def __enter__(self) -> Self:
        lifespan = self._begun(self._own_thread())
        if lifespan is not None:
            lifespan.ready.result()
        return self

    # --- async -----------------------------------------------------------------------------------

    @override
    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request of an async client, on the running loop."""
        package = package_of(request)
        await self.__aenter__()
        items: asyncio.Queue[Item] = asyncio.Queue()
        call = self._call(request, items.put_nowait)
        call.loop = asyncio.get_running_loop()
        _start(call.run())
        answer = AsyncAnswer(call, items, request, package)
        stream = stream_class(package, "AsyncByteStream", AsyncStream)(answer)
        head = await answer.head()
        weakref.finalize(stream, call.leave).atexit = False
        return package.Response(head.status, headers=head.headers, stream=stream)

    @override
    async def aclose(self) -> None:
        """End what is open, and the app, and wait for that."""
        calls, lifespan = self._closed()
        await _await_all([call.ended for call in calls])
        for call in calls:
            call.cancel()
        if lifespan is not None:
            lifespan.stop()
            await _await_all([lifespan.ended])

    @override
    async def __aenter__(self) -> Self:
        lifespan = self._begun(None)
        if lifespan is not None:
            if not lifespan.ready.done():
                await asyncio.shield(asyncio.wrap_future(lifespan.ready))
            lifespan.ready.result()
        return self

    # --- shared ----------------------------------------------------------------------------------

    def _own_thread(self) -> LoopThread:
        """Return the loop thread of sync clients; a forked child makes its own."""
        with self._lock:
            if self._process_id != os.getpid():
                self._process_id = os.getpid()
                self._thread = self._lifespan = None
                self._open.clear()
            if self._thread is None:
                self._thread = LoopThread("modelport-in-process", 0)
            return self._thread

    def _begun(self, thread: LoopThread | None) -> AppLifespan | None:
        """Return the app's lifespan, begun on the loop of a thread, or else on the running one, unless it lives."""
        if not self._has_lifespan:
            return None
        with self._lock:
            if self._lifespan is None or self._lifespan.is_over:
                self._lifespan = lifespan = AppLifespan(self._app)
                context = contextvars.Context()  # what starts the app is not what it lives in
                if thread is not None:
                    thread.submit(lifespan.run(), context)
                else:
                    _start(lifespan.run(), context)
                weakref.finalize(self, lifespan.stop).atexit = False
            return self._lifespan

    def _call(self, request: Any, deliver: Callable[[Item], None]) -> AppCall:
        url = request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": self._root_path,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": self._client,
            "server": ("127.0.0.1", url.port or 80),
        }
        if self._lifespan is not None:
            scope["state"] = dict(self._lifespan.state)
        call = AppCall(
            self._app,
            scope,
            _whole_body(request),
            deliver,
            raise_app_exceptions=self._raises,
            max_buffered_bytes=self._max_buffered_bytes,
        )
        self._open.add(call)
        is_open = self._open
        call.ended.add_done_callback(lambda _: is_open.discard(call))
        return call

    def _closed(self) -> tuple[list[AppCall], AppLifespan | None]:
        """Take down that nobody asks any more; return what is to be waited for."""
        with self._lock:
            lifespan, self._lifespan, self._thread = self._lifespan, None, None
            calls = list(self._open)
        for call in calls:
            call.leave(Signal.CLOSED)
        return calls, None if lifespan is None or lifespan.is_over else lifespan


def _whole_body(request: Any) -> bytes | None:
    """Return a body that is there already; None: it is a stream."""
    try:
        return request.content
    except RuntimeError:  # httpx's RequestNotRead, and httpx2's
        return None


def _start(coroutine: Coroutine[Any, Any, None], context: contextvars.Context | None = None) -> None:
    task = asyncio.get_running_loop().create_task(coroutine, context=context)
    _running.add(task)  # a loop holds its tasks weakly
    task.add_done_callback(_running.discard)


def _wait(ends: Iterable[concurrent.futures.Future[None]]) -> None:
    concurrent.futures.wait(list(ends), timeout=CLOSE_SECONDS)


async def _await_all(ends: Iterable[concurrent.futures.Future[None]]) -> None:
    waiting = [asyncio.wrap_future(one) for one in ends if not one.done()]
    if waiting:
        await asyncio.wait(waiting, timeout=CLOSE_SECONDS)
