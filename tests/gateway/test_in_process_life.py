"""The life of an app in this process: its start and end, the loops it runs on, and models behind it."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from modelport import LLM, create_app
from modelport.gateway.in_process import InProcessTransport
from modelport.values.errors import LoadError

WAIT_SECONDS = 20


class Lived:
    """Is an app that notes its life, and answers with it."""

    def __init__(self, fails: str = "") -> None:
        self.life: list[str] = []
        self.loops: list[Any] = []
        self.fails = fails
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.loops.append(asyncio.get_running_loop())
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
            return
        self.life.append("asked")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["state"]["greeting"]})

    async def live(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        if self.fails:
            await send({"type": "lifespan.startup.failed", "message": self.fails})
            return
        await asyncio.sleep(0)
        self.life.append("started")
        scope["state"]["greeting"] = b"hello"
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        await asyncio.sleep(0)
        self.life.append("ended")
        self.ended.set()
        await send({"type": "lifespan.shutdown.complete"})


def client_of(app: Any, **options: Any) -> httpx.Client:
    return httpx.Client(transport=InProcessTransport(app, **options), base_url="http://app", timeout=WAIT_SECONDS)


def async_client_of(app: Any, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=InProcessTransport(app, **options), base_url="http://app", timeout=WAIT_SECONDS)


def test_entering_a_sync_client_starts_the_app_and_leaving_it_ends_the_app() -> None:
    app = Lived()
    with client_of(app) as client:
        assert app.life == ["started"]
        assert client.get("/").text == client.get("/").text == "hello"
    assert app.life == ["started", "asked", "asked", "ended"]
    assert len(set(app.loops)) == 1


async def test_entering_an_async_client_starts_the_app_and_leaving_it_ends_the_app() -> None:
    app = Lived()
    async with async_client_of(app) as client:
        assert app.life == ["started"]
        assert [one.text for one in await asyncio.gather(client.get("/"), client.get("/"))] == ["hello", "hello"]
    assert app.life == ["started", "asked", "asked", "ended"]
    assert set(app.loops) == {asyncio.get_running_loop()}


def test_the_first_of_several_requests_starts_an_app_that_nobody_entered() -> None:
    app = Lived()
    client = client_of(app)
    with ThreadPoolExecutor(8) as threads:
        assert {one.text for one in threads.map(lambda _: client.get("/"), range(16))} == {"hello"}
    client.close()
    assert app.life == ["started", *["asked"] * 16, "ended"]


async def test_concurrent_first_requests_start_the_app_once() -> None:
    app = Lived()
    client = async_client_of(app)
    await asyncio.gather(*(client.get("/") for _ in range(8)))
    await client.aclose()
    assert app.life == ["started", *["asked"] * 8, "ended"]


def test_an_app_that_cannot_start_says_why_each_time() -> None:
    client = client_of(Lived("there is no GPU"))
    for _ in range(2):
        with pytest.raises(LoadError, match="the app cannot start: there is no GPU"):
            client.get("/")
    with pytest.raises(LoadError, match="no GPU"), client_of(Lived("there is no GPU")):
        pass


def test_an_app_is_not_started_where_that_is_not_wanted() -> None:
    app = Lived()
    with client_of(app, lifespan=False) as client, pytest.raises(KeyError, match="state"):
        client.get("/")
    assert app.life == ["asked"]


def test_the_end_of_the_loop_ends_the_app_and_the_next_loop_starts_it_again() -> None:
    app = Lived()
    client = async_client_of(app)

    async def ask() -> str:
        return (await client.get("/")).text

    assert [asyncio.run(ask()) for _ in range(2)] == ["hello", "hello"]
    assert app.life == ["started", "asked", "ended"] * 2


def test_a_client_that_is_dropped_ends_the_app() -> None:
    app = Lived()
    client = client_of(app)
    client.get("/")
    del client
    gc.collect()
    assert app.ended.wait(WAIT_SECONDS)


async def stay(scope: Any, receive: Any, send: Any) -> None:
    """Begin an answer, and go on until cancelled or told."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


def test_closing_the_client_ends_what_another_thread_reads() -> None:
    client, began = client_of(stay), threading.Event()

    def read() -> None:
        with client.stream("GET", "/") as answer:
            for _ in answer.iter_raw():
                began.set()

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        assert began.wait(WAIT_SECONDS)
        client.close()
        with pytest.raises(httpx.ReadError, match="the transport was closed"):
            reading.result(WAIT_SECONDS)


async def test_closing_the_client_ends_what_another_task_reads() -> None:
    client, began = async_client_of(stay), asyncio.Event()

    async def read() -> None:
        async with client.stream("GET", "/") as answer:
            async for _ in answer.aiter_raw():
                began.set()

    reading = asyncio.create_task(read())
    await began.wait()
    await client.aclose()
    with pytest.raises(httpx.ReadError, match="the transport was closed"):
        await reading


async def test_a_sync_client_answers_in_code_that_runs_on_a_loop() -> None:
    with client_of(Lived()) as client:
        assert client.get("/").text == "hello"


def test_an_app_may_call_itself_from_its_own_loop() -> None:
    clients: list[httpx.Client] = []

    async def nesting(scope: Any, receive: Any, send: Any) -> None:
        depth = int(scope["path"][1:])
        inner = clients[0].get(f"/{depth - 1}").text if depth else "bottom"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{depth} {inner}".encode()})

    with client_of(nesting, lifespan=False) as client:
        clients.append(client)
        assert client.get("/1").text == "1 0 bottom"


def test_many_threads_get_their_own_answers() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    with client_of(echo, lifespan=False) as client, ThreadPoolExecutor(64) as threads:
        answers = threads.map(lambda one: client.post("/", content=str(one)).text, range(256))
        assert list(answers) == [str(one) for one in range(256)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forked children here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_its_own_app() -> None:
    with client_of(Lived()) as client:
        assert client.get("/").text == "hello"
        child = os.fork()
        if child == 0:
            os._exit(0 if client.get("/").text == "hello" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- a gateway's models --------------------------------------------------------------------------


class Numbers(LLM):
    """Streams numbers without end."""

    def _load(self) -> None:
        LIFE.append("loaded")

    def _unload(self) -> None:
        LIFE.append("unloaded")

    def _stream(self, prompt: str) -> Iterator[str]:
        try:
            number = 0
            while True:
                number += 1
                yield f"{number} "
        finally:
            STOPPED.set()


LIFE: list[str] = []
STOPPED = threading.Event()
ASKED = {"model": "numbers", "messages": [{"role": "user", "content": "go"}], "stream": True}


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    LIFE.clear()
    STOPPED.clear()


def test_closing_a_stream_of_the_gateway_stops_the_model() -> None:
    with client_of(create_app({"numbers": Numbers()})) as client:
        assert LIFE == ["loaded"]
        with client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert next(answer.iter_lines()).startswith("data: ")
        assert STOPPED.wait(WAIT_SECONDS)
    assert LIFE == ["loaded", "unloaded"]


async def test_closing_an_async_stream_of_the_gateway_stops_the_model() -> None:
    async with async_client_of(create_app({"numbers": Numbers()})) as client:
        async with client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            lines: AsyncIterator[str] = answer.aiter_lines()
            assert (await anext(lines)).startswith("data: ")
        assert await asyncio.to_thread(STOPPED.wait, WAIT_SECONDS)
    assert LIFE == ["loaded", "unloaded"]
