"""A request on the wire: its body in one piece or in parts, its answer with whatever status, never a forged header."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from modelport.gateway.draining import wait_for_requests
from modelport.gateway.request_cycle import EXTENSION

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
LENGTH = (b"content-length", b"2")


# 529 is what an overloaded upstream says, 499 and 599 are no standard's either.
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("status", [200, 418, 429, 499, 529, 599])
async def test_every_status_of_a_model_reaches_its_client(run_server: Any, status: int, whole: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if whole:
            assert scope["extensions"][EXTENSION].answer(status, [LENGTH], b"ok")
            return
        await send({"type": "http.response.start", "status": status, "headers": [LENGTH]})
        await send({"type": "http.response.body", "body": b"ok"})

    reader, writer = await (await run_server(app)).connect()
    for _ in range(2):  # the connection goes on
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_header_with_a_line_break_is_not_sent(run_server: Any, whole: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [LENGTH, (b"x-a", b"1\r\nx-forged: 1")]
        if whole:
            scope["extensions"][EXTENSION].answer(200, headers, b"ok")
        else:
            await send({"type": "http.response.start", "status": 200, "headers": headers})

    reader, writer = await (await run_server(app)).connect()
    writer.write(GET)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"forged" not in answer


async def test_a_stream_for_http_1_0_has_no_chunks_and_ends_with_its_connection(run_server: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"a", b"b"):
            cycle = scope["extensions"][EXTENSION]
            if not cycle.add_part(part):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    reader, writer = await (await run_server(app)).connect()
    writer.write(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    head, body = (await reader.read()).split(b"\r\n\r\n", 1)
    assert (b"transfer-encoding" in head, b"connection: close" in head, body) == (False, True, b"ab")


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST / HTTP/1.1", b"host: a", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def test_a_body_that_is_there_is_taken_whole_and_only_once(run_server: Any) -> None:
    taken: list[Any] = []
    left = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cycle = scope["extensions"][EXTENSION]
        taken.append(cycle.whole_body())
        taken.append((await receive())["type"])
        left.set()

    _, writer = await (await run_server(app)).connect()
    writer.write(post(b"abc") + b"abc")
    await writer.drain()
    writer.close()
    await left.wait()
    assert taken == [b"abc", "http.disconnect"]


async def test_a_body_that_is_still_coming_is_received_in_parts(run_server: Any) -> None:
    whole: list[Any] = []
    parts: list[bytes] = []
    began, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cycle = scope["extensions"][EXTENSION]
        whole.append(cycle.whole_body())
        more = True
        while more:
            message = await receive()
            parts.append(message["body"])
            began.set()
            more = message["more_body"]
        ended.set()
        cycle.answer(200, [LENGTH], b"ok")

    reader, writer = await (await run_server(app)).connect()
    writer.write(post(b"abcdef") + b"abc")
    await began.wait()
    writer.write(b"def")
    await ended.wait()
    assert whole == [None]
    assert b"".join(parts) == b"abcdef"
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")


async def test_a_client_that_asks_first_is_told_to_send_its_body(run_server: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        cycle = scope["extensions"][EXTENSION]
        assert cycle.whole_body() is None
        assert (await receive())["body"] == b"abc"
        cycle.answer(200, [LENGTH], b"ok")

    reader, writer = await (await run_server(app)).connect()
    writer.write(post(b"abc", b"expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")


async def test_an_answer_before_its_body_is_asked_for_says_no_continue(run_server: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        cycle = scope["extensions"][EXTENSION]
        cycle.answer(401, [LENGTH, (b"connection", b"close")], b"no")
        assert (await receive())["type"] == "http.disconnect"

    reader, writer = await (await run_server(app)).connect()
    writer.write(post(b"abc", b"expect: 100-continue"))
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer


async def test_paths_with_escapes_are_read(run_server: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["path"], scope["raw_path"], scope["query_string"]))
        scope["extensions"][EXTENSION].answer(200, [LENGTH], b"ok")

    reader, writer = await (await run_server(app)).connect()
    long = b"/" + b"x" * 2000
    for target in (b"/a%20b?c=%20d", b"/a%20b?c=%20d", long):
        writer.write(b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % target)
        await reader.readuntil(b"ok")
    assert seen == [("/a b", b"/a%20b", b"c=%20d")] * 2 + [(long.decode(), long, b"")]


async def test_requests_cancelled_before_they_began_do_not_hold_up_the_end() -> None:
    async def never() -> None:
        raise AssertionError

    task = asyncio.get_running_loop().create_task(never())
    task.cancel()
    await wait_for_requests({task}, 60)
    assert task.cancelled()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("size", [4, 5000])
async def test_parts_of_several_streams_are_sent_in_order_and_wait_for_no_more(
    run_server: Any, size: int, at_once: bool
) -> None:
    hold = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a" * size, "more_body": True})
        if at_once:
            assert scope["extensions"][EXTENSION].add_part(b"b" * size)
        else:
            await send({"type": "http.response.body", "body": b"b" * size, "more_body": True})
        await hold.wait()
        await send({"type": "http.response.body", "body": b"end"})

    running = await run_server(app)
    streams = [await running.connect() for _ in range(3)]
    for _, writer in streams:
        writer.write(GET)
    for reader, _ in streams:
        assert b"a" * size + b"\r\n%x\r\n" % size + b"b" * size in await reader.readuntil(b"b" * size)
    hold.set()
    for reader, _ in streams:
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"3\r\nend\r\n0\r\n\r\n")


async def test_a_part_waits_for_the_head_for_room_and_for_nothing_after_the_end(run_server: Any) -> None:
    could: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cycle = scope["extensions"][EXTENSION]
        could.append(cycle.add_part(b"early"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        could.append(cycle.add_part(b"before the head"))
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while cycle.add_part(b"x" * 60_000):
            pass  # until the connection is full
        await send({"type": "http.response.body", "body": b"room", "more_body": True})
        could.append(cycle.add_part(b"more"))
        await send({"type": "http.response.body", "body": b""})
        could.append(cycle.add_part(b"late"))

    reader, writer = await (await run_server(app)).connect()
    writer.write(GET)
    answer = b""
    while not answer.endswith(b"\r\n0\r\n\r\n"):
        answer += await reader.read(65_536)
    assert could == [False, False, True, False]
    assert b"early" not in answer
    assert b"before" not in answer
    assert answer.endswith(b"4\r\nroom\r\n4\r\nmore\r\n0\r\n\r\n")


async def test_a_part_for_a_client_that_has_gone_is_dropped(run_server: Any) -> None:
    could: list[bool] = []
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        could.append(scope["extensions"][EXTENSION].add_part(b"more"))
        ended.set()

    reader, writer = await (await run_server(app)).connect()
    writer.write(GET)
    await reader.readuntil(b"first")
    writer.close()
    await ended.wait()
    assert could == [True]


@pytest.mark.parametrize(
    ("asks", "heard"), [("before", ["left"]), ("afterwards", ["left"]), ("no more", [])], ids=lambda value: str(value)
)
async def test_whoever_asks_is_told_once_that_the_client_has_left(run_server: Any, asks: str, heard: list[str]) -> None:
    told: list[str] = []
    begun, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cycle = scope["extensions"][EXTENSION]
        assert cycle.whole_body() == b""
        if asks != "afterwards":
            cycle.tell(lambda: told.append("left"))
        if asks == "no more":
            cycle.tell(None)
        begun.set()
        assert (await receive())["type"] == "http.disconnect"
        if asks == "afterwards":
            cycle.tell(lambda: told.append("left"))
        ended.set()

    _, writer = await (await run_server(app)).connect()
    writer.write(GET)
    await begun.wait()
    writer.close()
    await ended.wait()
    assert told == heard
