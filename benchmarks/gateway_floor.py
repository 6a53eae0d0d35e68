"""The floor of the gateway benchmark: an ASGI app that decodes, checks the key and encodes, and does nothing else.

It also tells when a client's leaving reached it, which is how servers are compared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from hashlib import sha256
from hmac import compare_digest
from os import urandom
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from gateway_tokens import DELAYS_SECONDS, KEY, paced

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BLOCK_EVENTS = 16
"""How many ready events share one write before the other streams get their turn."""
SILENT, BEGUN = "leaves-silent", "leaves-begun"
"""Models that never end: before the answer's head, and after its first event."""

_JSON = [(b"content-type", b"application/json")]
_SSE = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_KEY_HASH = sha256(KEY.encode()).digest()


class _Message(Struct):
    role: str
    content: str


class _Request(Struct):
    model: str
    messages: list[_Message]
    stream: bool = False


class _Choice(Struct):
    index: int
    message: _Message
    finish_reason: str = "stop"


class _Usage(Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Completion(Struct):
    id: str
    created: int
    model: str
    choices: list[_Choice]
    usage: _Usage
    object: str = "chat.completion"


class _Delta(Struct, omit_defaults=True):
    role: str | None = None
    content: str | None = None


class _ChunkChoice(Struct):
    index: int
    delta: _Delta
    finish_reason: str | None = None


class _Chunk(Struct):
    id: str
    created: int
    model: str
    choices: list[_ChunkChoice]
    object: str = "chat.completion.chunk"


_decode = Decoder(_Request).decode
_encode = Encoder().encode
_left: list[float] = []
"""When the last client's leaving was told to the app."""


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request, or follow the server's lifespan."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["path"] == "/health/live":
        await _reply(send, b'{"status":"live"}')
    elif scope["path"] == "/left":
        await _reply(send, _encode(_left))
    elif not _is_known(scope["headers"]):
        await _reply(send, b'{"error":{"message":"the key is not known"}}', 401)
    else:
        await _answer(_decode(await _body(receive)), receive, send)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def _is_known(headers: list[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"authorization":
            return compare_digest(sha256(value[7:]).digest(), _KEY_HASH)
    return False


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _reply(send: Send, body: bytes, status: int = 200) -> None:
    headers = [*_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer(request: _Request, receive: Receive, send: Send) -> None:
    text = request.messages[-1].content
    if not request.stream:
        completion = _Completion(
            f"chatcmpl-{urandom(16).hex()}",
            int(time.time()),
            request.model,
            [_Choice(0, _Message("assistant", text))],
            _Usage(len(text), len(text), 2 * len(text)),
        )
        await _reply(send, _encode(completion))
    elif request.model in DELAYS_SECONDS:
        await _while_client_stays(_stream_paced(request.model, int(text), send), receive)
    elif request.model in {SILENT, BEGUN}:
        await _stream_until_left(request.model, receive, send)
    else:
        await _stream(request.model, text, send)


class _Events:
    """Encodes the events of one stream."""

    def __init__(self, model: str) -> None:
        self._id = f"chatcmpl-{urandom(16).hex()}"
        self._created = int(time.time())
        self._model = model

    def event(self, delta: _Delta, finish_reason: str | None = None) -> bytes:
        """One chunk's event."""
        chunk = _Chunk(self._id, self._created, self._model, [_ChunkChoice(0, delta, finish_reason)])
        return b"data: %b\n\n" % _encode(chunk)

    def end(self) -> bytes:
        """What follows the last token."""
        return self.event(_Delta(), "stop") + b"data: [DONE]\n\n"


async def _stream(model: str, text: str, send: Send) -> None:
    """Send tokens that are all ready, in fair blocks."""
    await send({"type": "http.response.start", "status": 200, "headers": _SSE})
    events = _Events(model)
    block = [events.event(_Delta(role="assistant", content=""))]
    for token in text:
        block.append(events.event(_Delta(content=token)))
        if len(block) >= BLOCK_EVENTS:
            await send({"type": "http.response.body", "body": b"".join(block), "more_body": True})
            block.clear()
            await asyncio.sleep(0)
    block.append(events.end())
    await send({"type": "http.response.body", "body": b"".join(block)})


async def _while_client_stays(streaming: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Stream until the end or until the client leaves: servers swallow what is sent to nobody."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        stream.cancel()

    stream = asyncio.ensure_future(streaming)
    watcher = asyncio.create_task(watch())
    try:
        await asyncio.wait([stream])
    finally:
        stream.cancel()
        watcher.cancel()


async def _stream_paced(model: str, tokens: int, send: Send) -> None:
    """Send each token when it is there."""
    await send({"type": "http.response.start", "status": 200, "headers": _SSE})
    events = _Events(model)
    role = events.event(_Delta(role="assistant", content=""))
    async for token in paced(tokens, DELAYS_SECONDS[model]):
        body = role + events.event(_Delta(content=token))
        role = b""
        await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": events.end()})


async def _stream_until_left(model: str, receive: Receive, send: Send) -> None:
    """Wait for the client to leave, and note when that was told."""
    _left.clear()
    if model == BEGUN:
        await send({"type": "http.response.start", "status": 200, "headers": _SSE})
        event = _Events(model).event(_Delta(content="a"))
        await send({"type": "http.response.body", "body": event, "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    _left.append(time.monotonic())
