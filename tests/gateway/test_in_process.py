"""Requests to an app in this process: parts as they are sent, both ways, with the bounds and errors of a client."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import httpx2
import pytest
from starlette.responses import StreamingResponse

import modelport.testing
from modelport.gateway.in_process import InProcessTransport

WAIT_SECONDS = 20
App = Callable[[Any, Any, Any], Awaitable[None]]
PACKAGES = pytest.mark.parametrize("package", [httpx, httpx2], ids=["httpx", "httpx2"])


def app_of(answer: App) -> App:
    """Make an app without a lifespan."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await answer(scope, receive, send)

    return app


def client_of(answer: App, package: Any = httpx, timeout: float | None = WAIT_SECONDS, **options: Any) -> Any:
    transport = InProcessTransport(app_of(answer), **options)
    return package.Client(transport=transport, base_url="http://app", timeout=timeout)


def async_client_of(answer: App, package: Any = httpx, timeout: float | None = WAIT_SECONDS, **options: Any) -> Any:
    transport = InProcessTransport(app_of(answer), **options)
    return package.AsyncClient(transport=transport, base_url="http://app", timeout=timeout)


async def begin(send: Any, status: int = 200, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def part(send: Any, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the parts of the request's body, each when it comes."""
    await begin(send, 201, [(b"x-method", scope["method"].encode()), (b"x-path", scope["raw_path"])])
    while (message := await receive())["type"] == "http.request":
        await part(send, message["body"], more=message["more_body"])
        if not message["more_body"]:
            return


class Watched:
    """Is an app that begins an answer and then waits for its client to leave."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.left = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await begin(send)
        await part(send, b"first")
        self.began.set()
        assert (await receive())["type"] == "http.disconnect"
        self.left.set()


@PACKAGES
def test_a_sync_client_gets_status_headers_and_body(package: Any) -> None:
    with client_of(echo, package) as client:
        answer = client.post("/a%20b?c=d", content=b"hello")
    assert isinstance(answer, package.Response)
    assert (answer.status_code, answer.text) == (201, "hello")
    assert (answer.headers["x-method"], answer.headers["x-path"]) == ("POST", "/a%20b")


@PACKAGES
async def test_an_async_client_gets_status_headers_and_body(package: Any) -> None:
    async with async_client_of(echo, package) as client:
        answer = await client.post("/a%20b?c=d", content=b"hello")
    assert isinstance(answer, package.Response)
    assert (answer.status_code, answer.text) == (201, "hello")
    assert (answer.headers["x-method"], answer.headers["x-path"]) == ("POST", "/a%20b")


async def test_the_app_sees_a_client_on_this_machine() -> None:
    seen: list[Any] = []

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await begin(send)
        await part(send, b"", more=False)

    async with async_client_of(looking, root_path="/mounted") as client:
        await client.get("http://elsewhere:4000/x?y=z", headers={"X-Key": "1"})
    [scope] = seen
    assert (scope["server"], scope["client"][0]) == (("127.0.0.1", 4000), "127.0.0.1")
    assert (scope["path"], scope["query_string"], scope["root_path"]) == ("/x", b"y=z", "/mounted")
    assert dict(scope["headers"])[b"host"] == b"elsewhere:4000"
    assert dict(scope["headers"])[b"x-key"] == b"1"


class Stepping:
    """Is an app that sends a part each time that it is told to."""

    def __init__(self) -> None:
        self.may_go_on = threading.Semaphore(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await begin(send)
        for body in (b"one", b"two", b"three"):
            await part(send, body)
            assert await asyncio.to_thread(self.may_go_on.acquire, timeout=WAIT_SECONDS)
        await part(send, b"", more=False)


def test_parts_arrive_in_a_thread_as_they_are_sent() -> None:
    app, got = Stepping(), []
    with client_of(app) as client, client.stream("GET", "/") as answer:
        for one in answer.iter_raw():
            got.append(one)
            app.may_go_on.release()
    assert got == [b"one", b"two", b"three"]


async def test_parts_arrive_on_a_loop_as_they_are_sent() -> None:
    app, got = Stepping(), []
    async with async_client_of(app) as client, client.stream("GET", "/") as answer:
        async for one in answer.aiter_raw():
            got.append(one)
            app.may_go_on.release()
    assert got == [b"one", b"two", b"three"]


class Endless:
    """Is an app that sends without end."""

    def __init__(self, body: bytes = b"x") -> None:
        self.body = body
        self.sent = 0
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await begin(send)
        try:
            while True:
                self.sent += 1
                await part(send, self.body)
        finally:
            self.ended.set()


def test_an_app_waits_for_a_slow_reader_in_a_thread() -> None:
    app = Endless()
    with client_of(app, max_buffered_bytes=0) as client:
        with client.stream("GET", "/") as answer:
            for read, _ in zip(range(1, 20), answer.iter_raw(), strict=False):
                assert app.sent <= read + 1
        assert app.ended.wait(WAIT_SECONDS)


async def test_an_app_waits_for_a_slow_reader_on_a_loop() -> None:
    app = Endless(b"x" * 10)
    async with async_client_of(app, max_buffered_bytes=95) as client:
        async with client.stream("GET", "/") as answer:
            assert await anext(answer.aiter_raw())
            assert app.sent <= 12
        assert await asyncio.to_thread(app.ended.wait, WAIT_SECONDS)


def test_an_app_that_sends_on_without_a_reader_ends() -> None:
    app = Endless()
    with client_of(app) as client:
        with client.stream("GET", "/"):
            pass
        assert app.ended.wait(WAIT_SECONDS)


def test_closing_an_answer_in_a_thread_tells_the_app() -> None:
    app = Watched()
    with client_of(app) as client:
        with client.stream("GET", "/") as answer:
            assert next(answer.iter_raw()) == b"first"
        assert app.left.wait(WAIT_SECONDS)


async def test_closing_an_answer_on_a_loop_tells_the_app() -> None:
    app = Watched()
    async with async_client_of(app) as client:
        async with client.stream("GET", "/") as answer, aclosing(answer.aiter_raw()) as parts:
            assert await anext(parts) == b"first"
        assert await asyncio.to_thread(app.left.wait, WAIT_SECONDS)


def test_dropping_an_answer_tells_the_app() -> None:
    app = Watched()
    with client_of(app) as client:
        answer = client.send(client.build_request("GET", "/"), stream=True)
        assert app.began.wait(WAIT_SECONDS)
        del answer
        gc.collect()
        assert app.left.wait(WAIT_SECONDS)


async def test_cancelling_a_request_tells_the_app() -> None:
    app = Watched()
    async with async_client_of(app) as client:
        task = asyncio.create_task(client.get("/"))
        assert await asyncio.to_thread(app.began.wait, WAIT_SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(app.left.wait, WAIT_SECONDS)


async def test_a_framework_that_listens_for_the_client_stops_its_stream() -> None:
    stopped = threading.Event()

    async def numbers() -> AsyncIterator[str]:
        try:
            yield "1"
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def starlette(scope: Any, receive: Any, send: Any) -> None:
        await StreamingResponse(numbers())(scope, receive, send)

    async with async_client_of(starlette) as client:
        async with client.stream("GET", "/") as answer, aclosing(answer.aiter_text()) as texts:
            assert await anext(texts) == "1"
        assert await asyncio.to_thread(stopped.wait, WAIT_SECONDS)


# --- the request's body --------------------------------------------------------------------------


def test_a_body_in_parts_is_made_in_the_callers_thread_when_the_app_wants_it() -> None:
    threads: list[threading.Thread] = []

    def parts() -> Iterator[bytes]:
        for one in (b"a", b"b", b"c"):
            threads.append(threading.current_thread())
            yield one

    with client_of(echo) as client:
        assert client.post("/", content=parts()).text == "abc"
    assert threads == [threading.current_thread()] * 3


async def test_a_body_and_an_answer_flow_at_once() -> None:
    sent: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def parts() -> AsyncIterator[bytes]:
        while (one := await sent.get()) is not None:
            yield one

    async with async_client_of(echo) as client, client.stream("POST", "/", content=parts()) as answer:
        got = answer.aiter_raw()
        for one in (b"a", b"b"):
            sent.put_nowait(one)
            assert await anext(got) == one
        sent.put_nowait(None)
        assert [rest async for rest in got] == []


def test_what_a_body_raises_is_the_callers_and_tells_the_app() -> None:
    ends: list[str] = []

    def parts() -> Iterator[bytes]:
        yield b"a"
        raise KeyError("b")

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        ends.append(message["type"])

    with client_of(reading) as client, pytest.raises(KeyError, match="b"):
        client.post("/", content=parts())
    assert ends == ["http.disconnect"]


# --- errors --------------------------------------------------------------------------------------


async def fail_at_once(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError("no such thing")


async def fail_later(scope: Any, receive: Any, send: Any) -> None:
    await begin(send)
    await part(send, b"some")
    raise LookupError("no such thing")


@pytest.mark.parametrize("app", [fail_at_once, fail_later])
async def test_what_the_app_raises_is_raised(app: App) -> None:
    with client_of(app) as client, pytest.raises(LookupError, match="no such thing"):
        client.get("/")
    async with async_client_of(app) as async_client:
        with pytest.raises(LookupError, match="no such thing"):
            await async_client.get("/")


@PACKAGES
async def test_what_the_app_raises_is_a_500_where_that_is_asked_for(package: Any) -> None:
    with client_of(fail_at_once, package, raise_app_exceptions=False) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    async with async_client_of(fail_later, package, raise_app_exceptions=False) as async_client:
        with pytest.raises(package.RemoteProtocolError, match="before its answer was complete"):
            await async_client.get("/")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "returned before its answer was complete"),
        ([{"type": "http.response.body", "body": b"x"}], "before 'http.response.start'"),
        ([{"type": "http.response.start", "status": 200}] * 2, "twice"),
        ([{"type": "http.response.start", "status": 200}, {"type": "http.response.bodi"}], "no part of an HTTP answer"),
    ],
)
def test_an_app_that_breaks_the_protocol_is_told(messages: list[Any], said: str) -> None:
    async def wrong(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    with client_of(wrong) as client, pytest.raises(RuntimeError, match=said):
        client.get("/")


async def silent(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def silent_after_a_part(scope: Any, receive: Any, send: Any) -> None:
    await begin(send)
    await part(send, b"some")
    await silent(scope, receive, send)


@PACKAGES
@pytest.mark.parametrize("app", [silent, silent_after_a_part])
async def test_an_app_that_is_silent_for_too_long_is_a_read_timeout(package: Any, app: App) -> None:
    with (
        client_of(app, package, timeout=0.02) as client,
        pytest.raises(package.ReadTimeout, match=r"for 0\.02 seconds"),
    ):
        client.get("/")
    async with async_client_of(app, package, timeout=0.02) as async_client:
        with pytest.raises(package.ReadTimeout, match=r"for 0\.02 seconds"):
            await async_client.get("/")


def test_a_head_request_gets_no_body() -> None:
    with client_of(echo) as client:
        answer = client.request("HEAD", "/", content=b"hello")
    assert (answer.status_code, answer.content) == (201, b"")


ASKER: contextvars.ContextVar[str] = contextvars.ContextVar("ASKER", default="nobody")


async def test_the_app_runs_in_the_callers_context() -> None:
    async def asked(scope: Any, receive: Any, send: Any) -> None:
        await begin(send)
        await part(send, ASKER.get().encode(), more=False)

    ASKER.set("somebody")
    with client_of(asked) as client:
        assert client.get("/").text == "somebody"
    async with async_client_of(asked) as async_client:
        assert (await async_client.get("/")).text == "somebody"


def test_the_transport_is_among_the_testing_tools() -> None:
    assert modelport.testing.InProcessTransport is InProcessTransport
