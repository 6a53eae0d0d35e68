"""A real torch-serve process with the example's text handler, called by the `http` provider's recipe.

`make test-torchserve` installs torch-serve and torch beside the tests' own packages, and runs this.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from modelport.providers import HTTPModel
from modelport.providers.recipes import torch_serve
from modelport.values.status_errors import APIStatusError, BadGatewayError, NotFoundError

EXAMPLE = Path(__file__).parents[2] / "examples" / "torchserve"
PROGRAM = shutil.which("torchserve", path=f"{Path(sys.prefix) / 'torchserve' / 'bin'}{os.pathsep}{os.environ['PATH']}")
START_SECONDS = 60
pytestmark = [
    pytest.mark.torchserve,
    pytest.mark.skipif(PROGRAM is None, reason="torch-serve is not installed; run `make test-torchserve`"),
    pytest.mark.skipif(shutil.which("java") is None, reason="torch-serve needs Java, which is not installed"),
    pytest.mark.timeout(START_SECONDS + 60),
]


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def torchserve(folder: Path) -> Generator[Any]:
    """Start torch-serve with the example's handler as the model `text`; stop all of its processes at the end."""
    assert PROGRAM is not None
    subprocess.run([sys.executable, str(EXAMPLE / "archive.py"), str(folder / "text.mar")], check=True)
    inference, management, metrics, grpc, grpc_management = free_ports(5)
    settings = {
        "inference_address": f"http://127.0.0.1:{inference}",
        "management_address": f"http://127.0.0.1:{management}",
        "metrics_address": f"http://127.0.0.1:{metrics}",
        "grpc_inference_port": grpc,
        "grpc_management_port": grpc_management,
        "default_workers_per_model": 1,
        "vmargs": f"-Djava.io.tmpdir={folder}",
    }
    config = folder / "config.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
    command = [PROGRAM, "--start", "--foreground", "--ncs", "--disable-token-auth"]
    command += ["--model-store", str(folder), "--models", "text=text.mar", "--ts-config", str(config)]
    # Its worker is started by `python` on the PATH: that has to be the one which torch is installed for.
    path = f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(folder), "LOG_LOCATION": str(folder)}
    environment["METRICS_LOCATION"] = str(folder)
    with (folder / "output.log").open("wb") as log:
        process: Any = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            process.url = f"http://127.0.0.1:{inference}"
            wait_until_ready(process, folder / "output.log")
            yield process
        finally:
            kill(process)


def kill(process: Any) -> None:
    """Kill the server at once, with its Java and Python processes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_ready(process: Any, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    request = urllib.request.Request(
        f"{process.url}/predictions/text", b'{"prompt": "ready"}', {"content-type": "application/json"}
    )
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except (urllib.error.URLError, OSError):
            pass
        try:
            process.wait(0.1)
            break
        except subprocess.TimeoutExpired:
            continue
    pytest.fail(f"torch-serve did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with torchserve(tmp_path_factory.mktemp("torchserve")) as process:
        yield process.url


@pytest.fixture
def model(url: str) -> HTTPModel:
    return HTTPModel(**torch_serve("text", url))


def test_a_whole_answer_has_its_counts(model) -> None:
    [[answer]] = model.generate(["one two three"]).generations
    assert (answer.text, answer.finish_reason) == ("three two one", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.estimated) == (3, 3, False)


def test_a_stream_comes_word_by_word_with_the_same_counts(model) -> None:
    assert list(model.stream("one two three")) == ["three", " two", " one"]
    [[answer]] = model.with_params(name="streamed").generate(["one two three"]).generations
    assert answer.usage.completion_tokens == 3


async def test_it_keeps_the_guarantees(model) -> None:
    [[cut]] = (await model.agenerate(["one two three"], max_tokens=2)).generations
    assert (cut.text, cut.finish_reason, cut.usage.completion_tokens) == ("three two", "length", 2)
    assert await model.ainvoke("one two three", stop=["two"], include_stop=False) == "three "
    assert await model.abatch([f"a{index} b" for index in range(8)]) == [f"b a{index}" for index in range(8)]


CONFIG = """
models:
  text: {{use: http/torchserve, params: {{url: "{url}/predictions/text"}}}}
server: {{port: 0}}
"""


@pytest.fixture(scope="module")
def gateway(url: str, serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a gateway is whose only model is torch-serve's, from a config alone."""
    config = tmp_path_factory.mktemp("gateway") / "config.yaml"
    config.write_text(CONFIG.format(url=url), encoding="utf-8")
    with serve(config) as gateway:
        yield gateway


def test_a_config_alone_puts_it_behind_the_gateway(gateway: str) -> None:
    with OpenAI(base_url=gateway, api_key="none", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "one two three"}]
        answer = client.chat.completions.create(model="text", messages=messages)
        [choice] = answer.choices
        assert (choice.message.role, choice.finish_reason, answer.object) == ("assistant", "stop", "chat.completion")
        chunks = list(
            client.chat.completions.create(
                model="text", messages=messages, stream=True, stream_options={"include_usage": True}
            )
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == choice.message.content
        assert len(chunks) > len((choice.message.content or "").split())
        assert answer.usage is not None
        assert answer.usage == chunks[-1].usage
        assert client.completions.create(model="text", prompt="one two three").choices[0].text == "three two one"
        assert [model.id for model in client.models.list()] == ["text"]


def test_what_torch_serve_refuses_is_one_clear_error(model, url) -> None:
    with pytest.raises(NotFoundError, match="answered 404: Model not found: other"):
        HTTPModel(**torch_serve("other", url)).invoke("hi")
    with pytest.raises(APIStatusError, match="answered 503: Prediction failed"):
        model.with_params(body={"prompt": 5}).invoke("hi")
    assert model.invoke("still there") == "there still"


def test_a_server_killed_in_the_middle_of_a_stream_is_one_clear_error(tmp_path) -> None:
    with torchserve(tmp_path) as process:
        model = HTTPModel(**torch_serve("text", process.url))
        pieces = model.stream("word " * 200_000)
        assert next(pieces) == "word"
        kill(process)
        with pytest.raises(BadGatewayError, match="broke off in the middle of its answer"):
            list(pieces)
        with pytest.raises(BadGatewayError, match=r"cannot be reached|closed the connection"):
            model.invoke("hi")
