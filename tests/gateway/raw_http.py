"""HTTP as bytes on a socket: apps that answer, and the reading of what comes back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.openai_schemas import validator_of

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
    status, headers, body = await answer_of(reader)
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"
    assert (status == 503) == ("retry-after" in headers)
    validator_of("ErrorResponse").validate(json.loads(body))
    assert await reader.read() == b"", "the connection stays open"
    return status, json.loads(body)["error"]["code"]
