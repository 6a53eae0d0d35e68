"""OpenAI's own client on models in this process: answers, streams, errors, loops, threads, and its end."""

from __future__ import annotations

import asyncio
import base64
import gc
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from modelport import (
    LLM,
    AIMessage,
    CallbackManagerForLLMRun,
    ChatModel,
    CustomLLM,
    CustomLLMError,
    EmbeddingModel,
    ImageModel,
    register,
    to_async_openai_client,
    to_openai_client,
)
from modelport.registry.providers import unregister
from modelport.testing import EchoChatModel
from modelport.values.images import Image
from modelport.values.status_errors import RateLimitError

WAIT_SECONDS = 20
HELLO: Any = [{"role": "user", "content": "hello"}]


class Upper(LLM):
    """Answers a prompt in capitals, word by word."""

    chat_template: Any = "last"

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from prompt.upper().split(" ")


class Vectors(EmbeddingModel):
    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in texts]


class Pictures(ImageModel):
    def _generate_images(self, prompt: str, n: int = 1) -> list[Image]:
        return [Image(data=prompt.encode()) for _ in range(n)]

    def _edit_images(self, images: list[Image], prompt: str) -> list[Image]:
        return [Image(data=(images[0].data or b"") + prompt.encode())]


class Handler(CustomLLM):
    def completion(self, model: str, **kwargs: Any) -> str:
        return f"I am {model}"


def say(client: openai.OpenAI, model: str = "gpt-4o", text: str = "hello", **options: Any) -> str | None:
    messages: Any = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=model, messages=messages, **options).choices[0].message.content


def test_a_model_answers_whatever_it_is_called() -> None:
    with to_openai_client(Upper()) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert isinstance(answer, ChatCompletion)
        assert (answer.model, answer.choices[0].message.content) == ("gpt-4o", "HELLO")
        assert answer.usage is not None
        assert answer.usage.total_tokens > 0
        assert [one.id for one in client.models.list()] == ["Upper"]


@pytest.mark.parametrize("given", [Upper, Upper(), Upper(name="upper"), "tests.gateway.test_openai_client:Upper"])
def test_a_model_is_an_instance_a_class_or_an_import_path(given: Any) -> None:
    with to_openai_client(given) as client:
        assert say(client, "anything") == "HELLO"


def test_a_registered_model_answers_by_its_name() -> None:
    register("mine", Upper())
    try:
        for name in ("mine", "mine/large"):
            with to_openai_client(name) as client:
                assert say(client) == "HELLO"
                assert [one.id for one in client.models.list()] == [name]
    finally:
        unregister("mine")


def test_a_handler_sees_what_the_caller_asks_for() -> None:
    with to_openai_client(Handler()) as client:
        assert say(client, "gpt-4o") == "I am gpt-4o"


def test_several_models_answer_by_their_names_and_no_other() -> None:
    with to_openai_client({"upper": Upper(), "echo": EchoChatModel, "gpt-*": Handler()}) as client:
        assert say(client, "upper") == "HELLO"
        assert say(client, "echo") == "hello"
        assert say(client, "gpt-5") == "I am gpt-5"
        assert [one.id for one in client.models.list()] == ["upper", "echo"]
        with pytest.raises(openai.NotFoundError, match="'uper' does not exist; did you mean 'upper'") as caught:
            say(client, "uper")
    assert caught.value.code == "model_not_found"


def test_all_kinds_of_models_answer() -> None:
    with to_openai_client({"texts": Upper(), "vectors": Vectors(), "pictures": Pictures()}) as client:
        assert client.completions.create(model="texts", prompt=["a b", "c"]).choices[1].text == "C"
        found = client.embeddings.create(model="vectors", input=["four", "to"])
        assert [one.embedding for one in found.data] == [[4.0, 0.5], [2.0, 0.5]]
        images = client.images.generate(model="pictures", prompt="sea", n=2).data
        assert images is not None
        assert [base64.b64decode(one.b64_json or "") for one in images] == [b"sea", b"sea"]
        edited = client.images.edit(model="pictures", image=("a.png", b"\x89PNG-a"), prompt="!").data
        assert edited is not None
        assert base64.b64decode(edited[0].b64_json or "") == b"\x89PNG-a!"


def test_a_call_of_another_kind_is_a_bad_request_that_names_the_model() -> None:
    with (
        to_openai_client(Handler()) as client,
        pytest.raises(openai.BadRequestError, match="'Handler' makes no images"),
    ):
        client.images.generate(model="gpt-4o", prompt="sea")


def test_a_stream_gives_chunks_and_usage() -> None:
    with to_openai_client(Upper()) as client:
        stream = client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "a b c"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
    texts = [one.choices[0].delta.content for one in chunks if one.choices]
    assert [text for text in texts if text] == ["A", "B", "C"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


class Calling(ChatModel):
    """Calls a tool."""

    def _call(self, messages: list[Any], tools: Any = None) -> AIMessage:
        assert tools[0]["function"]["name"] == "weather"
        return AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "call_1"}])


def test_tools_are_called_whole_and_in_a_stream() -> None:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    with to_openai_client(Calling()) as client:
        choice = client.chat.completions.create(model="m", messages=HELLO, tools=tools).choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls is not None
        assert choice.message.tool_calls[0].function.arguments == '{"city":"Oslo"}'  # pyright: ignore[reportAttributeAccessIssue]
        with client.chat.completions.stream(model="m", messages=HELLO, tools=tools) as stream:
            final = stream.get_final_completion().choices[0]
        assert final.message.tool_calls is not None
        assert final.message.tool_calls[0].function.name == "weather"


# --- errors --------------------------------------------------------------------------------------


class Failing(LLM):
    error: Any

    def _call(self, prompt: str) -> str:
        CALLS.append(prompt)
        raise self.error


CALLS: list[str] = []


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    CALLS.clear()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CustomLLMError(400, "no"), openai.BadRequestError),
        (CustomLLMError(401, "no"), openai.AuthenticationError),
        (CustomLLMError(403, "no"), openai.PermissionDeniedError),
        (CustomLLMError(404, "no"), openai.NotFoundError),
        (CustomLLMError(409, "no"), openai.ConflictError),
        (CustomLLMError(422, "no"), openai.UnprocessableEntityError),
        (CustomLLMError(429, "no"), openai.RateLimitError),
        (CustomLLMError(503, "no"), openai.InternalServerError),
        (ValueError("no"), openai.InternalServerError),
    ],
)
async def test_an_error_is_the_sdks_own_class(error: Exception, kind: type[openai.APIStatusError]) -> None:
    status = getattr(error, "status_code", 500)
    with to_openai_client(Failing(error=error)) as client, pytest.raises(kind) as caught:
        say(client)
    assert caught.value.status_code == status
    async with to_async_openai_client(Failing(error=error)) as aclient:
        with pytest.raises(kind):
            await aclient.chat.completions.create(model="m", messages=HELLO)
    assert len(CALLS) == 2  # it is not asked again


def test_a_client_that_is_to_ask_again_does() -> None:
    failing = Failing(error=RateLimitError("later", retry_after=0.001))
    with to_openai_client(failing, max_retries=2) as client, pytest.raises(openai.RateLimitError):
        say(client)
    assert len(CALLS) == 3


class Breaking(LLM):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield "some"
        raise CustomLLMError(503, "the GPU is gone")


def test_a_stream_that_breaks_off_raises_the_sdks_error() -> None:
    got: list[Any] = []
    with to_openai_client(Breaking()) as client, pytest.raises(openai.APIError, match="the GPU is gone"):
        got.extend(client.chat.completions.create(model="m", messages=HELLO, stream=True))


class Waiting(LLM):
    """Streams one piece, or nothing, and waits to be cancelled."""

    begins: bool = True

    def _stream(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> Iterator[str]:
        if self.begins:
            yield "first"
        BEGAN.set()
        while not run_manager.cancelled:
            threading.Event().wait(0.001)
        STOPPED.set()


BEGAN = threading.Event()
STOPPED = threading.Event()


@pytest.fixture(autouse=True)
def nothing_began() -> None:
    BEGAN.clear()
    STOPPED.clear()


def test_a_timeout_is_the_sdks_and_stops_the_model() -> None:
    with to_openai_client(Waiting(begins=False), timeout=0.05) as client:
        with pytest.raises(openai.APITimeoutError):
            say(client)
        assert STOPPED.wait(WAIT_SECONDS)


def test_closing_a_stream_stops_the_model() -> None:
    with to_openai_client(Waiting()) as client:
        with client.chat.completions.create(model="m", messages=HELLO, stream=True) as stream:
            next(stream)
            assert BEGAN.wait(WAIT_SECONDS)
        assert STOPPED.wait(WAIT_SECONDS)


def test_dropping_a_stream_stops_the_model() -> None:
    with to_openai_client(Waiting()) as client:
        stream = client.chat.completions.create(model="m", messages=HELLO, stream=True)
        next(stream)
        assert BEGAN.wait(WAIT_SECONDS)
        del stream
        gc.collect()
        assert STOPPED.wait(WAIT_SECONDS)


async def test_closing_an_async_stream_stops_the_model() -> None:
    async with to_async_openai_client(Waiting()) as client:
        async with await client.chat.completions.create(model="m", messages=HELLO, stream=True) as stream:
            await anext(stream)
        assert await asyncio.to_thread(STOPPED.wait, WAIT_SECONDS)


async def test_cancelling_an_async_call_stops_the_model() -> None:
    async with to_async_openai_client(Waiting(begins=False)) as client:
        task = asyncio.create_task(client.chat.completions.create(model="m", messages=HELLO))
        assert await asyncio.to_thread(BEGAN.wait, WAIT_SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(STOPPED.wait, WAIT_SECONDS)
