"""An ASGI client that shows every message, and OpenAI's schemas to hold answers against."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from modelport import LLM, ChatModel, create_app
from modelport.gateway import draining
from modelport.gateway.launch import listen
from modelport.gateway.server import Server
from modelport.gateway.settings import GatewaySettings
from modelport.integrations import litellm
from tests.gateway.clock import Clock
from tests.imports_undone import imports_undone
from tests.openai_schemas import validator_of


class Reply:
    """Is one request to an ASGI app, and its answer as far as it has come."""

    def __init__(self, app: Any, scope: dict[str, Any], parts: list[bytes]) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for index, part in enumerate(parts):
            more = index < len(parts) - 1
            self.incoming.put_nowait({"type": "http.request", "body": part, "more_body": more})
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages: list[dict[str, Any]] = []
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.task = asyncio.create_task(app(scope, self.incoming.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.outgoing.put_nowait(message)
        await self.may_send.wait()

    def disconnect(self) -> None:
        """Leave, as a client that closes its connection."""
        self.incoming.put_nowait({"type": "http.disconnect"})

    async def next_message(self) -> dict[str, Any]:
        """Wait for the next thing that the app sends."""
        return await self.outgoing.get()

    async def done(self) -> Reply:
        """Wait for the app to end; what it raises is raised here."""
        await self.task
        return self

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def writes(self) -> list[bytes]:
        return [message.get("body", b"") for message in self.messages[1:]]

    @property
    def body(self) -> bytes:
        assert [message.get("more_body", False) for message in self.messages[1:]][-1:] == [False]
        return b"".join(self.writes)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error object; it has to be one."""
        validator_of("ErrorResponse").validate(self.json)
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        """The events of a stream; `[DONE]` as it is, the others parsed."""
        lines = self.body.decode().split("\n\n")
        assert lines.pop() == ""
        assert all(line.startswith("data: ") and "\n" not in line for line in lines)
        values = [line.removeprefix("data: ") for line in lines]
        return [value if value == "[DONE]" else json.loads(value) for value in values]

    @property
    def text(self) -> str:
        """The text of a stream's choice 0."""
        deltas = [event["choices"][0]["delta"] for event in self.events if event != "[DONE]" and event["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


Ask = Callable[..., Reply]


@pytest.fixture
async def ask() -> AsyncIterator[Any]:
    """Start a request: `ask(app, "GET", "/v1/models")`."""
    replies: list[Reply] = []

    def ask(
        app: Any,
        method: str,
        path: str,
        body: bytes | list[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        server: tuple[str, int] | None = ("127.0.0.1", 4000),
    ) -> Reply:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "server": server,
            "client": ("127.0.0.1", 50000),
        }
        reply = Reply(app, scope, body if isinstance(body, list) else [body])
        replies.append(reply)
        return reply

    yield ask
    for reply in replies:
        assert reply.task.done(), "a request was left open"


@pytest.fixture
def chat(ask: Ask) -> Any:
    """Start a chat request with a model or an app: `chat(model, "hello", stream=True)`."""

    def chat(model: Any, text: str = "hello", **fields: Any) -> Reply:
        app = create_app({"m": model}) if isinstance(model, LLM | ChatModel) else model
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
        return ask(app, "POST", "/v1/chat/completions", json.dumps(body).encode())

    return chat


@pytest.fixture
def post(ask: Ask) -> Any:
    """Start a request of JSON to a path under /v1, by models of a name or an app: `post(model, "rerank", query="q")`.

    A model is called `m`; fields that are not JSON's go as bytes in `raw`.
    """

    def post(models: Any, path: str, *, raw: bytes | None = None, **fields: Any) -> Reply:
        app = models if callable(getattr(models, "recorded", None)) else create_app({"m": models})
        body = json.dumps({"model": "m", **fields}).encode() if raw is None else raw
        return ask(app, "POST", f"/v1/{path}", body, {"content-type": "application/json"})

    return post


@pytest.fixture
async def official() -> AsyncIterator[Any]:
    """Make OpenAI's own client of an app, without a network: `official({"m": model})`."""
    clients: list[openai.AsyncOpenAI] = []

    def official(models: Any) -> openai.AsyncOpenAI:
        transport: Any = httpx2.ASGITransport(app=create_app(models))
        http_client = openai.DefaultAsyncHttpxClient(transport=transport)
        client = openai.AsyncOpenAI(
            base_url="http://127.0.0.1:4000/v1", api_key="none", max_retries=0, http_client=http_client
        )
        clients.append(client)
        return client

    yield official
    for client in clients:
        await client.close()


@pytest.fixture
def conforms() -> Any:
    """Hold a value against one of OpenAI's schemas."""

    def conforms(value: Any, schema: str) -> None:
        validator_of(schema).validate(value)

    return conforms


class Fake:
    """Is an app whose answers a test gives: `answer` is an ASGI function for HTTP."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer
        self.draining = False
        self.loaded: list[Any] = []
        self.life: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.answer(scope, receive, send)
            return
        while (message := await receive())["type"] == "lifespan.startup":
            self.life.append("loaded")
            await send({"type": "lifespan.startup.complete"})
        self.life.append("unloaded")
        await send({"type": f"{message['type']}.complete"})

    async def reload(self, settings: Any) -> None:
        self.loaded.append(settings)

    def model_lines(self) -> list[Any]:
        return []


class Running:
    """Is a server in this loop, and connections to it."""

    def __init__(self, answer: Callable[..., Any], **server: Any) -> None:
        self.app = Fake(answer)
        self.settings = GatewaySettings.model_validate({"server": server})
        self.started = asyncio.Event()
        self.server = Server(self.app, self.settings, on_start=self.started.set)
        self.listener = listen("127.0.0.1", 0)
        self.address: tuple[str, int] = self.listener.getsockname()
        self.task: asyncio.Task[None] | None = None
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> Running:
        self.task = asyncio.create_task(self.server.serve([self.listener]))
        await self.started.wait()
        return self

    async def connect(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address, **options)
        self.writers.append(writer)
        return reader, writer

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until the server, which runs in this loop, has come so far."""
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 - nobody tells when it is
                await asyncio.sleep(0.001)

    async def stop(self) -> None:
        for writer in self.writers:
            writer.close()
        self.server.begin_end()
        assert self.task is not None
        await self.task


@pytest.fixture
async def run_server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Start a server for an ASGI function: `await run_server(answer, limits={"max_header_bytes": 2000})`."""
    monkeypatch.setattr(draining, "LAST_CALL_SECONDS", 0.05)
    monkeypatch.setattr(draining, "LONGEST_CALL_SECONDS", 0.5)
    servers: list[Running] = []

    async def run_server(answer: Callable[..., Any], **server: Any) -> Running:
        running = Running(answer, **server)
        servers.append(running)
        return await running.start()

    yield run_server
    for running in servers:
        await running.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plain_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Begin without keys in the environment; take back what loading handlers adds to the process."""
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MODELPORT_MASTER_KEY", "LITELLM_MASTER_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(litellm, "custom_provider_map", [])
    with imports_undone(monkeypatch, tmp_path):
        yield
