"""Real HTTP servers in a thread: one that runs an ASGI app, one whose bytes a test writes itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - Starlette reads the annotation
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from modelport.providers import OpenAICompatible

Handler = Callable[["Seen"], Any]
"""Answers one request: a Response, a dict (JSON), a text, or an async generator of text (a stream)."""


class Seen:
    """Is one request as the server saw it."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.method = request.method
        self.path = request.url.path
        self.query = dict(request.query_params)
        self.headers = dict(request.headers)
        self.body = body
        self.request = request
        self.left = threading.Event()
        """Set when the answer's generator was closed before its end: the client has gone."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """Is a server on a free port, with what it was asked and what it answers."""

    def __init__(self) -> None:
        self.reset()
        app = Starlette(routes=[Route("/{path:path}", self._handle, methods=["GET", "POST", "PUT"])])
        self._server = uvicorn.Server(uvicorn.Config(self._counting(app), port=0, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def reset(self) -> None:
        """Forget what was asked and what is answered."""
        self.seen: list[Seen] = []
        self.answer: Handler = lambda seen: {}
        self._clients: set[Any] = set()

    def _counting(self, app: Any) -> Any:
        async def counted(scope: Any, receive: Any, send: Any) -> None:
            self._clients.add(scope["client"])
            await app(scope, receive, send)

        return counted

    @property
    def clients(self) -> int:
        """From how many connections requests came."""
        return len(self._clients)

    def none_open(self) -> bool:
        """Wait until no connection is open any more; False when one stays."""
        for _ in range(2000):
            if not self._server.server_state.connections:
                return True
            self._thread.join(0.005)
        return False

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            self._thread.join(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    async def _handle(self, request: Request) -> Response:
        seen = Seen(request, await request.body())
        self.seen.append(seen)
        given = self.answer(seen)
        if isinstance(given, Awaitable):
            given = await given
        if isinstance(given, Response):
            return given
        if isinstance(given, str):
            return Response(given, media_type="text/plain")
        if hasattr(given, "__aiter__"):
            return StreamingResponse(_watched(given, seen), media_type="text/event-stream")
        return JSONResponse(given)

    @staticmethod
    def failure(status: int, body: Any, **headers: str) -> Response:
        """Return an answer that is an error."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return JSONResponse(body, status, given) if not isinstance(body, str) else Response(body, status, given)

    @property
    def last(self) -> Seen:
        return self.seen[-1]


async def _watched(pieces: AsyncIterator[str], seen: Seen) -> AsyncIterator[str]:
    ended = False
    try:
        async for piece in pieces:
            yield piece
        ended = True
    finally:
        if not ended:
            seen.left.set()


@pytest.fixture(scope="session")
def _shared_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(_shared_server: Server) -> Server:
    """A server that answers what the test sets as `server.answer`."""
    _shared_server.reset()
    return _shared_server


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that no other test uses, so that its connections are this test's."""
    with Server() as server:
        yield server


class RawServer:
    """Is a server whose bytes the test writes: `talk(reader, writer)` runs for each connection."""

    def __init__(
        self,
        talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._talk = talk
        self._tls = tls
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self.connections = 0
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


class Bytes:
    """Reads and writes HTTP by hand."""

    STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    """The head of a streamed answer."""
    END = b"0\r\n\r\n"
    """The end of a chunked body."""

    @staticmethod
    async def read_request(reader: asyncio.StreamReader) -> bytes:
        """Return one request, head and body."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        return head + await reader.readexactly(length)

    @staticmethod
    def answer(status: str, body: bytes, *headers: str) -> bytes:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
        return "\r\n".join(lines).encode() + body

    @staticmethod
    def part(text: str) -> bytes:
        """Return one part of a chunked body."""
        raw = text.encode()
        return b"%x\r\n%s\r\n" % (len(raw), raw)


@pytest.fixture
def raw() -> Bytes:
    return Bytes()


@pytest.fixture
def serve_bytes() -> Iterator[Callable[..., RawServer]]:
    """Start servers that answer each connection by a coroutine of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda talk, tls=None: stack.enter_context(RawServer(talk, tls))


class TLS:
    """Is a certificate for localhost that is its own authority."""

    def __init__(self, folder: Path) -> None:
        self.authority = folder / "certificate.pem"
        key = folder / "key.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        made = [*command.split(), "-addext", names, "-keyout", str(key), "-out", str(self.authority)]
        subprocess.run(made, check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.authority, key)


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    return TLS(tmp_path_factory.mktemp("tls"))


class OpenAISays:
    """Makes what an OpenAI-compatible server says."""

    DONE = "data: [DONE]\n\n"

    @staticmethod
    def completion(*texts: str | None, usage: Any = (3, 5), **choice: Any) -> dict[str, Any]:
        """Return a chat completion with one choice per text."""
        message = choice.pop("message", {})
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text, **message},
                "logprobs": None,
                "finish_reason": "stop",
                **choice,
            }
            for index, text in enumerate(texts)
        ]
        facts: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
        facts["choices"] = choices
        if usage is not None:
            facts["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        return facts

    @staticmethod
    def event(value: Any) -> str:
        return f"data: {json.dumps(value)}\n\n"

    @classmethod
    def chunk(cls, delta: dict[str, Any] | None = None, **choice: Any) -> str:
        """Return the event of one chunk."""
        entry = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": None, **choice}
        facts = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return cls.event({**facts, "choices": [entry]})

    @classmethod
    def usage(cls, prompt: int, completion: int) -> str:
        """Return the event that carries the usage."""
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        return cls.event({"id": "chatcmpl-1", "choices": [], "usage": usage})

    @staticmethod
    async def events(*events: str) -> AsyncIterator[str]:
        for event in events:
            yield event

    @classmethod
    def stream(cls, *texts: str, finish_reason: str = "stop", usage: Any = (3, 5)) -> AsyncIterator[str]:
        """Return a whole chat stream."""
        events = [cls.chunk({"role": "assistant", "content": ""}), *(cls.chunk({"content": text}) for text in texts)]
        events.append(cls.chunk({}, finish_reason=finish_reason))
        if usage is not None:
            events.append(cls.usage(*usage))
        return cls.events(*events, cls.DONE)


@pytest.fixture
def openai() -> OpenAISays:
    return OpenAISays()


@pytest.fixture
def model(server: Any) -> OpenAICompatible:
    """Return a chat model of the server; a slash at the end of its address is nobody's business."""
    return OpenAICompatible(model="m", base_url=server.url + "/v1/", api_key=SecretStr("sk-secret-1"))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no proxy of the machine reaches a test."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
