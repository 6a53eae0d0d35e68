"""What a client may send, how slowly, and what it hears when it goes too far; over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import jsonschema
import pytest

from modelport.gateway import connections, protocol

GET = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, and answer with how long it was."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    await reply(send, str(size).encode())


async def reply(send: Any, body: bytes, status: int = 200, headers: Any = ()) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer that has a content-length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def error_of(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Read one answer that is an error object and the connection's last; return its status and code."""
    from pathlib import Path

    status, headers, body = await answer_of(reader)
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"
    assert (status == 503) == ("retry-after" in headers)
    schemas = json.loads((Path(__file__).parent / "openai_schemas.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(body), {**schemas, "$ref": "#/$defs/ErrorResponse"})
    assert await reader.read() == b"", "the connection stays open"
    return status, json.loads(body)["error"]["code"]


class TestHeads:
    @pytest.mark.parametrize(
        "head",
        [
            b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\na: " + b"x" * 3000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n",
            b"GET / HTTP/1.1\r\na: " + b"x" * 3000,
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500,
        ],
    )
    @pytest.mark.parametrize("step_bytes", [100, 10_000])
    async def test_a_head_that_is_too_large_is_a_431(self, run_server: Any, head: bytes, step_bytes: int) -> None:
        running = await run_server(hello, limits={"max_header_bytes": 2000})
        reader, writer = await running.connect()
        for start in range(0, len(head), step_bytes):
            writer.write(head[start : start + step_bytes])
            await writer.drain()
        assert await error_of(reader) == (431, "headers_too_large")

    async def test_a_large_body_is_not_taken_for_a_head(self, run_server: Any) -> None:
        running = await run_server(hello, limits={"max_header_bytes": 2000})
        reader, writer = await running.connect()
        one = b"POST / HTTP/1.1\r\ncontent-length: 90000\r\na: " + b"x" * 1800 + b"\r\n\r\n" + b"y" * 90_000
        for data in (one, one, one[:50_000], one[50_000:] + one):
            writer.write(data)
        for _ in range(4):
            assert (await answer_of(reader))[2] == b"90000"

    async def test_a_head_that_does_not_end_is_a_408(self, run_server: Any) -> None:
        running = await run_server(hello, limits={"header_timeout_seconds": 0.1})
        reader, writer = await running.connect()
        writer.write(GET[:10])
        assert await error_of(reader) == (408, "request_timeout")

    async def test_a_head_that_comes_byte_by_byte_does_not_win_time(self, run_server: Any) -> None:
        running = await run_server(hello, limits={"header_timeout_seconds": 0.1})
        reader, writer = await running.connect()

        async def drip() -> None:
            writer.write(b"GET / HTTP/1.1\r\n")
            while not reader.at_eof():
                writer.write(b"a: b\r\n")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await error_of(reader) == (408, "request_timeout")
        await dripping

    async def test_a_connection_that_says_nothing_is_closed(self, run_server: Any) -> None:
        running = await run_server(hello, limits={"header_timeout_seconds": 0.1})
        reader, _ = await running.connect()
        assert await reader.read() == b""

    async def test_an_idle_connection_may_stay_longer_than_a_head_may_take(self, run_server: Any) -> None:
        running = await run_server(hello, limits={"header_timeout_seconds": 0.05})
        running.server.shared.keep_alive_seconds = 0.5
        reader, writer = await running.connect()
        writer.write(GET)
        await answer_of(reader)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        writer.write(GET)
        assert (await answer_of(reader))[0] == 200
        assert await reader.read() == b""

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"hello\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
            b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"CONNECT a:1 HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
    )
    async def test_what_is_no_http_is_a_400(self, run_server: Any, request_bytes: bytes) -> None:
        running = await run_server(hello)
        reader, writer = await running.connect()
        writer.write(request_bytes)
        assert await error_of(reader) == (400, "malformed_request")

    async def test_what_is_no_http_in_a_body_is_a_400_and_its_app_hears_that_it_ends(self, run_server: Any) -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def listening(scope: Any, receive: Any, send: Any) -> None:
            while (message := await receive())["type"] == "http.request":
                heard.put_nowait("body")
            heard.put_nowait(message["type"])

        running = await run_server(listening)
        reader, writer = await running.connect()
        writer.write(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert await heard.get() == "body"
        writer.write(b"nonsense\r\n")
        assert await error_of(reader) == (400, "malformed_request")
        assert await heard.get() == "http.disconnect"

    async def test_nonsense_after_a_request_does_not_spoil_its_answer(self, run_server: Any) -> None:
        may_answer = asyncio.Event()
        asked = asyncio.Event()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            asked.set()
            await may_answer.wait()
            await reply(send, b"whole")

        running = await run_server(waiting)
        reader, writer = await running.connect()
        writer.write(GET)
        await asked.wait()
        writer.write(b"nonsense\r\n\r\n")
        [connection] = running.server.server_state.connections
        await running.until(lambda: not connection.cycle.keep_alive)
        may_answer.set()
        status, headers, body = await answer_of(reader)
        assert (status, headers["connection"], body) == (200, "close", b"whole")
        assert await reader.read() == b""

    async def test_there_is_nothing_to_upgrade_to(self, run_server: Any) -> None:
        running = await run_server(hello)
        reader, writer = await running.connect()
        writer.write(b"GET / HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n")
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await reader.read() == b""


class TestBodies:
    @pytest.mark.parametrize(
        "head", [b"content-length: 1000\r\n\r\nabc", b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"]
    )
    async def test_a_body_that_does_not_end_is_a_408(self, run_server: Any, head: bytes) -> None:
        running = await run_server(hello, limits={"body_timeout_seconds": 0.1})
        reader, writer = await running.connect()
        writer.write(b"POST / HTTP/1.1\r\n" + head)
        assert await error_of(reader) == (408, "request_timeout")

    async def test_a_body_waits_for_an_app_that_does_not_read(self, run_server: Any) -> None:
        may_read = asyncio.Event()

        async def late(scope: Any, receive: Any, send: Any) -> None:
            await may_read.wait()
            await hello(scope, receive, send)

        running = await run_server(late, limits={"body_timeout_seconds": 0.1})
        reader, writer = await running.connect()
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.4)
        may_read.set()
        assert (await answer_of(reader))[2] == b"3000000"

    async def test_a_client_that_is_still_sending_reads_the_answer_that_refuses_it(self, run_server: Any) -> None:
        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await reply(send, b"too large", 413, [(b"connection", b"close")])

        running = await run_server(refuse)
        for _ in range(20):
            reader, writer = await running.connect()
            writer.write(b"POST / HTTP/1.1\r\ncontent-length: 9000000\r\n\r\n" + b"x" * 9_000_000)
            await writer.drain()
            status, _, body = await answer_of(reader)
            assert (status, body) == (413, b"too large")
            assert await reader.read() == b""

    async def test_a_refused_client_that_does_not_leave_is_cut_off(self, run_server: Any) -> None:
        running = await run_server(hello)
        running.server.shared.linger_seconds = 0.1
        reader, writer = await running.connect()
        writer.write(b"nonsense\r\n\r\n")
        await answer_of(reader)
        assert await reader.read() == b""
        await running.until(lambda: not running.server.server_state.connections)


class TestConnections:
    async def test_one_more_than_the_bound_is_a_503_at_once(self, run_server: Any) -> None:
        running = await run_server(hello, limits={"max_connections": 2})
        pairs = [await running.connect() for _ in range(2)]
        for reader, writer in pairs:
            writer.write(GET)
            await answer_of(reader)
        reader, _ = await running.connect()
        assert await error_of(reader) == (503, "too_many_connections")

    async def test_a_place_that_is_free_again_is_given_away(self, run_server: Any) -> None:
        running = await run_server(hello, limits={"max_connections": 1})
        for _ in range(3):
            reader, writer = await running.connect()
            writer.write(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
            assert (await answer_of(reader))[0] == 200
            assert await reader.read() == b""
            writer.close()
            await running.until(lambda: not running.server.server_state.connections)

    async def test_far_more_are_cut_off(self, run_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "POLITE_REFUSALS", 1)
        running = await run_server(hello, limits={"max_connections": 1})
        first, writer = await running.connect()
        writer.write(GET)
        await answer_of(first)
        second, _ = await running.connect()
        await answer_of(second)
        third, _ = await running.connect()
        assert await third.read() == b""

    async def test_requests_sent_ahead_are_answered_in_order(self, run_server: Any) -> None:
        async def path(scope: Any, receive: Any, send: Any) -> None:
            await reply(send, scope["path"].encode())

        running = await run_server(path)
        reader, writer = await running.connect()
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(5)))
        assert [(await answer_of(reader))[2] for _ in range(5)] == [b"/%d" % number for number in range(5)]

    async def test_too_many_requests_sent_ahead_end_the_connection(self, run_server: Any) -> None:
        asked: list[str] = []

        async def path(scope: Any, receive: Any, send: Any) -> None:
            asked.append(scope["path"])
            await reply(send, b"x")

        running = await run_server(path)
        reader, writer = await running.connect()
        writer.write(GET * 1000)
        assert (await answer_of(reader))[1]["connection"] == "close"
        assert await reader.read() == b""
        assert asked == ["/x"]

    async def test_the_running_request_hears_that_a_client_with_more_requests_has_left(self, run_server: Any) -> None:
        asked, left = asyncio.Event(), asyncio.Event()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            asked.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()

        running = await run_server(waiting)
        _, writer = await running.connect()
        writer.write(GET)
        await asked.wait()
        writer.write(GET + GET)
        await writer.drain()
        writer.close()
        await asyncio.wait_for(left.wait(), 10)


class TestStreams:
    async def test_a_stream_hears_of_a_client_that_leaves_while_nothing_is_sent(self, run_server: Any) -> None:
        left = asyncio.Event()

        async def silent(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            assert (await receive())["type"] == "http.disconnect"
            await send({"type": "http.response.body", "body": b"to nobody", "more_body": True})
            left.set()

        running = await run_server(silent)
        reader, writer = await running.connect()
        writer.write(GET)
        await reader.readuntil(b"first")
        writer.close()
        await asyncio.wait_for(left.wait(), 10)

    async def test_a_client_that_does_not_read_stops_the_stream_and_not_the_memory(self, run_server: Any) -> None:
        sent = 0
        left = asyncio.Event()

        async def endless(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})

            async def write() -> None:
                nonlocal sent
                while True:
                    await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
                    sent += 10_000
                    await asyncio.sleep(0)

            writing = asyncio.create_task(write())
            await receive()
            writing.cancel()
            left.set()

        running = await run_server(endless)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(running.address)
        with client:
            client.sendall(GET)
            before = -1
            while before != sent:
                before = sent
                for _ in range(200):
                    await asyncio.sleep(0.001)
            [connection] = running.server.server_state.connections
            transport = connection.transport.inner
            # What is in the system's buffers is not ours; what is in this process is bounded by the high-water mark.
            assert 0 < transport.get_write_buffer_size() <= 64 * 1024 + 20_000
            assert connection.flow.write_paused
        await asyncio.wait_for(left.wait(), 10)

    async def test_an_app_that_fails_gives_a_500_without_its_reason(self, run_server: Any, caplog: Any) -> None:
        async def failing(scope: Any, receive: Any, send: Any) -> None:
            raise ValueError("a secret")

        running = await run_server(failing)
        reader, writer = await running.connect()
        writer.write(GET)
        assert await error_of(reader) == (500, None)
        assert "a secret" not in caplog.text
        assert "ValueError" in caplog.text

    async def test_an_app_that_fails_in_a_stream_cuts_it(self, run_server: Any) -> None:
        async def failing(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            raise ValueError

        running = await run_server(failing)
        reader, writer = await running.connect()
        writer.write(GET)
        assert (await reader.read()).endswith(b"5\r\nfirst\r\n")


def test_limits_strike_soon_after_their_time() -> None:
    from modelport.gateway.settings import LimitSettings

    short = connections.Connections(LimitSettings(header_timeout_seconds=0.4))
    assert short._interval_seconds() == pytest.approx(0.1)
    assert connections.Connections(LimitSettings())._interval_seconds() <= connections.SWEEP_SECONDS
