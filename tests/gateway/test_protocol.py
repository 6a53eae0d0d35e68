"""What a client may send, how slowly, and what it hears when it goes too far; over real sockets."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from modelport.gateway import connections
from tests.gateway.raw_http import GET, answer_of, error_of, hello, reply


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
        await running.until(lambda: not connection._running.keep_alive)
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
        "framed",
        [b"content-length: 5\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n"],
    )
    @pytest.mark.parametrize("at_once", [True, False])
    async def test_a_body_after_a_wish_to_upgrade_is_read(self, run_server: Any, framed: bytes, at_once: bool) -> None:
        reader, writer = await (await run_server(hello)).connect()
        upgrade = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
        sent = (b"POST / HTTP/1.1\r\n" + upgrade + framed) * 2 + GET
        for part in [sent] if at_once else [sent[index : index + 1] for index in range(len(sent))]:
            writer.write(part)
            await asyncio.sleep(0)
        assert [(await answer_of(reader))[2] for _ in range(3)] == [b"5", b"5", b"0"]

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


def test_limits_strike_soon_after_their_time() -> None:
    from modelport.gateway.settings import LimitSettings

    short = connections.Connections(LimitSettings(header_timeout_seconds=0.4), hello)
    assert short._interval_seconds() == pytest.approx(0.1)
    assert connections.Connections(LimitSettings(), hello)._interval_seconds() <= connections.SWEEP_SECONDS


PIECES = [
    b"GET / HTTP/1.1\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\n",
    b"HEAD * HTTP/1.0\r\n",
    b"content-length: 5\r\n",
    b"content-length: 99999999999999999999\r\n",
    b"transfer-encoding: chunked\r\n",
    b"transfer-encoding: gzip, chunked\r\n",
    b"connection: close\r\n",
    b"connection: upgrade\r\nupgrade: websocket\r\n",
    b"expect: 100-continue\r\n",
    b"a: \xff\x00\r\n",
    b" folded\r\n",
    b"\r\n",
    b"\n",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"0;x=y\r\nt: v\r\n\r\n",
]


async def test_whatever_bytes_come_nothing_fails_and_nobody_hangs(run_server: Any, caplog: Any) -> None:
    random = Random(5)
    running = await run_server(hello, limits={"header_timeout_seconds": 0.2, "body_timeout_seconds": 0.2})
    running.server.shared.keep_alive_seconds = running.server.shared.linger_seconds = 0.2

    async def talk() -> bytes:
        reader, writer = await running.connect()
        for _ in range(random.randint(1, 4)):
            data = b"".join(random.choices(PIECES, k=random.randint(1, 6)))
            if data and random.random() < 0.3:
                data = data[: random.randrange(len(data))] + random.randbytes(3) + data[random.randrange(len(data)) :]
            writer.write(data)
            await asyncio.sleep(0)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async with asyncio.timeout(30):
        for _ in range(10):
            answers = await asyncio.gather(*(talk() for _ in range(50)))
            assert all(not answer or answer.startswith(b"HTTP/1.1 ") for answer in answers)
            assert not any(b"HTTP/1.1 500 " in answer for answer in answers)
        await running.until(lambda: not running.server.server_state.connections)
    assert caplog.records == []
