"""Faces among other things: handlers, our own chains, threads, and the surroundings of a call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler as LangChainHandler
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda as LangChainLambda

import modelport
from modelport import BaseCallbackHandler, CustomLLM, ModelTimeoutError, RunnableLambda
from modelport.integrations.langchain import to_langchain


class Handler(CustomLLM):
    def completion(self, model: str, messages: list[Any], model_response: Any, **kwargs: Any) -> Any:
        model_response["choices"][0]["message"]["content"] = f"heard {messages[-1]['content']}"
        return model_response


class Echo(modelport.LLM):
    def _call(self, prompt: str, **kwargs: Any) -> str:
        return prompt

    def _stream(self, prompt: str, **kwargs: Any) -> Iterator[str]:
        yield from prompt


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.started: list[str] = []

    def on_llm_start(self, serialized: Any, prompts: list[str], **kwargs: Any) -> None:
        self.started.append(prompts[0])


def test_a_handler_is_a_chat_model() -> None:
    chat = to_langchain(Handler())
    assert (type(chat).__name__, chat.invoke("hi").content) == ("Handler", "heard hi")
    assert [one.content for one in chat.batch([[HumanMessage(content="a")], [HumanMessage(content="b")]])] == [
        "heard a",
        "heard b",
    ]


def test_a_face_inside_our_chain_is_heard_by_its_handlers_once() -> None:
    llm, heard = to_langchain(Echo()), Heard()
    chain = RunnableLambda(lambda text: llm.invoke(text))
    assert chain.invoke("a", {"callbacks": [heard]}) == "a"
    assert heard.started == ["a"]


def test_a_face_inside_our_chain_keeps_its_deadline() -> None:
    class Slow(modelport.LLM):
        def _call(self, prompt: str, run_manager: Any = None) -> str:
            threading.Event().wait(run_manager.remaining_seconds + 60)
            return prompt

    llm = to_langchain(Slow())
    with pytest.raises(ModelTimeoutError):
        RunnableLambda(lambda text: llm.invoke(text)).invoke("a", {"timeout": 0.05})


def test_our_chain_inside_one_of_langchains_answers() -> None:
    prompt = modelport.ChatPromptTemplate.from_messages([("human", "{input}")])
    ours = prompt | Echo()
    assert LangChainLambda(lambda given: ours.invoke(given)).invoke({"input": "hi"}) == "Human: hi"


def test_the_models_own_handlers_hear_of_its_calls() -> None:
    heard = Heard()
    assert to_langchain(Echo(callbacks=[heard])).invoke("a") == "a"
    assert heard.started == ["a"]


def test_classes_are_made_once_by_many_threads() -> None:
    class Fresh(modelport.LLM):
        def _call(self, prompt: str) -> str:
            return prompt

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: type(to_langchain(Fresh())), range(32)))
    assert len(made) == 1


def test_a_hook_that_asks_its_own_face_again_inside_a_batch_is_answered() -> None:
    class Asking(modelport.LLM):
        def _batch(self, prompts: list[str], **kwargs: Any) -> list[str]:
            return [to_langchain(self).invoke(one[1:]) if one.startswith("?") else one.upper() for one in prompts]

    assert to_langchain(Asking()).batch(["?a", "b"]) == ["A", "B"]
    assert asyncio.run(to_langchain(Asking()).abatch(["?a", "b"])) == ["A", "B"]


def test_two_event_loops_in_a_row_work() -> None:
    llm = to_langchain(Echo())
    assert [asyncio.run(llm.ainvoke("a")) for _ in range(2)] == ["a", "a"]


def test_a_hook_is_told_of_listeners_only_where_tokens_are_wanted() -> None:
    """Keeping a run of our own costs as much as the call does."""
    runs: list[Any] = []

    class Telling(modelport.LLM):
        def _call(self, prompt: str, run_manager: Any = None) -> str:
            runs.append(run_manager.run)
            return prompt

    class Starts(LangChainHandler):
        def on_llm_start(self, *args: Any, **kwargs: Any) -> None:
            pass

    class Tokens(LangChainHandler):
        def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
            pass

    llm = to_langchain(Telling())
    for handler in (Starts(), Tokens()):
        llm.invoke("a", {"callbacks": [handler]})
    assert [run is None for run in runs] == [True, False]


def test_whoever_hears_of_a_call_from_langchain_hears_of_it_once() -> None:
    class Starts(LangChainHandler):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def on_llm_start(self, serialized: Any, prompts: list[str], **kwargs: Any) -> None:
            self.heard.append(prompts[0])

    theirs, ours = Starts(), Heard()
    chain = LangChainLambda(lambda text: text) | to_langchain(Echo())
    outer = RunnableLambda(lambda text: chain.invoke(text, {"callbacks": [theirs]}))
    assert outer.invoke("a", {"callbacks": [theirs, ours]}) == "a"
    assert (theirs.heard, ours.started) == (["a"], ["a"])
