"""HTTP clients side by side, for the providers: one JSON call, a stream, 64 calls at once, the import.

    python benchmarks/http_client.py            # those that are installed of aiohttp, httpx, httpx2, httpcore, …

The server is another process, so that the CPU time of this one is the client's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import Any

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello " * 40}]}).encode()
HEADERS = {"content-type": "application/json", "authorization": "Bearer sk-benchmark"}
EVENTS = 2_000
CONCURRENT = 64
ROUNDS = 15


# --- the server: one process, bytes made beforehand -------------------------------------------


def _chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


def _event(text: str) -> bytes:
    delta = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    facts = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [delta]}
    return b"data: " + json.dumps(facts).encode() + b"\n\n"


_ANSWER = json.dumps({"id": "1", "choices": [{"message": {"content": "hello " * 100}}], "usage": {}}).encode()
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_ANSWER), _ANSWER)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class _Server(asyncio.Protocol):
    """Answers as soon as a request is complete; a stream is written event by event."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        if not end or len(body) < length:
            return
        self._received = body[length:]
        if b" /stream " in lines[0]:
            self._transport.write(_HEAD)
            for index in range(EVENTS):
                self._transport.write(_chunk(_event(f"token{index} ")))
            self._transport.write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        else:
            self._transport.write(_JSON)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Server, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


# --- the clients: each a POST that gives a body, and one that gives pieces ----------------------


@dataclass
class Client:
    """Is one library at work."""

    post: Callable[[str], Awaitable[bytes]]
    stream: Callable[[str], AsyncGenerator[bytes, None]]


@asynccontextmanager
async def _aiohttp() -> AsyncGenerator[Client, None]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(url: str) -> bytes:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                return await response.read()

        async def stream(url: str) -> AsyncGenerator[bytes, None]:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                async for piece in response.content.iter_any():
                    yield piece

        yield Client(post, stream)


@asynccontextmanager
async def _httpx_like(module: Any) -> AsyncGenerator[Client, None]:
    limits = module.Limits(max_connections=None, max_keepalive_connections=None)
    async with module.AsyncClient(limits=limits) as session:

        async def post(url: str) -> bytes:
            return (await session.post(url, content=BODY, headers=HEADERS)).content

        async def stream(url: str) -> AsyncGenerator[bytes, None]:
            async with session.stream("POST", url, content=BODY, headers=HEADERS) as response:
                async for piece in response.aiter_bytes():
                    yield piece

        yield Client(post, stream)


@asynccontextmanager
async def _httpcore() -> AsyncGenerator[Client, None]:
    import httpcore

    async with httpcore.AsyncConnectionPool(max_connections=None) as session:

        async def post(url: str) -> bytes:
            return (await session.request("POST", url, content=BODY, headers=HEADERS)).content

        async def stream(url: str) -> AsyncGenerator[bytes, None]:
            async with session.stream("POST", url, content=BODY, headers=HEADERS) as response:
                async for piece in response.aiter_stream():
                    yield piece

        yield Client(post, stream)


@asynccontextmanager
async def _niquests() -> AsyncGenerator[Client, None]:
    import niquests

    async with niquests.AsyncSession(pool_connections=CONCURRENT, pool_maxsize=CONCURRENT) as session:

        async def post(url: str) -> bytes:
            return (await session.post(url, data=BODY, headers=HEADERS)).content or b""

        async def stream(url: str) -> AsyncGenerator[bytes, None]:
            response = await session.post(url, data=BODY, headers=HEADERS, stream=True)
            async for piece in await response.iter_content(-1):
                yield piece
            await response.close()

        yield Client(post, stream)


@asynccontextmanager
async def _pyreqwest() -> AsyncGenerator[Client, None]:
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().build() as session:

        async def post(url: str) -> bytes:
            response = await session.post(url).headers(HEADERS).body_bytes(BODY).build().send()
            return bytes(await response.bytes())

        async def stream(url: str) -> AsyncGenerator[bytes, None]:
            async with session.post(url).headers(HEADERS).body_bytes(BODY).build_streamed() as response:
                while piece := await response.body_reader.read_chunk():
                    yield bytes(piece)

        yield Client(post, stream)


@asynccontextmanager
async def _httpx() -> AsyncGenerator[Client, None]:
    import httpx

    async with _httpx_like(httpx) as client:
        yield client


@asynccontextmanager
async def _httpx2() -> AsyncGenerator[Client, None]:
    import httpx2

    async with _httpx_like(httpx2) as client:
        yield client


CLIENTS = {
    "aiohttp": _aiohttp,
    "httpx": _httpx,
    "httpx2": _httpx2,
    "httpcore": _httpcore,
    "niquests": _niquests,
    "pyreqwest": _pyreqwest,
}


# --- what is measured ----------------------------------------------------------------------------


@dataclass
class Sample:
    """Is one measurement: seconds on the wall and of this process's CPU, per unit of work."""

    wall: float
    cpu: float


async def _timed(work: Awaitable[Any], units: int) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return Sample((time.perf_counter() - wall) / units, (time.process_time() - cpu) / units)


async def _calls(client: Client, base: str, count: int) -> None:
    for _ in range(count):
        assert await client.post(base + "/json") == _ANSWER


async def _events(client: Client, base: str) -> None:
    count, rest = 0, b""
    async with aclosing(client.stream(base + "/stream")) as pieces:
        async for piece in pieces:
            *whole, rest = (rest + piece).split(b"\n\n")
            count += len(whole)
    assert count == EVENTS + 1, count


async def _together(client: Client, base: str) -> None:
    await asyncio.gather(*(_calls(client, base, 4) for _ in range(CONCURRENT)))


async def _measure(names: list[str], base: str, rounds: int) -> dict[str, dict[str, list[Sample]]]:
    """Samples of every client; they take turns, and another one begins in each round."""
    taken: dict[str, dict[str, list[Sample]]] = {name: {} for name in names}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            async with CLIENTS[name]() as client:
                await _calls(client, base, 5)
                samples = {
                    "call": await _timed(_calls(client, base, 100), 100),
                    "event": await _timed(_events(client, base), EVENTS),
                    "together": await _timed(_together(client, base), CONCURRENT * 4),
                }
            if turn:  # the first round warms everything up
                for row, sample in samples.items():
                    taken[name].setdefault(row, []).append(sample)
    return taken


def _import_milliseconds(name: str, rounds: int = 5) -> float:
    program = (
        f"import asyncio, ssl, time; t = time.perf_counter(); import {name}; print((time.perf_counter() - t) * 1e3)"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    runs = [subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=environment)]
    runs += [
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=environment)
        for _ in range(rounds)
    ]
    return median(float(run.stdout) for run in runs[1:])


def main() -> None:
    """Print one line per client."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", help=f"of {', '.join(CLIENTS)}; default: all that are installed")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(_serve(options.serve))
        return
    names = options.clients or [name for name in CLIENTS if importlib.util.find_spec(name)]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(port)], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        taken = asyncio.run(_measure(names, f"http://127.0.0.1:{port}", options.rounds))
    finally:
        server.terminate()
        server.wait()
    _print(names, taken, options.rounds)


def _print(names: list[str], taken: dict[str, dict[str, list[Sample]]], rounds: int) -> None:
    print(f"Medians of {rounds} rounds, the clients in turns; the server is another process; plain HTTP/1.1.")
    print(
        f"call: one JSON POST, one after the other. event: one of a stream of {EVENTS:,}. "
        f"together: per call, {CONCURRENT} at once."
    )
    rows = ("call", "event", "together")
    print(f"{'client':<20}" + "".join(f"{row + ' µs':>12}{'CPU µs':>9}" for row in rows) + f"{'import ms':>12}")
    for name in names:
        cells = "".join(
            f"{median(one.wall for one in taken[name][row]) * 1e6:>12.1f}"
            f"{median(one.cpu for one in taken[name][row]) * 1e6:>9.1f}"
            for row in rows
        )
        print(f"{name + ' ' + version(name):<20}{cells}{_import_milliseconds(name):>12.1f}", flush=True)


if __name__ == "__main__":
    main()
