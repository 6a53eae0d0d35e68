"""A running proxy of the real LiteLLM, whose models are ours: what OpenAI's client gets from it."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.clients.programs_run import CLIENTS, RUN_SECONDS, environment, need_clients

CONFIG = Path(__file__).parent / "served" / "litellm_proxy.yaml"
KEY = "sk-9f2c4a7e51d84b06a3c8e6f7b2d15a90"
READY = "Application startup complete"
pytestmark = [pytest.mark.clients, pytest.mark.timeout(RUN_SECONDS + 20)]


@pytest.fixture(scope="module")
def proxy_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a proxy with the config answers, with `/v1`."""
    need_clients()
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    log = tmp_path_factory.mktemp("proxy") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(CLIENTS / "litellm"), "--config", str(CONFIG), "--host", "127.0.0.1", "--port", str(port)],
            env=environment({"LITELLM_MASTER_KEY": KEY}),
            stdout=subprocess.DEVNULL,
            stderr=output,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        wait_until_ready(process, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    # Each attempt takes as long as its connection does: nothing sleeps here.
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=RUN_SECONDS) as client:
        while process.poll() is None:
            try:
                if client.get("/health/liveliness").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                continue
    raise AssertionError(f"the proxy did not start:\n{log.read_text()}")


@pytest.fixture
def client(proxy_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=proxy_url, api_key=KEY, max_retries=0, timeout=RUN_SECONDS) as client:
        yield client


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_it_answers(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="upper", messages=says("one two three"))
    assert answer.choices[0].message.content == "ONE TWO THREE"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (3, 3, 6)


def test_it_holds_stop_max_tokens_and_n(client: openai.OpenAI) -> None:
    stopped = client.chat.completions.create(model="upper", messages=says("one two three"), stop="TWO", n=2)
    assert [one.message.content for one in stopped.choices] == ["ONE ", "ONE "]
    cut = client.chat.completions.create(model="upper", messages=says("one two three"), max_tokens=2).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("ONE TWO ", "length")


def test_it_streams_with_usage(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="upper", messages=says("one two three"), stream=True, stream_options={"include_usage": True}
        )
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert [one.delta.content for one in choices if one.delta.content] == ["ONE", " TWO", " THREE"]
    assert [one.finish_reason for one in choices if one.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 6


def test_it_keeps_the_choices_of_a_stream_apart(client: openai.OpenAI) -> None:
    texts, ends = {0: "", 1: ""}, []
    for chunk in client.chat.completions.create(model="upper", messages=says("one two"), stream=True, n=2):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            ends += [choice.index] if choice.finish_reason else []
    assert (texts, sorted(ends)) == ({0: "ONE TWO", 1: "ONE TWO"}, [0, 1])


def test_tools_are_called_whole_and_in_a_stream(client: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    whole = client.chat.completions.create(model="calling", messages=says("hi"), tools=tools).choices[0]
    with client.chat.completions.stream(model="calling", messages=says("hi"), tools=tools) as stream:
        built = stream.get_final_completion().choices[0]
    for choice in (whole, built):
        assert choice.finish_reason == "tool_calls"
        called: Any = (choice.message.tool_calls or [])[0]
        assert (called.id, called.function.name, called.function.arguments) == ("call-0", "weather", '{"place":"Ulm"}')


def test_it_makes_vectors_for_openais_client(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="vectors", input=["one", "three"])
    assert [one.embedding for one in found.data] == [[3.0, 0.5], [5.0, 0.5]]
    assert found.usage.total_tokens > 0


def test_it_makes_images(client: openai.OpenAI) -> None:
    found = client.images.generate(model="pictures", prompt="sea").data or []
    assert [base64.b64decode(one.b64_json or "") for one in found] == [b"sea any 0"]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500, 503])
def test_errors_keep_their_status(client: openai.OpenAI, status: int, streaming: bool) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="failing", messages=says(str(status)), stream=streaming)
    assert caught.value.status_code == status


def test_an_unforeseen_error_tells_nothing_of_the_server(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="KeyError: 'oops'") as caught:
        client.chat.completions.create(model="failing", messages=says("oops"))
    assert "Traceback" not in str(caught.value)
    assert ".py" not in str(caught.value)


def test_a_blocking_model_holds_nobody_up(client: openai.OpenAI) -> None:
    def ask(_: int) -> str | None:
        return client.chat.completions.create(model="blocking", messages=says("hi")).choices[0].message.content

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(ask, range(3))) == ["together"] * 3


def test_a_client_that_leaves_stops_the_model(client: openai.OpenAI) -> None:
    with client.chat.completions.create(model="endless", messages=says("count"), stream=True) as stream:
        next(stream)
    told = client.chat.completions.create(model="endless", messages=says("has it been stopped?"))
    assert told.choices[0].message.content == "yes"
