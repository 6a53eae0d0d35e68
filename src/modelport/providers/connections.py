"""The HTTP connections of a model: pools that belong to their event loops, and are closed with them.

Nothing of this is kept on the model, so it can be copied and pickled, and called on any loop, two `asyncio.run` in a
row among them. A pool is closed when its loop shuts down, when the model is unloaded or goes out of use, or at exit.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import ssl
import threading
import weakref
from collections.abc import AsyncGenerator
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.request import getproxies, proxy_bypass

import msgspec

from modelport._version import __version__
from modelport.engine.workers import call_in_worker
from modelport.runs.loops import call_soon
from modelport.values.errors import MissingExtraError

try:
    import aiohttp
except ImportError as error:
    raise MissingExtraError("calling a model over HTTP", "providers") from error

CLOSE_SECONDS = 1.0
"""How long the exit of the process waits for a pool to close."""


class PoolSettings(msgspec.Struct, frozen=True):
    """Says how a pool connects."""

    max_connections: int
    """How many connections it has at most; 0: as many as calls need."""
    connect_timeout_seconds: float | None
    """How long one connection may take to be there, TLS included."""
    silence_timeout_seconds: float | None
    """How long the server may send nothing while it is waited for."""
    verify: bool | str
    """Whether the server's certificate is checked; or the file of the authorities that may have signed it."""
    proxy: str | None
    """The proxy's URL; None: what the environment says."""


class Pool:
    """Is the connections of one model on one event loop."""

    def __init__(self, session: aiohttp.ClientSession, closer: AsyncGenerator[None, None], proxy: str | None) -> None:
        self.session = session
        self._closer = closer
        self._proxy = proxy
        self._proxies: dict[tuple[str, str], str | None] = {}

    def proxy_for(self, scheme: str, host: str) -> str | None:
        """Return the proxy for a URL's scheme and host; None: connect directly."""
        if self._proxy is not None:
            return self._proxy
        key = (scheme, host)
        if key not in self._proxies:
            known = getproxies()
            proxy = None if proxy_bypass(host) else known.get(scheme) or known.get("all")
            self._proxies[key] = proxy if proxy is None or "://" in proxy else f"http://{proxy}"
        return self._proxies[key]

    async def close(self) -> None:
        """Close all connections; calls that use them fail."""
        # Closing it twice at the same time is refused; once is enough.
        with contextlib.suppress(RuntimeError):
            await self._closer.aclose()


_Key = tuple[asyncio.AbstractEventLoop, PoolSettings]


class Connections:
    """Is the pools of one model."""

    def __init__(self) -> None:
        self._pools: dict[_Key, Pool] = {}
        self._lock = threading.Lock()
        self.refused: set[str] = set()
        """Which optional parts of requests the server has refused, so that they are not sent again."""
        weakref.finalize(self, _close_all, self._pools).atexit = False

    async def pool(self, settings: PoolSettings) -> Pool:
        """Return the running loop's pool, made at the first call on that loop."""
        key = (asyncio.get_running_loop(), settings)
        pool = self._pools.get(key)
        if pool is None or pool.session.closed:
            pool = await self._make(key)
        return pool

    async def _make(self, key: _Key) -> Pool:
        context = await call_in_worker(lambda: tls_context(key[1].verify))
        with self._lock:
            pool = self._pools.get(key)
            if pool is not None and not pool.session.closed:
                return pool
            session = _new_session(key[1], context)
            closer = _closing(session, self._pools, key)
            pool = self._pools[key] = Pool(session, closer, key[1].proxy)
        # From its first step on, the loop closes the generator when it shuts down.
        await anext(closer)
        return pool

    def close(self) -> None:
        """Let every loop close its pool, without waiting for that."""
        _close_all(self._pools)

    def close_at_exit(self) -> None:
        """Close what is still open on loops of other threads, and wait a moment for it."""
        for (loop, _), pool in list(self._pools.items()):
            if loop.is_running():
                with contextlib.suppress(Exception):
                    asyncio.run_coroutine_threadsafe(pool.close(), loop).result(CLOSE_SECONDS)


async def _closing(session: aiohttp.ClientSession, pools: dict[_Key, Pool], key: _Key) -> AsyncGenerator[None, None]:
    """Close a session when this generator is closed, which loops do with all that are open when they shut down."""
    try:
        yield
    finally:
        if (pool := pools.get(key)) is not None and pool.session is session:
            del pools[key]
        await session.close()


def _close_all(pools: dict[_Key, Pool]) -> None:
    for (loop, _), pool in list(pools.items()):
        call_soon(loop, _start_close, pool)  # a loop that is closed has closed its pools


_ending: set[asyncio.Task[None]] = set()
"""Tasks that close pools: loops keep no strong reference to a task."""


def _start_close(pool: Pool) -> None:
    task = asyncio.get_running_loop().create_task(pool.close())
    _ending.add(task)
    task.add_done_callback(_ending.discard)


def _new_session(settings: PoolSettings, context: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_note_reuse)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=settings.connect_timeout_seconds, sock_read=settings.silence_timeout_seconds
    )
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=settings.max_connections, ssl=context),
        timeout=timeout,
        headers={"User-Agent": f"modelport/{__version__}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[tracing],
    )


async def _note_reuse(session: aiohttp.ClientSession, trace: SimpleNamespace, params: Any) -> None:
    note: dict[str, bool] | None = trace.trace_request_ctx
    if note is not None:
        note["reused"] = True


@lru_cache(maxsize=8)
def tls_context(verify: bool | str) -> ssl.SSLContext | bool:
    """Return how TLS connections are made; False: without checking the certificate.

    The authorities are the system's (`SSL_CERT_FILE` names others), those of `certifi` where the system has none.

    Raises:
        OSError: `verify` names no readable file of certificates.
    """
    if verify is False:
        return False
    context = ssl.create_default_context(cafile=None if verify is True else verify)
    if verify is True and not context.cert_store_stats()["x509_ca"]:
        with contextlib.suppress(ImportError):
            import certifi

            context.load_verify_locations(certifi.where())
    return context


_connections: weakref.WeakKeyDictionary[Any, Connections] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
_inherited: list[Any] = []
"""A forked child's copies of its parent's pools: dropped, they would close the parent's sockets."""


def connections_of(model: Any) -> Connections:
    """Return the connections of a model."""
    found = _connections.get(model)
    if found is None:
        with _lock:
            found = _connections.get(model)
            if found is None:
                found = _connections[model] = Connections()
    return found


@atexit.register
def _close_at_exit() -> None:
    for connections in list(_connections.values()):
        connections.close_at_exit()


def _forget_after_fork() -> None:
    global _connections, _lock
    _inherited.append(dict(_connections))
    _connections = weakref.WeakKeyDictionary()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
