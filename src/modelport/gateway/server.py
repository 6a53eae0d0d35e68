"""Runs a gateway as a server of its own: binds, loads, says where it is, drains when it is told to end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from pydantic import SecretStr
from typing_extensions import override

from modelport.gateway.app import Gateway, create_app
from modelport.gateway.auth import is_loopback_host, new_key
from modelport.gateway.settings import GatewaySettings, KeySettings
from modelport.values.errors import InputError

BACKLOG = 2048
"""How many connections may wait to be accepted."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients' pools keep theirs."""


def serve(settings: GatewaySettings, say: Callable[[str], None]) -> int:
    """Serve until SIGTERM or Ctrl-C; return the process's exit status.

    Args:
        settings: The models, and how to serve them.
        say: Gets one line at a time for the person who started this.

    Raises:
        InputError: The settings name no model, or the address cannot be listened on.
        LoadError: A model cannot be imported or made.
    """
    if not settings.models:
        raise InputError("there is no model to serve; name one in the config's 'models'")
    generated = _ensure_key(settings)
    listener = _listen(settings.server.host, settings.server.port)
    with listener:
        gateway = create_app(settings)
        lines = _greeting(gateway, listener, generated)
        server = _Server(gateway, settings, lambda: [say(line) for line in lines])
        try:
            with _ending_well():
                server.run(sockets=[listener])
        except SystemExit:
            return 1
    return 0 if server.started else 1


@contextmanager
def _ending_well() -> Generator[None]:
    """Take SIGTERM and Ctrl-C for a good end: uvicorn raises them again once it has drained."""

    def drained(_signal: int, _frame: object) -> None:
        """Let the process go on to its end."""

    before = signal.signal(signal.SIGTERM, drained)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ensure_key(settings: GatewaySettings) -> str | None:
    """Give settings without keys one, unless only this machine can call; return it."""
    server = settings.server
    if server.keys or is_loopback_host(server.host):
        return None
    key = new_key()
    server.keys = [KeySettings(key=SecretStr(key))]
    return key


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)  # type: ignore[arg-type]
    except OSError as error:
        raise InputError(
            f"cannot listen on {host!r}, port {port}: {error.strerror or error}; choose another --port or --host"
        ) from None


def _greeting(gateway: Gateway, listener: socket.socket, generated: str | None) -> list[str]:
    address: tuple[Any, ...] = listener.getsockname()
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    who = "who has a key" if gateway.server.keys else "on this machine (no key is configured)"
    lines = [
        f"modelport serves http://{host}:{address[1]}/v1 to everybody {who}",
        f"models: {', '.join(gateway.registry.names())}",
    ]
    if generated is not None:
        lines.append(f"key, made for this run: {generated}")
    return lines


class _Server(uvicorn.Server):
    """Is uvicorn, telling when it has started; with httptools and uvloop where they are installed."""

    def __init__(self, gateway: Gateway, settings: GatewaySettings, on_start: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                gateway,
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                ws="none",
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=settings.server.shutdown_seconds,
            )
        )
        self._on_start = on_start

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()
