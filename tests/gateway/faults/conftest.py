"""Real servers, each a process of its own, and a client that can say anything to them."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PATIENCE_SECONDS = 20.0
"""How long something may take that ought to happen at once; a test fails by it, and never passes by it."""


class Answer(NamedTuple):
    """Is one whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error object; it has to be OpenAI's, with its four keys."""
        assert self.headers["content-type"] == "application/json", self
        body = self.json
        assert list(body) == ["error"], body
        check_error(body["error"])
        return body["error"]

    @property
    def text(self) -> str:
        assert self.status == 200, self
        return self.json["choices"][0]["message"]["content"]

    @property
    def events(self) -> list[Any]:
        """The events of a stream; `[DONE]` as it is, the others parsed."""
        *events, rest = self.body.decode().split("\n\n")
        assert rest == ""
        assert all(one.startswith("data: ") and "\n" not in one for one in events), events
        return [one[6:] if one == "data: [DONE]" else json.loads(one[6:]) for one in events]


def check_error(error: dict[str, Any]) -> None:
    """Check that an error object has OpenAI's four keys and nothing that a client must not see."""
    assert sorted(error) == ["code", "message", "param", "type"], error
    assert isinstance(error["message"], str)
    assert isinstance(error["type"], str)
    assert error["message"]
    for secret in ("Traceback", 'File "', "/tmp/", "/home/", "site-packages", "sk-"):
        assert secret not in error["message"], error


@pytest.fixture(name="check_error")
def _check_error() -> Any:
    """Check that an error object has OpenAI's four keys and nothing that a client must not see."""
    return check_error


def head_of(path: str, body: bytes, *, method: str = "POST", **headers: str) -> bytes:
    """Return the bytes of a request's head."""
    lines = [f"{method} {path} HTTP/1.1", "host: a", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Connection:
    """Is one connection to the server, with nothing between the test and the socket."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE_SECONDS)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, path: str, body: Any = b"", *, method: str = "POST", **headers: str) -> None:
        """Send a request, and do not wait for its answer."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send(head_of(path, body, method=method, **headers) + body)

    def answer(self, method: str = "POST") -> Answer:
        """Read one answer, to the end of its body."""
        response = HTTPResponse(self.socket, method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def read_until(self, text: bytes) -> bytes:
        """Read until something has come."""
        read = b""
        while text not in read:
            data = self.socket.recv(65536)
            assert data, f"the connection ended after {read!r}"
            read += data
        return read

    def rest(self) -> bytes:
        """Read what comes until the server ends the connection; a reset is an end, too."""
        read = b""
        try:
            while data := self.socket.recv(65536):
                read += data
        except (ConnectionResetError, BrokenPipeError):
            pass
        return read

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Leave without a word, as a client that is killed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


class Heard:
    """Reads what the models of a server say: lines of who, what, and when (`time.monotonic()`)."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        # Open for writing too, so that it never ends.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        # Not `select.select`: a test process may have more than 1,024 files.
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)
        self._rest = b""
        self._lines: defaultdict[str, deque[str]] = defaultdict(deque)

    def next(self, who: str) -> str:
        """Wait for the next thing that one says."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._lines[who]:
            ready = self._selector.select(max(0.0, end - time.monotonic()))
            assert ready, f"{who} says nothing"
            *lines, self._rest = (self._rest + os.read(self._pipe, 65536)).split(b"\n")
            for line in lines:
                name, what, _when = line.decode().split()
                self._lines[name].append(what)
        return self._lines[who].popleft()

    def so_far(self, who: str) -> list[str]:
        """Return what one has said that was not asked for yet."""
        while self._selector.select(0):
            *lines, self._rest = (self._rest + os.read(self._pipe, 65536)).split(b"\n")
            for line in lines:
                name, what, _when = line.decode().split()
                self._lines[name].append(what)
        return list(self._lines[who])

    def close(self) -> None:
        self._selector.close()
        os.close(self._pipe)


class Served:
    """Is a running server."""

    def __init__(self, process: subprocess.Popen[str], log: Path, heard: Heard) -> None:
        self.process = process
        self.heard = heard
        self.folder = log.parent
        self._log = log
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("modelport serves http://"), (line, self.log)
        host, port = line.split()[2].removeprefix("http://").removesuffix("/v1").split(":")
        self.address = (host, int(port))

    @property
    def log(self) -> str:
        """What it has written to stderr."""
        return self._log.read_text(errors="surrogateescape")

    def logged(self, text: str) -> str:
        """Wait until a line with a text is in the log; return the line."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            for line in self.log.split("\n")[:-1]:
                if text in line:
                    return line
            pause()
        raise AssertionError(f"{text!r} is not in the log")

    def connect(self) -> Connection:
        return Connection(self.address)

    def ask(self, path: str, body: Any = b"", *, method: str = "POST", **headers: str) -> Answer:
        """Ask over a connection of its own."""
        connection = self.connect()
        try:
            connection.ask(path, body, method=method, **headers)
            return connection.answer(method)
        finally:
            connection.close()

    def chat(self, model: str, text: str = "hello", **fields: Any) -> Answer:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return self.ask("/v1/chat/completions", body)

    def metric(self, name: str, model: str) -> float:
        """Return the value of a metric for a model."""
        lines = self.ask("/metrics", method="GET").body.decode().splitlines()
        return sum(
            float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{") and f'model="{model}"' in line
        )

    def wait_for_metric(self, name: str, model: str, value: float) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while self.metric(name, model) != value:
            assert time.monotonic() < end, f"{name} of {model} does not become {value}"
            pause()

    def resident_mb(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def check_is_well(self) -> None:
        """Check that it serves, and that nothing unforeseen has happened."""
        assert self.process.poll() is None, self.log
        assert self.ask("/health/live", method="GET").json == {"status": "live"}
        words = ("Traceback", "the gateway failed", "Task was destroyed", "never retrieved", "Exception ignored")
        assert [line for line in self.log.splitlines() if any(word in line for word in words)][:20] == []


def pause() -> None:
    """Let another process come a little further, of which nobody tells."""
    time.sleep(0.002)


Start = Callable[..., Served]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server: `start_server("leaving.py", config="…yaml…")`.

    The config finds that file as `models`, and the other files of its folder by their names.
    """
    with ExitStack() as stack:

        def start_server(models: str, config: str, *, keep_log: bool = True) -> Served:
            folder = tmp_path_factory.mktemp("served")
            shutil.copytree(Path(__file__).parent / "served", folder, dirs_exist_ok=True)
            (folder / models).rename(folder / "models.py")
            (folder / "config.yaml").write_text(config)
            heard = Heard(folder / "said")
            stack.callback(heard.close)
            log = folder / "log"
            with log.open("wb") as file:
                process = stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-W", "error", "-m", "modelport", "serve", "-c", "config.yaml", "--port", "0"],
                        cwd=folder,
                        env={**os.environ, "SAID": str(folder / "said")},
                        stdout=subprocess.PIPE,
                        stderr=file if keep_log else subprocess.DEVNULL,
                        text=True,
                    )
                )
            stack.callback(process.kill)
            return Served(process, log, heard)

        yield start_server
