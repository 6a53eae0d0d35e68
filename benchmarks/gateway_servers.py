"""The choice of a server: the same bare app under each that could carry the gateway."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from typing_extensions import override

from gateway_client import request_bytes
from gateway_floor import BEGUN, SILENT
from gateway_process import Server
from gateway_sides import FAST, Side, granian_arguments, uvicorn_arguments
from gateway_table import Line

_FLOOR = "gateway_floor:app"
_HYPERCORN = ("-m", "hypercorn", "--worker-class", "uvloop", "--workers", "1", "--log-level", "warning")
LONGEST_LEAVING_SECONDS = 3.0
"""A leaving that is told later than this is not told."""


def _hypercorn_arguments(folder: Path, port: int) -> Sequence[str]:
    config = folder / "hypercorn.toml"
    # By default it ends a connection after 1,000 requests.
    config.write_text("keep_alive_max_requests = 1000000000\n", encoding="utf-8")
    return [*_HYPERCORN, "--config", str(config), "--bind", f"127.0.0.1:{port}", _FLOOR]


SERVERS = [
    Side("uvicorn", ["uvicorn", "uvloop", "httptools"], uvicorn_arguments(_FLOOR, *FAST)),
    Side("uvicorn-h11", ["uvicorn", "h11"], uvicorn_arguments(_FLOOR, "--loop", "asyncio", "--http", "h11")),
    Side("granian", ["granian", "uvloop"], granian_arguments),
    Side(
        "hypercorn",
        ["hypercorn", "h11", "uvloop"],
        _hypercorn_arguments,
    ),
]
"""All of them; `uvicorn` is the floor of the other benchmark, `uvicorn-h11` has neither uvloop nor httptools."""


class _Leaver(asyncio.Protocol):
    """Asks, and lets be known when the first event came."""

    def __init__(self, request: bytes, came: asyncio.Event) -> None:
        self._request = request
        self._came = came

    @override
    def connection_made(self, transport: Any) -> None:
        transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        if b"data: " in data:
            self._came.set()


async def leaving_lines(servers: Mapping[str, Server], rounds: int) -> list[Line]:
    """Measure how long it takes until a client's leaving is told to the app: before the answer's head, and within."""
    lines: list[Line] = []
    for model, what in ((SILENT, "leaving before the answer"), (BEGUN, "leaving mid-stream")):
        taken: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, server in servers.items():
                with server.turn():
                    taken[name].append(await _leaving_milliseconds(server, model))
        lines.append(Line(f"{what} is told after", "ms", {name: median(each) for name, each in taken.items()}))
    return lines


async def _leaving_milliseconds(server: Server, model: str) -> float:
    """One leaving; infinite when it is not told."""
    came = asyncio.Event()
    request = request_bytes(model, "", stream=True)
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: _Leaver(request, came), "127.0.0.1", server.port
    )
    if model == BEGUN:
        await asyncio.wait_for(came.wait(), LONGEST_LEAVING_SECONDS)
    await asyncio.sleep(0.1)
    left = time.monotonic()
    transport.abort()
    while time.monotonic() < left + LONGEST_LEAVING_SECONDS:
        await asyncio.sleep(0.02)
        told = await asyncio.to_thread(_told, server.port)
        if told:
            return (told[0] - left) * 1e3
    return float("inf")


def _told(port: int) -> list[float]:
    with suppress(OSError):
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/left")
        told: list[float] = json.loads(connection.getresponse().read())
        connection.close()
        return told
    return []
