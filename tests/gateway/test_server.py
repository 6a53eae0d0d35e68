"""One server: how it starts, what it obeys while it runs, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import resource
import weakref
from pathlib import Path
from typing import Any

import pytest

from modelport.gateway import server as server_module
from modelport.gateway.launch import listen
from modelport.gateway.process import allow_many_connections
from modelport.gateway.protocol import GatewayProtocol
from modelport.gateway.server import Server, run
from modelport.gateway.settings import GatewaySettings
from modelport.values.errors import InputError, MissingExtraError

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


async def ok(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_it_says_once_that_it_has_started(run_server: Any) -> None:
    running = await run_server(ok)
    assert running.server.started
    assert running.app.life == ["loaded"]
    reader, writer = await running.connect()
    writer.write(GET)
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_it_obeys_other_limits_while_it_runs(run_server: Any) -> None:
    running = await run_server(ok)
    reader, writer = await running.connect()
    writer.write(GET)
    await reader.readuntil(b"ok")
    running.server.obey(GatewaySettings.model_validate({"server": {"limits": {"max_header_bytes": 1024}}}))
    writer.write(b"GET / HTTP/1.1\r\na: " + b"x" * 2000 + b"\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 431 ")


async def test_a_connection_leaves_nothing_to_the_garbage_collector(
    run_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Any]] = []

    class Seen(GatewayProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            made.append(weakref.ref(self))

    monkeypatch.setattr(server_module, "GatewayProtocol", Seen)
    running = await run_server(ok)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            reader, writer = await running.connect()
            writer.write(GET + GET)
            await reader.readuntil(b"ok")
            await reader.readuntil(b"ok")
            writer.close()
            await writer.wait_closed()
        await running.until(lambda: not running.server.server_state.connections)
        await running.until(lambda: all(one() is None for one in made))
    finally:
        gc.enable()
    assert len(made) == 3


async def test_nothing_is_left_running_after_many_requests(run_server: Any) -> None:
    running = await run_server(ok)
    before = asyncio.all_tasks()
    for _ in range(50):
        reader, writer = await running.connect()
        writer.write(GET)
        await reader.readuntil(b"ok")
        writer.close()
    await running.until(lambda: not running.server.server_state.connections)
    assert asyncio.all_tasks() <= before
    assert running.server.server_state.tasks == set()


def test_models_that_cannot_be_loaded_give_exit_status_1(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        draining = False

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no weights"})

        def answer(self, scope: Any, receive: Any, send: Any) -> Any:
            raise AssertionError

        async def reload(self, settings: Any) -> None:
            raise AssertionError

        def model_lines(self) -> list[Any]:
            raise AssertionError

    with listen("127.0.0.1", 0) as listener:
        assert run(Server(Broken(), GatewaySettings(), on_start=lambda: None), listener) == 1
    assert caplog.records[0].getMessage() == "no weights"


def test_as_many_files_as_the_system_allows_may_be_open() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
        allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(InputError, match=r"cannot listen on '192\.0\.2\.1', port 0: .*choose another"):
        listen("192.0.2.1", 0)


def test_reload_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from modelport.gateway.watching import require_watching

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="--reload needs the extra 'gateway'"):
        require_watching()
