"""A real server process and the official client of OpenAI, sync and async."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

KEY = "sk-test-0123456789"
CONFIG = Path(__file__).parent / "served" / "config.yaml"
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-W", "error", "-m", "modelport", "serve", "--config", str(CONFIG)]
    environment = {**os.environ, "MODELPORT_TEST_KEY": KEY}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        greeting = server.stdout.readline()
        if not greeting:
            pytest.fail(server.stderr.read())
        # Pipes that nobody reads fill up and stop the server.
        errors: list[str] = []
        reader = threading.Thread(target=errors.extend, args=(server.stderr,))
        reader.start()
        yield greeting.split()[2]
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        reader.join()
        log = "".join(errors)
        assert "Traceback" not in log
        assert "Warning" not in log
        assert KEY not in log
        assert "hunter2" not in log


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        yield client


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


def asked(client: OpenAI, what: str) -> str | None:
    answer = client.chat.completions.create(model="witness", messages=says(what))
    return answer.choices[0].message.content


def test_every_listed_model_can_be_called_as_it_is_listed(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:3] == ["echo", "team/echo:1", "failing"]
    for name in names[:2]:
        assert client.models.retrieve(name).id == name
        answer = client.chat.completions.create(model=name, messages=says("hello"))
        assert (answer.model, answer.choices[0].message.content) == (name, "hello")


def test_a_whole_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="echo", messages=says("héllo 😀"), max_tokens=100, temperature=0.3)
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "héllo 😀", "stop")
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer._request_id is not None


@pytest.mark.parametrize("model", ["echo", "team/echo:1"])
def test_a_streamed_answer_with_usage(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=says("hello"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert [chunk.choices[0].delta.content for chunk in chunks[:-2]] == ["", *"hello"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0


def test_the_clients_own_accumulator_understands_a_stream(client: OpenAI) -> None:
    with client.chat.completions.stream(model="tools", messages=says("x"), tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == [
        ("call-0", "weather", '{"place":"Ulm"}'),
        ("call-1", "time", '{"place":"Ulm"}'),
    ]


def test_tool_calls_end_with_their_own_reason(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="tools", messages=says("x"), tools=TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None


def test_two_choices(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="echo", messages=says("hi"), n=2)
    assert [(one.index, one.message.content) for one in answer.choices] == [(0, "hi"), (1, "hi")]
    texts = {0: "", 1: ""}
    for chunk in client.chat.completions.create(model="echo", messages=says("hi"), n=2, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == {0: "hi", 1: "hi"}


def test_the_stop_string_ends_the_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="echo", messages=says("one two three"), stop=[" three", " two"])
    assert answer.choices[0].message.content == "one"


async def test_the_async_client_gets_the_same(async_client: AsyncOpenAI) -> None:
    answer = await async_client.chat.completions.create(model="team/echo:1", messages=says("hello"))
    assert answer.choices[0].message.content == "hello"
    stream = await async_client.chat.completions.create(model="echo", messages=says("hello"), stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "hello"
    assert "echo" in [model.id async for model in async_client.models.list()]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_models_status_becomes_the_clients_exception(
    client: OpenAI, status: int, error: type[openai.APIStatusError], stream: bool
) -> None:
    with pytest.raises(error, match=f"status {status}") as caught:
        client.chat.completions.create(model="failing", messages=says(str(status)), stream=stream)
    assert caught.value.status_code == status
    assert caught.value.response.headers["x-request-id"]


def test_a_wrong_key_is_an_authentication_error(url: str) -> None:
    with OpenAI(base_url=url, api_key="sk-wrong") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert caught.value.code == "invalid_api_key"


def test_the_second_key_opens_too(url: str) -> None:
    with OpenAI(base_url=url, api_key="sk-other") as client:
        assert client.models.list().data


def test_an_unknown_model_is_a_not_found_error(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean 'echo'") as caught:
        client.chat.completions.create(model="ecko", messages=says("x"))
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_wrong_field_is_a_bad_request_that_names_it(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="echo", messages=says("x"), temperature=9)
    assert caught.value.param == "temperature"


def test_a_model_that_raises_runs_once_though_the_client_retries(url: str, client: OpenAI) -> None:
    with (
        OpenAI(base_url=url, api_key=KEY, max_retries=2) as retrying,
        pytest.raises(openai.InternalServerError, match=r"ValueError: bad luck with \*\*\* in \*\*\*"),
    ):
        retrying.chat.completions.create(model="failing", messages=says("only once"))
    assert asked(client, "calls of only once") == "1"


def test_an_error_in_the_middle_of_a_stream_is_raised_by_the_client(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="failing", messages=says("late"), stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(3)] == ["", "one ", "two "]
    with pytest.raises(openai.APIError, match="bad luck"):
        next(stream)


@pytest.mark.parametrize(("model", "kind"), [("waiting", "sync"), ("waiting-async", "async")])
class TestLeaving:
    def test_closing_a_stream_stops_the_model(self, client: OpenAI, model: str, kind: str) -> None:
        stream = client.chat.completions.create(model=model, messages=says("x"), stream=True)
        assert next(stream).choices[0].delta.content == ""
        assert next(stream).choices[0].delta.content == "first"
        assert asked(client, f"{kind} running") == "yes"
        stream.close()
        assert asked(client, f"{kind} stopped") == "yes"

    def test_a_client_whose_time_is_up_stops_the_model(self, client: OpenAI, model: str, kind: str) -> None:
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.3).chat.completions.create(model=model, messages=says("x"))
        assert asked(client, f"{kind} running") == "yes"
        assert asked(client, f"{kind} stopped") == "yes"

    def test_a_model_that_waits_keeps_nobody_else_waiting(self, client: OpenAI, model: str, kind: str) -> None:
        with client.chat.completions.create(model=model, messages=says("x"), stream=True) as stream:
            assert next(stream)
            assert asked(client, f"{kind} running") == "yes"
            answer = client.chat.completions.create(model="echo", messages=says("still here"))
            assert answer.choices[0].message.content == "still here"
        assert asked(client, f"{kind} stopped") == "yes"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"model": "echo"}', b"\xff" * 10])
def test_a_broken_body_is_a_400(url: str, body: bytes) -> None:
    reply = httpx.post(f"{url}/chat/completions", content=body, headers={"x-api-key": KEY})
    assert (reply.status_code, sorted(reply.json()["error"])) == (400, ["code", "message", "param", "type"])


def test_a_lone_surrogate_goes_in_and_comes_out(url: str) -> None:
    body = rb'{"model": "echo", "messages": [{"role": "user", "content": "a \ud800 b"}]}'
    reply = httpx.post(f"{url}/chat/completions", content=body, headers={"x-api-key": KEY})
    assert reply.json()["choices"][0]["message"]["content"] == "a \ud800 b"


def test_the_connection_serves_the_next_request_after_a_stream(url: str) -> None:
    body = {"model": "echo", "messages": says("hello"), "stream": True}
    with httpx.Client(headers={"x-api-key": KEY}) as client:
        for _ in range(3):
            reply = client.post(f"{url}/chat/completions", json=body)
            assert reply.text.endswith("data: [DONE]\n\n")
            assert client.get(url.removesuffix("/v1") + "/health/live").json() == {"status": "live"}
