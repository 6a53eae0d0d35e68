"""How many may connect, what is sent ahead, and streams whose client or app goes wrong; over real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from modelport.gateway import protocol
from tests.gateway.raw_http import GET, answer_of, error_of, hello, reply

if TYPE_CHECKING:
    import pytest


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
