"""A changed config, or a changed file of a model, is taken over while the gateway serves; a bad one is not."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelport.gateway.options import ServeOptions
from modelport.gateway.reload import Reloader
from modelport.gateway.watching import changes


class App:
    """Notes which settings it got, or refuses them."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.ports: list[int] = []
        self.error: BaseException | None = None
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.loading = asyncio.Event()

    async def reload(self, settings: Any) -> None:
        self.loading.set()
        await self.may_load.wait()
        if self.error is not None:
            raise self.error
        self.names.append(list(settings.models))
        self.ports.append(settings.server.port)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("models: {a: {use: 'm:A'}, b: {use: 'm:B'}}\nserver: {port: 1234}")
    return path


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "modelport.gateway")
    return lambda: [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def rewrite(config: Path, text: str) -> None:
    config.write_text(text)


def reloader_of(config: Path, app: App, **options: Any) -> Reloader:
    asked = ServeOptions(config=config, **options)
    return Reloader(app, asked, asked.settings())


async def test_one_line_says_what_has_changed(config: Path, told: Any) -> None:
    app = App()
    reloader = reloader_of(config, app)
    rewrite(config, "models: {b: {use: 'm:B', params: {n: 1}}, c: {use: 'm:C'}}\nserver: {port: 1234, keys: [sk-1]}")
    assert await reloader.reload()
    assert app.names == [["b", "c"]]
    assert told() == ["INFO the config was read again: added c; removed a; changed b; also changed server"]
    assert await reloader.reload()
    assert told()[1:] == ["INFO the config was read again: nothing has changed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: {a: {use: 'm:A'", "config.yaml is no YAML"),
        ("models: {a: {ues: 'm:A'}}", "'models.a.ues' is no known key; did you mean 'use'?"),
        ("models: {}", "there is no model to serve"),
    ],
)
async def test_a_config_that_is_wrong_leaves_the_old_one(config: Path, told: Any, text: str, said: str) -> None:
    app = App()
    reloader = reloader_of(config, app)
    rewrite(config, text)
    assert not await reloader.reload()
    assert app.names == []
    [line] = told()
    assert line.startswith("ERROR the config was not taken over, the old one goes on: ")
    assert said in line


@pytest.mark.parametrize("error", [OSError("no weights at sk-secret-key"), SystemExit("sk-secret-key")])
async def test_models_that_cannot_be_loaded_leave_the_old_ones(config: Path, told: Any, error: BaseException) -> None:
    app = App()
    reloader = reloader_of(config, app, keys=("sk-secret-key",))
    app.error = error
    assert not await reloader.reload()
    [line] = told()
    assert line.startswith("ERROR ")
    assert type(error).__name__ in line
    assert "sk-secret-key" not in line
    app.error = None
    assert await reloader.reload()


async def test_what_cannot_change_is_said(config: Path, told: Any) -> None:
    app = App()
    reloader = reloader_of(config, app)
    rewrite(config, "models: {a: {use: 'm:A'}, b: {use: 'm:B'}}\nserver: {port: 4321, workers: 2}")
    assert await reloader.reload()
    assert told()[1:] == [
        "WARNING server.port stays 1234; start the gateway again for 4321",
        "WARNING server.workers stays 1; start the gateway again for 2",
    ]
    assert app.ports == [1234]


async def test_the_command_line_stays_on_top(config: Path, told: Any) -> None:
    taken: list[Any] = []
    reloader = reloader_of(config, App(), port=99, keys=("sk-made",))
    reloader.start(taken.append)
    await reloader.reload()
    await reloader.stop()
    [settings] = taken
    assert settings.server.port == 99
    assert [key.key.get_secret_value() for key in settings.server.keys] == ["sk-made"]


async def test_asking_while_it_works_makes_it_read_once_more(config: Path) -> None:
    app = App()
    app.may_load.clear()
    taken: asyncio.Queue[Any] = asyncio.Queue()
    reloader = reloader_of(config, app)
    reloader.start(taken.put_nowait)
    reloader.ask()
    await app.loading.wait()
    for _ in range(5):
        reloader.ask()
    app.may_load.set()
    for _ in range(2):
        await asyncio.wait_for(taken.get(), 10)
    await reloader.stop()
    assert len(app.names) == 2


async def test_changes_are_noticed_however_a_file_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "linked.py").write_text("1")
    (tmp_path / "data").symlink_to(folder)
    (tmp_path / "linked.py").symlink_to("data/linked.py")
    plain, linked = tmp_path / "plain.py", tmp_path / "linked.py"
    plain.write_text("1")
    noticed: asyncio.Queue[bool] = asyncio.Queue()
    watching = asyncio.Event()

    def files() -> set[Path]:
        watching.set()
        return {plain, linked}

    async def notice() -> None:
        async for _ in changes(files):
            noticed.put_nowait(True)

    async def seen(change: Callable[[], object]) -> None:
        """Repeat a change until it is noticed: when the system begins to watch cannot be known."""
        async with asyncio.timeout(30):
            while noticed.empty():
                change()
                await asyncio.sleep(0.3)
        while not noticed.empty():
            noticed.get_nowait()

    count = iter(range(1000))

    def rewrite() -> None:
        plain.write_text(str(next(count)))

    def replace() -> None:
        (tmp_path / "new").write_text(f"new {next(count)}")
        (tmp_path / "new").replace(plain)

    def relink() -> None:
        other = tmp_path / f"folder{next(count)}"
        other.mkdir()
        (other / "linked.py").write_text(other.name)
        (tmp_path / "link").symlink_to(other)
        (tmp_path / "link").replace(tmp_path / "data")

    task = asyncio.create_task(notice())
    await watching.wait()
    for change in (rewrite, replace, relink):
        await seen(change)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


MODEL = """
from helper import suffix
from modelport import LLM

class Echo(LLM):
    chat_template: str | None = "last"

    def _call(self, prompt: str) -> str:
        return prompt + suffix
"""


class Served:
    """Is a server process with a config and a file of models; its log line by line."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        (folder / "echo.py").write_text(MODEL)
        (folder / "helper.py").write_text("suffix = ' one'")
        self.configure("models: {echo: {use: 'echo:Echo'}}")
        command = [sys.executable, "-m", "modelport", "serve", "--config", "config.yaml", "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[2]

    def configure(self, text: str) -> None:
        (self.folder / "new").write_text(f"{text}\nserver: {{log_requests: false}}")
        (self.folder / "new").replace(self.folder / "config.yaml")

    def hang_up(self) -> str:
        self.process.send_signal(signal.SIGHUP)
        return self.log_line()

    def log_line(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def ask(self, client: Any = httpx, model: str = "echo") -> str:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        reply = client.post(f"{self.url}/chat/completions", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()["choices"][0]["message"]["content"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    servers: list[Served] = []

    def serve(*arguments: str) -> Served:
        servers.append(Served(tmp_path, *arguments))
        return servers[-1]

    yield serve
    for one in servers:
        one.process.terminate()
        one.process.communicate(timeout=30)


def test_sighup_takes_over_config_and_files_and_refuses_bad_ones(serve: Any) -> None:
    served = serve()
    assert served.ask() == "hi one"
    served.configure("models: {echo: {use: 'echo:Echo'}, second: {use: 'echo:Echo'}}")
    (served.folder / "helper.py").write_text("suffix = ' two'")
    line = served.hang_up()
    assert "added second" in line
    assert "executed anew echo.py, helper.py" in line
    assert served.ask(model="second") == "hi two"
    (served.folder / "helper.py").write_text("suffix = (")
    assert "ERROR" in served.hang_up()
    assert served.ask() == "hi two"
    (served.folder / "helper.py").write_text("suffix = ' three'")
    assert "executed anew" in served.hang_up()
    assert served.ask() == "hi three"


def test_a_changed_file_is_taken_over_by_itself(serve: Any) -> None:
    served = serve("--reload")
    assert served.ask() == "hi one"
    written = threading.Event()

    def write_until_noticed() -> None:
        # When the system begins to watch cannot be known.
        for number in range(100):
            (served.folder / "helper.py").write_text(f"suffix = ' changed {number}'")
            if written.wait(0.5):
                return

    writer = threading.Thread(target=write_until_noticed)
    writer.start()
    line = served.log_line()
    written.set()
    writer.join()
    assert "executed anew echo.py, helper.py" in line
    assert served.ask().startswith("hi changed")


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_no_request_fails_while_the_config_is_read_again(serve: Any, arguments: tuple[str, ...]) -> None:
    served = serve(*arguments)
    stop = threading.Event()
    answers: set[str] = set()
    faults: list[BaseException] = []

    def ask_on() -> None:
        try:
            with httpx.Client() as client:
                while not stop.is_set():
                    answers.add(served.ask(client))
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            faults.append(error)

    clients = [threading.Thread(target=ask_on) for _ in range(4)]
    for one in clients:
        one.start()
    for number in range(5):
        (served.folder / "helper.py").write_text(f"suffix = ' {number}'")
        assert "executed anew" in served.hang_up()
        if arguments:
            assert "executed anew" in served.log_line()
    assert served.ask() == "hi 4"
    stop.set()
    for one in clients:
        one.join()
    assert faults == []
    assert len(answers) > 1
