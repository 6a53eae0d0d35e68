"""The launch: from what the command line says to a gateway that runs, in this process or in several."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from modelport.gateway.keyring import new_key
from modelport.gateway.loopback import is_loopback_host
from modelport.gateway.options import ServeOptions
from modelport.gateway.watching import require_watching
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.gateway.settings import GatewaySettings

BACKLOG = 2048
"""How many connections may wait to be accepted."""


def serve(options: ServeOptions, say: Callable[[str], None], *, watch: bool = False) -> int:
    """Serve until SIGTERM or Ctrl-C; return the process's exit status.

    Args:
        options: What to serve, and how.
        say: Gets one line at a time for the person who started this.
        watch: Whether to read the config again whenever it, or a model's file, changes.

    Raises:
        InputError: The settings name no model, have a wrong value, or the address cannot be listened on.
        LoadError: A model cannot be imported or made.
        MissingExtraError: `watch` needs a package that is not installed.
    """
    if watch:
        require_watching()
    settings = options.settings()
    generated = None
    if not settings.server.keys and not is_loopback_host(settings.server.host):
        generated = new_key()
        options = options.with_key(generated)
        settings = options.settings()
    with listen(settings.server.host, settings.server.port) as listener:
        if settings.server.workers > 1:
            from modelport.gateway.workers import Workers

            return Workers(options, settings, listener, say, generated_key=generated, watch=watch).run()
        return _serve_here(options, settings, listener, say, generated, watch)


def _serve_here(
    options: ServeOptions,
    settings: GatewaySettings,
    listener: socket.socket,
    say: Callable[[str], None],
    generated: str | None,
    watch: bool,
) -> int:
    from modelport.gateway.app import create_app
    from modelport.gateway.greeting import greeting
    from modelport.gateway.heap import settle
    from modelport.gateway.process import end_at_once
    from modelport.gateway.reload import Reloader
    from modelport.gateway.server import Server, address_of, run

    # The first process of a container ignores signals that it does not handle, also while it loads.
    signal.signal(signal.SIGTERM, lambda number, _frame: end_at_once(number))
    gateway = create_app(settings)
    reloader = Reloader(gateway, options, settings, watch=watch)

    def greet() -> None:
        for line in greeting(gateway.model_lines(), settings.server, address_of(listener), generated):
            say(line)
        settle()

    return run(Server(gateway, settings, on_start=greet, reloader=reloader), listener)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        InputError: The address is not one of this machine's, or is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)  # type: ignore[arg-type]
    except OSError as error:
        raise InputError(
            f"cannot listen on {host!r}, port {port}: {error.strerror or error}; choose another --port or --host"
        ) from None
