"""`modelport serve`, as a person types it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

MODELS = """
from pathlib import Path
from modelport import LLM

class Echo(LLM):
    chat_template: str | None = "last"
    n: int = 100

    def _call(self, prompt: str) -> str:
        return prompt[: self.n]

class Needy(Echo):
    key: str

class Unloadable(Echo):
    def _load(self) -> None:
        raise OSError("no weights with sk-very-secret-key")

class Waiting(LLM):
    chat_template: str | None = "last"

    def _stream(self, prompt: str):
        yield "first "
        yield Path(prompt).read_text()

class Grumpy(Echo):
    def _unload(self) -> None:
        print("unloaded", flush=True)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_models.py").write_text(MODELS)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-W", "error", "-m", "modelport", *arguments],
                    cwd=folder,
                    env={**os.environ, "COLUMNS": "200"},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    return process.returncode, out, errors


def greeting_of(process: subprocess.Popen[str]) -> list[str]:
    """Read the greeting to its last line, the one to try."""
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    assert lines[0].startswith("modelport serves "), ended(process)
    while not lines[-1].startswith("  curl "):
        lines.append(process.stdout.readline())
    return [line.rstrip("\n") for line in lines]


def url_of(process: subprocess.Popen[str]) -> str:
    return greeting_of(process)[0].split()[2]


def only_requests(log: str) -> list[str]:
    """Return the models in a log that has nothing but a line for each request."""
    return [json.loads(line)["model"] for line in log.splitlines()]


def answer_of(url: str, model: str, text: str, **client: Any) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    reply = httpx.post(f"{url}/chat/completions", json=body, **client)
    assert reply.status_code == 200, reply.text
    return reply.json()["choices"][0]["message"]["content"]


def test_a_class_is_served_with_one_word(start: Start) -> None:
    server = start("serve", "my_models:Echo", "--port", "0")
    url = url_of(server)
    assert url.startswith("http://127.0.0.1:")
    assert answer_of(url, "Echo", "hello") == "hello"
    server.send_signal(signal.SIGTERM)
    code, out, errors = ended(server)
    assert (code, out) == (0, "")
    assert only_requests(errors) == ["Echo"]


def test_a_file_and_a_key_are_served(start: Start) -> None:
    server = start("serve", "my_models.py:Echo", "--port", "0", "--key", "sk-1", "--key", "sk-2")
    url = url_of(server)
    assert httpx.get(f"{url}/models").status_code == 401
    assert answer_of(url, "Echo", "hello", headers={"Authorization": "Bearer sk-2"}) == "hello"


def test_a_config_is_served_and_the_command_line_wins(start: Start, folder: Path) -> None:
    config = "models: {short: {use: 'my_models:Echo', params: {n: 2}}}\nserver: {port: 1, host: 192.0.2.1}"
    (folder / "config.yaml").write_text(config)
    server = start("serve", "--config", "config.yaml", "--port", "0", "--host", "localhost")
    assert answer_of(url_of(server), "short", "hello") == "he"


def test_on_an_open_address_a_key_is_made_and_required(start: Start) -> None:
    server = start("serve", "my_models:Echo", "--host", "0.0.0.0", "--port", "0")
    lines = greeting_of(server)
    url = lines[0].split()[2].replace("0.0.0.0", "127.0.0.1")
    [key] = [line.split()[-1] for line in lines if line.startswith("key, made for this run: ")]
    assert httpx.get(f"{url}/models").status_code == 401
    assert httpx.get(f"{url}/models", headers={"x-api-key": key}).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["my_models:Echo"], {}),
        (["my_models:Echo", "--host", "0.0.0.0"], {}),
        (["my_models:Echo", "--key", "sk-given"], {"MODELPORT_KEY": "sk-given"}),
        (["--config", "quoted.yaml"], {}),
    ],
)
def test_the_line_to_try_works_as_it_is_pasted(
    start: Start, folder: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    (folder / "quoted.yaml").write_text("models: {\"it's $HOME 😀\": {use: 'my_models:Echo'}}")
    line = greeting_of(start("serve", *arguments, "--port", "0"))[-1]
    done = subprocess.run(
        ["sh", "-c", line.replace("curl ", "curl -sS ")],
        check=True,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Hello!"


def test_workers_serve_and_end_together(start: Start) -> None:
    server = start("serve", "my_models:Grumpy", "--port", "0", "--workers", "2")
    assert answer_of(url_of(server), "Grumpy", "hello") == "hello"
    server.send_signal(signal.SIGINT)
    code, out, errors = ended(server)
    # Two processes print at the same time: a line's end may come after the other's line.
    assert (code, out.replace("\n", "")) == (0, "unloaded" * 2)
    assert only_requests(errors) == ["Grumpy"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_well_and_unloads_its_models(start: Start, number: signal.Signals) -> None:
    server = start("serve", "my_models:Grumpy", "--port", "0")
    url_of(server)
    server.send_signal(number)
    assert ended(server) == (0, "unloaded\n", "")


def test_an_open_stream_is_finished_before_the_server_ends(start: Start, folder: Path) -> None:
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    server = start("serve", "my_models:Waiting", "--port", "0")
    url = url_of(server)
    body = {"model": "Waiting", "messages": [{"role": "user", "content": str(fifo)}], "stream": True}
    with httpx.stream("POST", f"{url}/chat/completions", json=body) as reply:
        assert reply.status_code == 200, reply.read()
        lines = reply.iter_lines()
        assert any("first" in line for line in lines)
        server.send_signal(signal.SIGTERM)
        fifo.write_text("last")
        rest = list(lines)
    assert any("last" in line for line in rest)
    assert [line for line in rest if line][-1] == "data: [DONE]"
    assert ended(server)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve"], "there is nothing to serve; name a model"),
        (["serve", "--config", "nothing.yaml"], "there is no config file 'nothing.yaml'"),
        (["serve", "--config", "bad.yaml"], "bad.yaml: 'server.prot' is no known key; did you mean 'port'?"),
        (["serve", "--config", "empty.yaml"], "there is no model to serve"),
        (["serve", "--config", "key.yaml"], "a key must not be empty"),
        (["serve", "my_models"], "write 'module:attr', 'module.attr' or 'path/to/file.py:attr'"),
        (["serve", "my_model:Echo"], "there is no module 'my_model'"),
        (["serve", "my_models:Ecko"], "'my_models' has no 'Ecko'; did you mean 'Echo'?"),
        (["serve", "my_models:Path"], "is the class Path, not a model"),
        (["serve", "my_models:Needy"], "Needy cannot be made: field 'key' is missing"),
        (["serve", "my_models:Echo", "--port", "70000"], "--port: 70000 is wrong: input should be less than or equal"),
        (["serve", "my_models:Echo", "--workers", "0"], "--workers: 0 is wrong: input should be greater than or equal"),
        (["serve", "my_models:Echo", "--key", " "], "--key: a key must not be empty"),
        (["serve", "my_models:Echo", "--log-level", "loud"], "--log-level must be one of debug, info, warning, error"),
        (
            ["serve", "my_models:Unloadable", "--workers", "2"],
            "Unloadable cannot be loaded: OSError: no weights with ***",
        ),
        (["serve", "my_models:Ecko", "--workers", "2"], "'my_models' has no 'Ecko'; did you mean 'Echo'?"),
        (["serve", "my_models:Echo", "--host", "192.0.2.1"], "cannot listen on '192.0.2.1', port "),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(
    start: Start, folder: Path, arguments: list[str], said: str
) -> None:
    (folder / "bad.yaml").write_text("server: {prot: 1}")
    (folder / "empty.yaml").write_text("")
    (folder / "key.yaml").write_text("models: {m: {use: 'my_models:Echo'}}\nserver: {port: 0, keys: ['']}")
    port = [] if "--port" in arguments or "--config" in arguments or len(arguments) == 1 else ["--port", "0"]
    code, out, errors = ended(start(*arguments, *port))
    assert (code, out) == (2, "")
    assert errors.startswith("modelport: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_a_port_that_is_taken_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, errors = ended(start("serve", "my_models:Echo", "--port", str(port)))
    assert code == 2
    assert f"cannot listen on '127.0.0.1', port {port}: Address already in use" in errors


def test_a_model_that_cannot_be_loaded_ends_the_start(start: Start) -> None:
    code, out, errors = ended(start("serve", "my_models:Unloadable", "--port", "0"))
    assert (code, out) == (1, "")
    assert "Unloadable cannot be loaded: OSError: no weights with ***" in errors


def test_the_version_and_the_help_are_printed(start: Start) -> None:
    from modelport import __version__

    assert ended(start("--version")) == (0, f"{__version__}\n", "")
    code, out, _ = ended(start("serve", "--help"))
    assert code == 0
    for option in ("--config", "--host", "--port", "--key", "--workers", "--reload", "--log-level", "MODULE:ATTR"):
        assert option in out


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("typer", "the command line needs the extra 'cli': pip install 'modelport[cli]'"),
        ("starlette", "the gateway needs the extra 'gateway': pip install 'modelport[gateway]'"),
        ("uvicorn", "the gateway needs the extra 'gateway': pip install 'modelport[gateway]'"),
        ("yaml", "the gateway needs the extra 'gateway': pip install 'modelport[gateway]'"),
    ],
)
def test_a_missing_extra_is_named(folder: Path, package: str, said: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = ['modelport', 'serve', 'my_models:Echo']; "
        "from modelport.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=folder, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"modelport: {said}\n")


def test_a_reader_of_the_greeting_that_has_left_is_no_obstacle() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = "from modelport.cli.serve import _say; _say('a'); _say('b')"
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
