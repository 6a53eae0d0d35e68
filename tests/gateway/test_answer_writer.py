"""An answer on the wire: whatever status its model has, in one piece or in parts, and never with a forged header."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.gateway.answer_writer import WHOLE_ANSWER

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
LENGTH = (b"content-length", b"2")


# 529 is what an overloaded upstream says, 499 and 599 are no standard's either.
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("status", [200, 418, 429, 499, 529, 599])
async def test_every_status_of_a_model_reaches_its_client(run_server: Any, status: int, whole: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if whole:
            assert scope["extensions"][WHOLE_ANSWER](status, [LENGTH], b"ok")
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
            scope["extensions"][WHOLE_ANSWER](200, headers, b"ok")
        else:
            await send({"type": "http.response.start", "status": 200, "headers": headers})

    reader, writer = await (await run_server(app)).connect()
    writer.write(GET)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"forged" not in answer
