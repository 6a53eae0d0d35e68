"""The official client of OpenAI for Python: every class of error, retries, and clients that leave."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

STATUSES = pytest.mark.parametrize(
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
WAITING = pytest.mark.parametrize(("model", "kind"), [("waiting", "sync"), ("waiting-async", "async")])


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


@STATUSES
@pytest.mark.parametrize("stream", [False, True])
def test_a_models_status_becomes_the_clients_exception(
    client: OpenAI, status: int, error: type[openai.APIStatusError], stream: bool
) -> None:
    with pytest.raises(error, match=f"status {status}") as caught:
        client.chat.completions.create(model="failing", messages=says(str(status)), stream=stream)
    assert caught.value.status_code == status
    assert caught.value.response.headers["x-request-id"]
    assert isinstance(caught.value.body, dict)
    assert {"message", "type", "param", "code"} == set(caught.value.body)
    assert ("retry-after" in caught.value.response.headers) is (status in {429, 503})


@STATUSES
async def test_the_async_client_raises_it_too(
    async_client: AsyncOpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error, match=f"status {status}"):
        await async_client.chat.completions.create(model="failing", messages=says(str(status)), stream=True)
    with pytest.raises(error, match=f"status {status}"):
        await async_client.completions.create(model="failing", prompt=str(status))


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
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("team/ecko:1")


def test_a_wrong_field_is_a_bad_request_that_names_it(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="echo", messages=says("x"), temperature=9)
    assert caught.value.param == "temperature"


def test_a_model_that_raises_runs_once_though_the_client_retries(url: str, key: str, asked: Any) -> None:
    with (
        OpenAI(base_url=url, api_key=key, max_retries=2) as retrying,
        pytest.raises(openai.InternalServerError, match=r"ValueError: bad luck with \*\*\* in \*\*\*"),
    ):
        retrying.chat.completions.create(model="failing", messages=says("only once"))
    assert asked("calls of only once") == "1"


def test_a_model_that_is_busy_is_asked_again_as_soon_as_it_says(url: str, key: str, asked: Any) -> None:
    with OpenAI(base_url=url, api_key=key) as retrying:
        answer = retrying.chat.completions.create(model="failing", messages=says("busy python"))
    assert answer.choices[0].message.content == "free"
    assert asked("calls of busy python") == "2"


def test_an_error_in_the_middle_of_a_stream_is_raised_by_the_client(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="failing", messages=says("late"), stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(3)] == ["", "one ", "two "]
    with pytest.raises(openai.APIError, match="bad luck"):
        next(stream)


async def test_an_error_in_the_middle_of_a_stream_is_raised_by_the_async_client(async_client: AsyncOpenAI) -> None:
    stream = await async_client.completions.create(model="failing", prompt="late", stream=True)
    with pytest.raises(openai.APIError, match="bad luck"):
        assert [chunk.choices[0].text async for chunk in stream] == ["never"]


@WAITING
class TestLeaving:
    def test_closing_a_stream_stops_the_model(self, client: OpenAI, asked: Any, model: str, kind: str) -> None:
        stream = client.chat.completions.create(model=model, messages=says("x"), stream=True)
        assert next(stream).choices[0].delta.content == ""
        assert next(stream).choices[0].delta.content == "first"
        assert asked(f"{kind} running") == "yes"
        stream.close()
        assert asked(f"{kind} stopped") == "yes"

    async def test_leaving_the_block_of_an_async_stream_stops_the_model(
        self, async_client: AsyncOpenAI, asked: Any, model: str, kind: str
    ) -> None:
        async with await async_client.chat.completions.create(model=model, messages=says("x"), stream=True) as stream:
            async for chunk in stream:
                if chunk.choices[0].delta.content == "first":
                    break
            assert asked(f"{kind} running") == "yes"
        assert asked(f"{kind} stopped") == "yes"

    def test_a_client_whose_time_is_up_stops_the_model(self, client: OpenAI, asked: Any, model: str, kind: str) -> None:
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.3).chat.completions.create(model=model, messages=says("x"))
        assert asked(f"{kind} running") == "yes"
        assert asked(f"{kind} stopped") == "yes"

    def test_a_model_that_waits_keeps_nobody_else_waiting(
        self, client: OpenAI, asked: Any, model: str, kind: str
    ) -> None:
        with client.chat.completions.create(model=model, messages=says("x"), stream=True) as stream:
            assert next(stream)
            assert asked(f"{kind} running") == "yes"
            answer = client.chat.completions.create(model="echo", messages=says("still here"))
            assert answer.choices[0].message.content == "still here"
        assert asked(f"{kind} stopped") == "yes"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"model": "echo"}', b"\xff" * 10])
@pytest.mark.parametrize("path", ["chat/completions", "completions", "embeddings", "images/generations", "rerank"])
def test_a_broken_body_is_a_400(url: str, key: str, path: str, body: bytes) -> None:
    reply = httpx.post(f"{url}/{path}", content=body, headers={"x-api-key": key})
    assert (reply.status_code, sorted(reply.json()["error"])) == (400, ["code", "message", "param", "type"])


def test_a_lone_surrogate_goes_in_and_comes_out(url: str, key: str) -> None:
    body = rb'{"model": "echo", "messages": [{"role": "user", "content": "a \ud800 b"}]}'
    reply = httpx.post(f"{url}/chat/completions", content=body, headers={"x-api-key": key})
    assert reply.json()["choices"][0]["message"]["content"] == "a \ud800 b"


def test_the_connection_serves_the_next_request_after_a_stream(url: str, key: str) -> None:
    body = {"model": "echo", "messages": says("hello"), "stream": True}
    with httpx.Client(headers={"x-api-key": key}) as client:
        for _ in range(3):
            reply = client.post(f"{url}/chat/completions", json=body)
            assert reply.text.endswith("data: [DONE]\n\n")
            assert client.get(url.removesuffix("/v1") + "/health/live").json() == {"status": "live"}
