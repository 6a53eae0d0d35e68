"""`modelport list`, and calling the models of a server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.terminal import plain, seen_on_terminal

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(models: Path) -> Iterator[str]:
    """Serve the folder's config; its key is sk-1."""
    with subprocess.Popen(
        [sys.executable, "-m", "modelport", "serve", "--config", "config.yaml", "--port", "0"],
        cwd=models,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[2]
        server.send_signal(signal.SIGTERM)


def test_the_models_of_a_config_are_a_table(modelport: Run) -> None:
    code, out, errors = modelport("list", "--config", "config.yaml")
    assert (code, errors) == (0, "")
    assert out.splitlines() == [
        "MODEL    USE      ANSWERS",
        "shout    Last     chat",
        "short    Echo     chat",
        "mock-*   mock/*   chat, embedding, image",
        "vectors  Vectors  embedding",
        "loud     = shout",
    ]


def test_without_a_config_the_providers_are_listed_with_an_example(modelport: Run) -> None:
    code, out, _ = modelport("list")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["PROVIDER", "ANSWERS", "EXAMPLE"]
    assert [line.split()[0] for line in lines[1:5]] == ["openai", "openai_compatible", "http", "mock"]
    assert 'modelport call openai/gpt-4o-mini "hello"' in out


def test_on_a_narrow_terminal_a_long_example_goes_on_in_its_column(models: Path) -> None:
    code, shown = seen_on_terminal(["list"], folder=models, columns=60)
    lines = plain(shown).splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 60
    assert [line.split()[0] for line in lines if line[0] != " "] == [
        "PROVIDER",
        "openai",
        "openai_compatible",
        "http",
        "mock",
    ]


def test_a_registered_provider_is_listed_with_what_it_answers(modelport: Run) -> None:
    from modelport import EmbeddingModel, register
    from modelport.registry.providers import unregister

    class Ones(EmbeddingModel):
        def _embed(self, texts: list[str]) -> list[list[float]]:
            return [[1.0] for _ in texts]

    register("ones", Ones())
    try:
        rows = json.loads(modelport("list", "--json")[1])
    finally:
        unregister("ones")
    assert rows[0] == {"provider": "ones", "answers": "embedding", "example": 'modelport call ones/MODEL "hello"'}


def test_a_server_is_listed_called_and_talked_with(modelport: Run, modelport_process: Run, url: str) -> None:
    assert modelport("list", "--url", url, "--key", "sk-1")[1].splitlines() == [
        "MODEL",
        "shout",
        "short",
        "vectors",
        "loud",
    ]
    assert modelport("call", "shout", "hello", "--url", url, "--key", "sk-1") == (0, "HELLO!\n", "")
    assert (
        modelport("call", "vectors", "four", "--url", url, "--key", "sk-1", "--kind", "embedding")[1] == "[4.0, 0.5]\n"
    )
    said = modelport_process("chat", "loud", "--url", url, stdin="hi\nho\n", MODELPORT_KEY="sk-1")
    assert said == (0, "HI!\nHO!\n", "")


def test_a_server_that_refuses_the_key_says_what_to_do(modelport: Run, url: str) -> None:
    code, out, errors = modelport("list", "--url", url)
    assert (code, out) == (2, "")
    assert errors == f"modelport: {url}/models answers with status 401; give the server's key with --key\n"
    code, _, errors = modelport("call", "short", "hello", "--url", url, "--key", "sk-2")
    assert code == 1
    assert errors.startswith("modelport: the model failed: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "http://127.0.0.1:9/v1"], "http://127.0.0.1:9/v1 cannot be reached: "),
        (["--url", "127.0.0.1/v1"], "'127.0.0.1/v1' is no server's address; it begins with http://"),
        (["--url", "http://127.0.0.1:99999/v1"], "'http://127.0.0.1:99999/v1' is no server's address"),
        (["--url", "http://x/v1", "--config", "config.yaml"], "give --config or --url, not both"),
        (["--config", "nothing.yaml"], "there is no config file 'nothing.yaml'"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(modelport: Run, arguments: list[str], said: str) -> None:
    code, out, errors = modelport("list", *arguments)
    assert (code, out) == (2, "")
    assert errors.startswith(f"modelport: {said}")


def test_a_port_that_speaks_no_http_says_so(modelport: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9\r\n")
                connection.recv(1000)

        with ThreadPoolExecutor(1) as pool:
            greeted = pool.submit(greet)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
            said = modelport("list", "--url", url)
            greeted.result()
    assert said == (2, "", f"modelport: {url} does not speak HTTP; is it the right port?\n")
