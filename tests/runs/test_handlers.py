"""Callback handlers: where they run, what their failures do, what they do not want to hear."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import langchain_core.callbacks
import pytest

from modelport import (
    LLM,
    AsyncCallbackHandler,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    ChatModel,
    RunnableLambda,
    StrOutputParser,
)
from modelport.runs.listeners import listeners_for
from modelport.runs.run import Run
from modelport.runs.scope import Scope


class Letters(LLM):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield from prompt

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for letter in prompt:
            yield letter


class Chat(ChatModel):
    def _call(self, messages: list[Any]) -> str:
        return messages[-1].text


class Failing(LLM):
    def _call(self, prompt: str) -> str:
        raise RuntimeError("model down")


class Places(BaseCallbackHandler):
    """Notes the thread of every call, and the loop that runs in it."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.heard: list[str] = []

    def note(self, what: str) -> None:
        self.threads.append(threading.get_ident())
        self.heard.append(what)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        self.note("start")

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        self.note(token)

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.note("end")


class AsyncPlaces(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.loops: list[Any] = []
        self.heard: list[str] = []

    async def note(self, what: str) -> None:
        await asyncio.sleep(0)
        self.loops.append(asyncio.get_running_loop())
        self.heard.append(what)

    async def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        await self.note("start")

    async def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        await self.note(token)

    async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        await self.note("end")


async def astreamed(model: Any, config: Any) -> list[str]:
    return [piece async for piece in model.astream("ab", config)]


async def test_a_sync_handler_of_an_async_call_runs_on_the_loops_thread() -> None:
    handler = Places()
    await astreamed(Letters(), {"callbacks": [handler]})
    await Letters().ainvoke("ab", {"callbacks": [handler]})
    assert handler.heard == ["start", "a", "b", "end"] * 2
    assert set(handler.threads) == {threading.get_ident()}


async def test_a_handler_that_blocks_runs_in_a_thread_and_is_waited_for() -> None:
    handler = Places()
    handler.blocking = True
    pieces: list[str] = []
    async for piece in Letters().astream("ab", {"callbacks": [handler]}):
        pieces.append(piece)
        assert handler.heard[-1] == piece
    assert handler.heard == ["start", "a", "b", "end"]
    assert threading.get_ident() not in handler.threads


def test_a_handler_that_blocks_runs_in_the_callers_thread_of_a_sync_call() -> None:
    handler = Places()
    handler.blocking = True
    Letters().invoke("ab", {"callbacks": [handler]})
    assert set(handler.threads) == {threading.get_ident()}


async def test_an_async_handler_of_an_async_call_runs_on_its_loop() -> None:
    handler = AsyncPlaces()
    handler.blocking = True  # an `async def` does not block, whatever it says
    await astreamed(Letters(), {"callbacks": [handler]})
    assert handler.heard == ["start", "a", "b", "end"]
    assert set(handler.loops) == {asyncio.get_running_loop()}


def test_an_async_handler_of_a_sync_call_runs_in_order_on_one_other_loop() -> None:
    handler = AsyncPlaces()
    for piece in Letters().stream("ab", {"callbacks": [handler]}):
        assert handler.heard[-1] == piece
    assert handler.heard == ["start", "a", "b", "end"]
    assert len(set(handler.loops)) == 1


def test_a_sync_call_on_a_loop_hears_async_handlers_too() -> None:
    handler = AsyncPlaces()

    async def main() -> str:
        return Letters().invoke("ab", {"callbacks": [handler]})

    assert asyncio.run(main()) == "ab"
    assert handler.heard == ["start", "a", "b", "end"]


async def test_langchains_async_handler_hears_sync_and_async_calls() -> None:
    class Theirs(langchain_core.callbacks.AsyncCallbackHandler):
        def __init__(self) -> None:
            self.heard: list[str] = []

        async def on_llm_start(self, serialized: Any, prompts: list[str], **kwargs: Any) -> None:
            self.heard += prompts

        async def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            self.heard.append(token)

    handler = Theirs()
    Letters().invoke("ab", {"callbacks": [handler]})
    await Letters().ainvoke("cd", {"callbacks": [handler]})
    await Chat().ainvoke("ef", {"callbacks": [handler]})
    assert handler.heard == ["ab", "a", "b", "cd", "c", "d", "Human: ef"]


async def test_an_async_handler_hears_the_tokens_of_a_call_hook() -> None:
    class Telling(LLM):
        async def _acall(self, prompt: str, run_manager: AsyncCallbackManagerForLLMRun) -> str:
            for letter in prompt:
                await run_manager.on_llm_new_token(letter)
            return prompt

    handler = AsyncPlaces()
    config: Any = {"callbacks": [handler]}
    assert await Telling().ainvoke("ab", config) == Telling().invoke("ab", config) == "ab"
    assert handler.heard == ["start", "a", "b", "end"] * 2


class Broken(BaseCallbackHandler):
    """Fails at everything it hears."""

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        raise RuntimeError("start key-1234")

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        raise RuntimeError("token")

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        raise NotImplementedError


class AsyncBroken(AsyncCallbackHandler):
    async def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        raise RuntimeError("start key-1234")

    async def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        raise RuntimeError("token")

    async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        raise NotImplementedError


class BlockingBroken(Broken):
    blocking = True


BROKEN = (Broken, AsyncBroken, BlockingBroken)


@pytest.mark.parametrize("cls", BROKEN)
async def test_a_failing_handler_is_logged_once_per_method_and_breaks_nothing(
    cls: Any, caplog: pytest.LogCaptureFixture
) -> None:
    handler, last = cls(), Places()
    config: Any = {"callbacks": [handler, last]}
    with caplog.at_level(logging.WARNING, logger="modelport"):
        assert "".join(Letters().stream("ab", config)) == "ab"
        assert caplog.text.count(f"{cls.__name__}.on_llm_start") == 1
        assert caplog.text.count(f"{cls.__name__}.on_llm_new_token") == 1
        caplog.clear()
        assert "".join(await astreamed(Letters(), config)) == "ab"
    assert caplog.text.count(f"{cls.__name__}.on_llm_new_token") == 1
    assert "RuntimeError" in caplog.text
    assert "key-1234" not in caplog.text
    assert "on_llm_end" not in caplog.text
    assert last.heard == ["start", "a", "b", "end"] * 2


@pytest.mark.parametrize("cls", BROKEN)
async def test_a_handler_with_raise_error_breaks_the_call(cls: Any) -> None:
    handler = cls()
    handler.raise_error = True
    config: Any = {"callbacks": [handler]}
    with pytest.raises(RuntimeError, match="start"):
        Letters().invoke("ab", config)
    with pytest.raises(RuntimeError, match="start"):
        await Letters().ainvoke("ab", config)


def test_an_error_raised_for_a_token_ends_the_run_as_an_error() -> None:
    class Picky(Places):
        raise_error = True

        def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
            if token == "b":
                raise RuntimeError("no b")

        def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
            self.heard.append(f"{error} after {kwargs['response'].generations[0][0].text}")

    handler = Picky()
    with pytest.raises(RuntimeError, match="no b"):
        Letters().invoke("abc", {"callbacks": [handler]})
    assert handler.heard == ["start", "no b after ab"]


class Everything(BaseCallbackHandler):
    def __init__(self, **ignore: bool) -> None:
        self.heard: list[str] = []
        vars(self).update(ignore)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *args, **kwargs: self.heard.append(name)
        return super().__getattribute__(name)

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None: ...

    def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[Any]], **kwargs: Any) -> None: ...


@pytest.mark.parametrize(
    ("ignore", "kept"),
    [
        ({}, {"llm", "chat", "chain"}),
        ({"ignore_llm": True}, {"chat", "chain"}),
        ({"ignore_chat_model": True}, {"llm", "chain"}),
        ({"ignore_chain": True}, {"llm", "chat"}),
    ],
)
def test_a_handler_hears_nothing_of_what_it_ignores(ignore: dict[str, bool], kept: set[str]) -> None:
    def heard_of(work: Any) -> list[str]:
        handler = Everything(**ignore)
        try:
            list(work.stream("ab", {"callbacks": [handler]}))
        except RuntimeError:
            handler.heard.append("failed")
        return handler.heard

    token = ["on_llm_new_token"]
    llm = ["on_llm_start", *token, *token, "on_llm_end"] if "llm" in kept else []
    chat = ["on_chat_model_start", "on_llm_end"] if "chat" in kept else []
    failing = ["on_llm_start", "on_llm_error"] if "llm" in kept else []
    chain = ["on_chain_start", "on_chain_end"] if "chain" in kept else []
    broken = ["on_chain_start", "on_chain_error"] if "chain" in kept else []
    assert heard_of(Letters()) == llm
    assert heard_of(Chat()) == chat
    assert heard_of(Failing()) == [*failing, "failed"]
    assert heard_of(StrOutputParser()) == chain
    assert heard_of(RunnableLambda(lambda value: 1 / 0 if value == "" else value)) == chain
    assert heard_of(RunnableLambda(Failing().invoke)) == [
        *broken[:1],
        *failing,
        *broken[1:],
        "failed",
    ]


def test_a_handler_without_a_chat_method_hears_of_chats_as_texts() -> None:
    prompts: list[Any] = []

    class OnlyText(BaseCallbackHandler):
        def on_llm_start(self, serialized: dict[str, Any], prompts_: list[str], **kwargs: Any) -> None:
            prompts.append(prompts_)

    Chat().invoke([("system", "s"), ("human", "h")], {"callbacks": [OnlyText()]})
    assert prompts == [["System: s\nHuman: h"]]


def test_an_object_with_only_one_of_the_methods_is_a_handler() -> None:
    heard: list[Any] = []
    handler = SimpleNamespace(on_llm_start=lambda _, prompts, **kwargs: heard.append(prompts))
    assert Letters().invoke("ab", {"callbacks": [handler]}) == "ab"
    assert heard == [["ab"]]


@pytest.mark.parametrize("ignore", [False, True])
async def test_a_retry_reaches_the_handlers_that_want_it(ignore: bool) -> None:
    heard: list[Any] = []

    class Retries(BaseCallbackHandler):
        ignore_retry = ignore

        def on_retry(self, retry_state: Any, **kwargs: Any) -> None:
            heard.append((retry_state, kwargs["run_id"]))

    scope = Scope()
    scope.listeners = listeners_for([Retries()])
    run = Run(scope, kind="chain", name="retrying", serialized={}, is_async=False)
    run.retry(1)
    await run.aretry(2)
    assert heard == ([] if ignore else [(1, run.id), (2, run.id)])


async def test_the_default_handlers_hear_everything_and_do_nothing() -> None:
    for handler in (BaseCallbackHandler(), AsyncCallbackHandler()):
        config: Any = {"callbacks": [handler]}
        chain = Letters() | StrOutputParser()
        assert chain.invoke("ab", config) == "ab"
        assert await chain.ainvoke("ab", config) == "ab"
        assert Chat().invoke("ab", config).text == "ab"
        with pytest.raises(RuntimeError, match="model down"):
            (Failing() | StrOutputParser()).invoke("ab", config)


def test_a_handler_without_a_chat_method_hears_of_messages_with_images() -> None:
    prompts: list[Any] = []
    handler = SimpleNamespace(on_llm_start=lambda _, given, **kwargs: prompts.append(given))
    parts = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {}}]
    Chat().invoke([{"role": "user", "content": parts}], {"callbacks": [handler]})
    assert prompts == [["Human: what is this?"]]
