"""OpenAI's own client on models in this process: loops, threads, what it needs, and its end."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import modelport
from modelport import LLM, AsyncCallbackManagerForLLMRun, RunnableLambda, to_async_openai_client, to_openai_client
from modelport.testing import EchoLLM, RecordingHandler
from modelport.values.errors import InputError, LoadError, MissingExtraError

if TYPE_CHECKING:
    import openai

HELLO: Any = [{"role": "user", "content": "hello"}]
LOOPS: list[Any] = []
LIFE: list[str] = []


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    LOOPS.clear()
    LIFE.clear()


class Async(LLM):
    """Notes its loop, and gives it turns."""

    chat_template: Any = "last"

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        LOOPS.append(asyncio.get_running_loop())
        for letter in prompt:
            await asyncio.sleep(0)
            yield letter


class Loading(LLM):
    """Notes its life."""

    def _load(self) -> None:
        LIFE.append("loaded")

    def _unload(self) -> None:
        LIFE.append("unloaded")

    def _call(self, prompt: str) -> str:
        return "here"


def say(client: openai.OpenAI, text: str = "hello") -> str | None:
    messages: Any = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="m", messages=messages).choices[0].message.content


async def asay(client: openai.AsyncOpenAI, text: str = "hello") -> str | None:
    messages: Any = [{"role": "user", "content": text}]
    return (await client.chat.completions.create(model="m", messages=messages)).choices[0].message.content


async def test_an_async_client_answers_on_the_callers_loop() -> None:
    async with to_async_openai_client(Async()) as client:
        assert await asyncio.gather(*(asay(client, str(one)) for one in range(20))) == [str(one) for one in range(20)]
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        assert "".join([one.choices[0].delta.content or "" async for one in stream]) == "hello"
    assert set(LOOPS) == {asyncio.get_running_loop()}


def test_an_async_client_answers_on_one_loop_after_the_other() -> None:
    client = to_async_openai_client(Async())
    assert [asyncio.run(asay(client)) for _ in range(2)] == ["hello", "hello"]
    asyncio.run(client.close())


async def test_a_sync_client_answers_in_code_that_runs_on_a_loop() -> None:
    with to_openai_client(Async()) as client:
        assert say(client) == "hello"


def test_many_threads_get_their_own_answers() -> None:
    with to_openai_client(Async()) as client, ThreadPoolExecutor(32) as threads:
        assert list(threads.map(lambda one: say(client, str(one)), range(128))) == [str(one) for one in range(128)]


class Outer(LLM):
    """Asks another model by its client, from a coroutine."""

    inner: Any

    async def _acall(self, prompt: str) -> str:
        return f"inner says {say(self.inner)}"


def test_a_model_may_ask_another_one_by_its_client() -> None:
    with to_openai_client(Async()) as inner, to_openai_client(Outer(inner=inner)) as client:
        assert say(client) == "inner says hello"


def test_a_model_may_ask_by_the_very_client_that_it_answers() -> None:
    models: dict[str, Any] = {"m": Async()}
    outer = Outer(inner=None)
    models["outer"] = outer
    with to_openai_client(models) as client:
        outer.inner = client
        answer = client.chat.completions.create(model="outer", messages=HELLO)
        assert answer.choices[0].message.content == "inner says hello"


class Queued(LLM):
    """Answers one prompt at a time."""

    max_concurrency: int | None = 1
    chat_template: Any = "last"

    async def _acall(self, prompt: str) -> str:
        await asyncio.sleep(0)
        return prompt


async def test_many_calls_may_wait_for_a_model_that_answers_one_at_a_time() -> None:
    async with to_async_openai_client(Queued()) as client:
        answers = await asyncio.gather(*(asay(client, str(one)) for one in range(300)))
    assert answers == [str(one) for one in range(300)]


# --- the caller's run ----------------------------------------------------------------------------


def test_a_call_in_a_chain_belongs_to_its_run() -> None:
    recorder = RecordingHandler()
    with to_openai_client(EchoLLM()) as client:
        RunnableLambda(lambda text: say(client, text)).invoke("hello", {"callbacks": [recorder]})
    starts = [event for event in recorder.events if event.name.endswith("_start")]
    assert [event.name for event in starts] == ["on_chain_start", "on_llm_start"]


async def test_a_call_in_a_chain_ends_with_its_deadline() -> None:
    seen: list[Any] = []

    class Noting(LLM):
        async def _acall(self, prompt: str, run_manager: AsyncCallbackManagerForLLMRun) -> str:
            seen.append(run_manager.deadline)
            return ""

    async with to_async_openai_client(Noting()) as client:

        async def step(text: str) -> str | None:
            return await asay(client, text)

        await RunnableLambda(step).ainvoke("hello", {"timeout": 1_000})
        await asay(client)
    assert seen[0] is not None
    assert seen[1] is None


# --- what it needs -------------------------------------------------------------------------------


def test_no_key_and_no_address_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with to_openai_client(EchoLLM()) as client:
        assert say(client) == "Human: hello"


def test_keys_addresses_and_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for variable in ("OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("MODELPORT_MASTER_KEY", "sk-other")
    with to_openai_client(EchoLLM()) as client:
        assert client.api_key == "none"
        assert say(client) == "Human: hello"


def test_options_are_the_sdks_own() -> None:
    with to_openai_client(EchoLLM(), timeout=5, max_retries=1, default_headers={"x-request-id": "mine"}) as client:
        assert (client.timeout, client.max_retries) == (5, 1)
        raw = client.with_options(max_retries=0).chat.completions.with_raw_response.create(model="m", messages=HELLO)
        assert raw.headers["x-request-id"] == "mine"
    with pytest.raises(TypeError, match="tiemout"):
        to_openai_client(EchoLLM(), tiemout=5)


@pytest.mark.parametrize("name", ["http_client", "base_url"])
def test_an_option_that_it_gives_itself_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is given by to_openai_client itself"):
        to_openai_client(EchoLLM(), **{name: None})


@pytest.mark.parametrize(
    ("model", "said"), [(3, "is a int, not a model"), ("nobody/x", "no provider 'nobody'"), ({}, "there are no models")]
)
def test_what_is_no_model_is_refused(model: Any, said: str) -> None:
    with pytest.raises((InputError, LoadError), match=said):
        to_openai_client(model)


@pytest.mark.parametrize("make", [to_openai_client, to_async_openai_client])
def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'modelport\[openai\]'"):
        make(EchoLLM())


def test_the_names_are_at_the_top_level() -> None:
    assert {"to_openai_client", "to_async_openai_client"} <= set(modelport.__all__)


# --- its end -------------------------------------------------------------------------------------


def test_closing_unloads_a_model_that_was_made_for_the_client() -> None:
    with to_openai_client(Loading) as client:
        assert say(client) == say(client) == "here"
    assert LIFE == ["loaded", "unloaded"]


async def test_closing_an_async_client_unloads_a_model_that_was_made_for_it() -> None:
    async with to_async_openai_client({"m": Loading}) as client:
        assert await asay(client) == "here"
    assert LIFE == ["loaded", "unloaded"]


def test_closing_leaves_a_model_that_was_handed_over_as_it_is() -> None:
    model = Loading()
    with to_openai_client(model) as client:
        assert say(client) == "here"
    assert (model.invoke("x"), LIFE) == ("here", ["loaded"])


def test_closing_frees_the_thread() -> None:
    before = set(threading.enumerate())
    client = to_openai_client(EchoLLM())
    say(client)
    threads = [one for one in threading.enumerate() if one not in before and one.name == "modelport-in-process"]
    client.close()
    for one in threads:
        one.join(20)
    assert threads
    assert not any(one.is_alive() for one in threads)


def test_a_closed_client_answers_no_more() -> None:
    client = to_openai_client(EchoLLM())
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        say(client)
