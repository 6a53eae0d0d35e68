"""A long run of the gateway: many requests and many streams at once, and what is left of them when they are over.

    python benchmarks/gateway_soak.py                                   # 100,000 requests, 1,000 streams at once
    python benchmarks/gateway_soak.py --requests 3000 --streams 200

One real server, on its own; the client checks every byte of every answer. A tenth of the load comes first, to warm
up; then the process is looked at, gets the rest, and is looked at again: memory, tasks, threads, open files. It exits
with 1 when an answer is lost, incomplete or out of order, when memory grew or shrank by more than `--growth`, or when
something is left behind. The figures are the last line, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

MODELS = '''
import asyncio, gc, json, os, threading
from collections.abc import AsyncIterator, Iterator
from modelport import LLM
from modelport.engine import threads

threads.IDLE_SECONDS = 0.5  # those that nobody needs end soon

class Model(LLM):
    chat_template: str | None = "last"

class Echo(Model):
    async def _acall(self, prompt: str) -> str:
        return prompt

class SyncEcho(Model):
    def _call(self, prompt: str) -> str:
        return prompt

class Counting(Model):
    """Counts to the number in the prompt."""
    pause_seconds: float = 0.0

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for number in range(int(prompt)):
            await asyncio.sleep(self.pause_seconds)
            yield f"{number} "

class SyncCounting(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        for number in range(int(prompt)):
            yield f"{number} "

class Failing(Model):
    async def _acall(self, prompt: str) -> str:
        raise ValueError(prompt)

class Looking(Model):
    """Tells what there is in the server's process."""
    async def _acall(self, prompt: str) -> str:
        gc.collect()
        return json.dumps({
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
            "files": len(os.listdir("/proc/self/fd")),
        })
'''
CONFIG = """
models:
  echo: {use: "models:Echo"}
  sync-echo: {use: "models:SyncEcho"}
  counting: {use: "models:Counting"}
  slowly: {use: "models:Counting", params: {pause_seconds: PAUSE}}
  sync-counting: {use: "models:SyncCounting"}
  failing: {use: "models:Failing"}
  looking: {use: "models:Looking"}
"""
CONNECTIONS = 64
"""How many connections the requests are made over."""
STREAM_TOKENS, PAUSE_SECONDS = 100, 0.1
"""The length and the pace of the streams that are open at once."""
SETTLE_SECONDS = 20.0
"""How long threads that wait for more work, and connections that are closing, may take to end."""


class LostError(Exception):
    """Says that an answer did not come, or not as it should."""


class Connection:
    """Is one connection to the server, made anew when it was left."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, model: str, text: str, *, stream: bool = False) -> tuple[int, bool]:
        """Send a request, and read the answer's head: its status, and whether it comes in chunks."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._writer.write(head + body)
        assert self._reader is not None
        answered = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(answered.split()[1])
        self._length = int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0] or -1)
        return status, self._length < 0

    async def body(self) -> bytes:
        """Read the rest of the answer."""
        assert self._reader is not None
        if self._length >= 0:
            return await self._reader.readexactly(self._length)
        parts: list[bytes] = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            parts.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readexactly(2)
        return b"".join(parts)

    async def first_bytes(self) -> None:
        """Read a little of the answer."""
        assert self._reader is not None
        await self._reader.read(10)

    def leave(self) -> None:
        """Close the connection, whatever is under way."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None


async def whole(connection: Connection, model: str, text: str, status: int) -> str:
    """Make a request and return the text of its answer, or of its error."""
    found, is_chunked = await connection.ask(model, text)
    answer = json.loads(await connection.body())
    if found != status or is_chunked:
        raise LostError(f"{model} answered {found}: {answer}")
    return answer["error"]["message"] if status != 200 else answer["choices"][0]["message"]["content"]


async def counted(connection: Connection, model: str, tokens: int) -> None:
    """Make a request for a stream and check every event of it."""
    status, is_chunked = await connection.ask(model, str(tokens), stream=True)
    if status != 200 or not is_chunked:
        raise LostError(f"{model} answered {status}")
    *events, done, rest = (await connection.body()).split(b"\n\n")
    if done != b"data: [DONE]" or rest:
        raise LostError(f"a stream ended with {done[:200]!r}")
    choices = [json.loads(event.removeprefix(b"data: "))["choices"][0] for event in events]
    numbers = "".join(choice["delta"].get("content") or "" for choice in choices).split()
    if numbers != [str(number) for number in range(tokens)]:
        raise LostError(f"a stream of {tokens} had {numbers[:5]} … {numbers[-5:]}")
    if [choice["finish_reason"] for choice in choices[-2:]] != [None, "stop"]:
        raise LostError("a stream has no end")


async def one_request(connection: Connection, number: int) -> str:
    """Make one of the kinds of requests; return which."""
    kind, text = number % 20, f"request {number}"
    if kind < 13:
        answer = await whole(connection, "echo", text, 200)
    elif kind < 15:
        answer = await whole(connection, "sync-echo", text, 200)
    elif kind == 15:
        answer = (await whole(connection, "failing", text, 500)).removeprefix("ValueError: ")
    elif kind == 19:
        await connection.ask("counting", "1000", stream=True)
        await connection.first_bytes()
        connection.leave()
        return "left in the middle of a stream"
    else:
        await counted(connection, "sync-counting" if kind == 16 else "counting", 20)
        return "stream"
    if answer != text:
        raise LostError(f"{answer!r} came instead of {text!r}")
    return "whole" if kind != 15 else "failed, as it should"


async def requests(port: int, count: int) -> Counter[str]:
    """Make so many requests; return how many of each kind came back as they should."""
    numbers = iter(range(count))
    done: Counter[str] = Counter()

    async def client() -> None:
        connection = Connection(port)
        for number in numbers:
            done[await one_request(connection, number)] += 1
        connection.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(client())
    return done


async def streams(port: int, count: int, tokens: int) -> None:
    """Read so many streams at once."""

    async def client() -> None:
        connection = Connection(port)
        await counted(connection, "slowly", tokens)
        connection.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(client())


def resident_kilobytes(process_id: int) -> int:
    """Return how much of a process is in memory."""
    fields = Path(f"/proc/{process_id}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in fields if line.startswith("VmRSS:"))


async def look(port: int, process_id: int, like: dict[str, int] | None = None) -> dict[str, int]:
    """Return what there is in the server's process, once it is no more than it was before, or no less in time."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        connection = Connection(port)
        found: dict[str, int] = json.loads(await whole(connection, "looking", "around", 200))
        connection.leave()
        found["kilobytes"] = resident_kilobytes(process_id)
        names = ("tasks", "threads", "files")
        if like is not None and all(found[name] <= like[name] for name in names):
            return found
        if time.monotonic() > end or like is None:
            return found
        await asyncio.sleep(0.2)


async def soak(port: int, process_id: int, options: argparse.Namespace) -> dict[str, Any]:
    """Warm the server up, load it, and return the figures."""
    await requests(port, 2 * CONNECTIONS)  # so that what is made once is there
    idle = await look(port, process_id)
    began = time.monotonic()
    done = await requests(port, options.requests // 10)
    await streams(port, options.streams, options.tokens)
    before = await look(port, process_id, idle)
    done += await requests(port, options.requests - options.requests // 10)
    await streams(port, options.streams, options.tokens)
    seconds = time.monotonic() - began
    after = await look(port, process_id, before)
    return {"seconds": round(seconds, 1), "done": done, "idle": idle, "before": before, "after": after}


def faults_of(figures: dict[str, Any], options: argparse.Namespace) -> list[str]:
    """Return what is not as it should be."""
    before, after = figures["before"], figures["after"]
    faults = [f"{name}: {before[name]} became {after[name]}" for name in ("tasks", "threads", "files")
              if after[name] > before[name]]  # fmt: skip
    if not 1 / options.growth <= after["kilobytes"] / before["kilobytes"] <= options.growth:
        faults.append(f"the memory went from {before['kilobytes']} kB to {after['kilobytes']} kB")
    if sum(figures["done"].values()) != options.requests:
        faults.append(f"only {sum(figures['done'].values())} of {options.requests} requests were answered")
    return faults


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="how many requests, a tenth of them to warm up")
    parser.add_argument("--streams", type=int, default=1_000, help="how many streams at once, twice")
    parser.add_argument("--tokens", type=int, default=STREAM_TOKENS, help="the length of those streams")
    parser.add_argument("--pause", type=float, default=PAUSE_SECONDS, help="the seconds between two of their tokens")
    parser.add_argument("--growth", type=float, default=1.1, help="how much more, or less, memory is still flat")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models.py").write_text(MODELS, encoding="utf-8")
        (folder / "config.yaml").write_text(CONFIG.replace("PAUSE", str(options.pause)), encoding="utf-8")
        command = [sys.executable, "-m", "modelport", "serve", "--config", "config.yaml", "--port", "0"]
        log = folder / "log"
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                command, cwd=folder, env=os.environ, stdout=subprocess.PIPE, stderr=errors, text=True
            ) as server,
        ):
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline().split()[2].removesuffix("/v1").rpartition(":")[2])
                figures = asyncio.run(soak(port, server.pid, options))
            finally:
                server.terminate()
                with suppress(subprocess.TimeoutExpired):
                    server.wait(30)
                server.kill()
        text = log.read_text(encoding="utf-8")
        figures["faults"] = faults_of(figures, options)
        figures["faults"] += [line for line in text.splitlines() if "Traceback" in line or "WARNING" in line][:5]
    for fault in figures["faults"]:
        print(fault, file=sys.stderr)
    print(json.dumps(figures))
    return 1 if figures["faults"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
