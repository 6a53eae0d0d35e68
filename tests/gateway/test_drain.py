"""The end of a server: what was accepted is answered, what comes then is refused, nothing is reset."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelport.gateway import draining
from modelport.gateway.launch import listen

GET = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"


def head_and_body(status: int, body: bytes) -> list[dict[str, Any]]:
    length = (b"content-length", str(len(body)).encode())
    return [
        {"type": "http.response.start", "status": status, "headers": [length]},
        {"type": "http.response.body", "body": body},
    ]


class Gated:
    """Answers `/x` when the test says so, and everything else at once; refuses while it drains, as the gateway does."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.app.draining:
            status, body = 503, b"draining"
        elif scope["path"] == "/x":
            self.asked.set()
            try:
                await self.may_answer.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
            status, body = 200, b"answer"
        else:
            status, body = 200, b"ok"
        for message in head_and_body(status, body):
            await send(message)


@pytest.fixture
async def gated(run_server: Any) -> Any:
    answer = Gated()
    running = await run_server(answer)
    answer.app = running.app
    return running


async def read_all(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read an answer and the end of the connection."""
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    return head, body


async def test_an_open_request_is_answered_and_its_connection_then_ends(gated: Any) -> None:
    reader, writer = await gated.connect()
    writer.write(GET)
    await gated.app.answer.asked.wait()
    gated.server.begin_end()
    gated.app.answer.may_answer.set()
    head, body = await read_all(reader)
    assert body == b"answer"
    assert b"connection: close" in head
    await gated.task
    assert gated.app.life == ["loaded", "unloaded"]


async def test_while_it_drains_new_and_idle_connections_are_refused_with_an_answer(gated: Any) -> None:
    busy, busy_writer = await gated.connect()
    busy_writer.write(GET)
    idle, idle_writer = await gated.connect()
    idle_writer.write(b"GET /health HTTP/1.1\r\n\r\n")
    await idle.readuntil(b"ok")
    await gated.app.answer.asked.wait()
    gated.server.begin_end()
    new, new_writer = await gated.connect()
    for reader, writer in ((idle, idle_writer), (new, new_writer)):
        writer.write(GET)
        head, body = await read_all(reader)
        assert head.startswith(b"HTTP/1.1 503")
        assert b"connection: close" in head
        assert body == b"draining"
    assert not gated.task.done()
    gated.app.answer.may_answer.set()
    assert (await read_all(busy))[1] == b"answer"


async def test_an_idle_connection_does_not_keep_the_server(gated: Any) -> None:
    reader, writer = await gated.connect()
    writer.write(b"GET /health HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"ok")
    gated.server.begin_end()
    assert await reader.read() == b""
    await gated.task


async def test_a_stream_whose_head_has_gone_out_is_finished(run_server: Any) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        began.set()
        await may_end.wait()
        await send({"type": "http.response.body", "body": b"last"})

    running = await run_server(stream)
    reader, writer = await running.connect()
    writer.write(GET)
    await began.wait()
    running.server.begin_end()
    await running.until(lambda: running.server.should_exit)
    may_end.set()
    assert (await reader.read()).endswith(b"5\r\nfirst\r\n4\r\nlast\r\n0\r\n\r\n")


async def test_what_is_open_for_too_long_is_cancelled_and_its_client_hears_so(run_server: Any) -> None:
    answer = Gated()
    running = await run_server(answer, shutdown_seconds=0)
    answer.app = running.app
    reader, writer = await running.connect()
    writer.write(GET)
    await answer.asked.wait()
    running.server.begin_end()
    head, body = await read_all(reader)
    assert answer.cancelled.is_set()
    assert head.startswith(b"HTTP/1.1 503")
    assert json.loads(body)["error"]["code"] == "server_shutting_down"
    await running.task
    assert running.app.life == ["loaded", "unloaded"]


async def test_a_stream_that_is_cancelled_may_still_say_so(run_server: Any) -> None:
    began = asyncio.Event()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            began.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"cancelled"})
            raise

    running = await run_server(stream, shutdown_seconds=0)
    reader, writer = await running.connect()
    writer.write(GET)
    await began.wait()
    running.server.begin_end()
    assert (await reader.read()).endswith(b"9\r\ncancelled\r\n0\r\n\r\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a packet filter of Linux")
def test_a_port_that_turns_away_still_serves_those_who_had_come() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()) as waiting:
        waiting.sendall(b"hello")
        assert draining.turn_away(listener)
        late = socket.socket()
        with late:
            late.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(10) == b"hello"


def test_where_it_cannot_turn_away_it_says_so() -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.close()
        assert not draining.turn_away(one)


SLOW = """
import asyncio
from modelport import LLM

class Slow(LLM):
    chat_template: str | None = "last"

    async def _acall(self, prompt: str) -> str:
        await asyncio.sleep(0.005)
        return prompt
"""


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def process(request: Any, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    (tmp_path / "slow.py").write_text(SLOW)
    command = ["-m", "modelport", "serve", "slow:Slow", "--port", "0", "--workers", str(request.param)]
    # The log has a line for each request: a pipe that nobody reads would be full soon.
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, *command], cwd=tmp_path, stdout=subprocess.PIPE, stderr=log, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            yield server, server.stdout.readline().split()[2]
        finally:
            server.kill()


class Load:
    """Is a crowd of clients, each with a connection that it keeps, which ask until the server has ended."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers = 0
        self.refusals = 0
        self.faults: list[str] = []
        self.enough = threading.Event()

    async def run(self, clients: int) -> None:
        await asyncio.gather(*(self._client(number) for number in range(clients)))

    async def _client(self, number: int) -> None:
        host, port = self.url.removeprefix("http://").removesuffix("/v1").split(":")
        body = json.dumps({"model": "Slow", "messages": [{"role": "user", "content": f"client {number}"}]}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
        while True:
            try:
                # A client that was not let in has lost nothing.
                reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 0.3)
            except (OSError, TimeoutError):
                return
            try:
                while await self._ask(reader, writer, head + body):
                    pass
            except (OSError, asyncio.IncompleteReadError) as error:
                self.faults.append(repr(error))
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bool:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        answer = json.loads(await reader.readexactly(length))
        if head.startswith("http/1.1 200"):
            self.answers += 1
            assert answer["choices"]
        else:
            assert head.startswith("http/1.1 503"), head
            assert "retry-after" in head
            self.refusals += 1
            await asyncio.sleep(0.01)
        if self.answers >= 300:
            self.enough.set()
        return "connection: close" not in head


def test_sigterm_under_load_drops_no_request(process: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    server, url = process
    load = Load(url)
    thread = threading.Thread(target=lambda: asyncio.run(load.run(32)))
    thread.start()
    assert load.enough.wait(30)
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    thread.join(30)
    assert load.faults == []
    assert load.answers >= 300
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


BLOCKED = """
import asyncio
from pathlib import Path
from modelport import LLM

class Never(LLM):
    async def _astream(self, prompt: str):
        yield "first"
        await asyncio.Event().wait()
"""


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "never.py").write_text(BLOCKED)
    command = [sys.executable, "-m", "modelport", "serve", "never:Never", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        url = server.stdout.readline().split()[2]
        body = {"model": "Never", "messages": [{"role": "user", "content": "x"}], "stream": True}
        with (
            contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError),
            httpx.stream("POST", f"{url}/chat/completions", json=body) as reply,
        ):
            lines = reply.iter_lines()
            assert any("first" in line for line in lines)
            server.send_signal(signal.SIGTERM)
            assert "open requests: 1; waiting for them" in server.stderr.readline()
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 128 + signal.SIGTERM
            list(lines)
