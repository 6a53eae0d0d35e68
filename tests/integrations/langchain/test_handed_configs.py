"""LangChain's runnables called by an author's code of ours, with the config or the `get_child()` that it was given."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler as LangChainHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate as LangChainPrompt

import modelport
from modelport import Runnable, RunnableLambda
from modelport.integrations.langchain import to_langchain
from modelport.testing import RecordingHandler

chain = LangChainPrompt.from_messages([("human", "{input}")]) | FakeListChatModel(responses=["hi"])


class Tree(LangChainHandler):
    """Notes who is inside whom."""

    def __init__(self) -> None:
        self._names: dict[Any, str] = {}
        self.edges: list[tuple[str | None, str]] = []

    def _start(self, serialized: Any, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self._names[run_id] = kwargs.get("name") or serialized["name"]
        self.edges.append((self._names.get(parent_run_id), self._names[run_id]))

    on_chain_start = on_chat_model_start = on_llm_start = _start


class Outer(modelport.LLM):
    """Asks a chain of LangChain's, as LangChain's authors do."""

    def _call(self, prompt: str, run_manager: modelport.CallbackManagerForLLMRun) -> str:
        return str(chain.invoke({"input": prompt}, {"callbacks": run_manager.get_child("sub")}).content)

    async def _acall(self, prompt: str, run_manager: modelport.AsyncCallbackManagerForLLMRun) -> str:
        return str((await chain.ainvoke({"input": prompt}, {"callbacks": run_manager.get_child("sub")})).content)


class Echo(modelport.LLM):
    def _call(self, prompt: str) -> str:
        return prompt


EDGES = [
    (None, "Outer"),
    ("Outer", "RunnableSequence"),
    ("RunnableSequence", "ChatPromptTemplate"),
    ("RunnableSequence", "FakeListChatModel"),
]


def test_a_chain_that_a_hook_gives_its_child_is_in_the_run_tree() -> None:
    tree = Tree()
    assert Outer().invoke("hello", {"callbacks": [tree]}) == "hi"
    assert tree.edges == EDGES
    assert Outer().invoke("hello") == "hi"


async def test_so_it_is_in_an_async_hook() -> None:
    tree = Tree()
    assert await Outer().ainvoke("hello", {"callbacks": [tree]}) == "hi"
    assert tree.edges == EDGES


async def test_a_function_hands_its_config_on_to_langchain() -> None:
    async def ask(text: str, config: Any) -> str:
        return str((await chain.with_config(tags=["inner"]).ainvoke({"input": text}, config)).content)

    names = [event["name"] async for event in RunnableLambda(ask).astream_events("hello", version="v2")]
    assert [name for name in names if name == "FakeListChatModel"] != []
    recorder = RecordingHandler()
    assert await RunnableLambda(ask).ainvoke("hello", {"callbacks": [recorder]}) == "hi"
    assert len(recorder.named("on_chat_model_start")) == 1


def test_a_face_that_is_handed_the_config_is_heard_once() -> None:
    face, recorder = to_langchain(Echo()), RecordingHandler()
    assert RunnableLambda(lambda text, config: face.invoke(text, config)).invoke("a", {"callbacks": [recorder]}) == "a"
    assert len(recorder.named("on_llm_start")) == 1


def test_a_config_that_comes_back_to_us_is_the_same_place_with_its_deadline() -> None:
    seen: list[Any] = []

    class Asked(modelport.LLM):
        def _call(self, prompt: str, run_manager: modelport.CallbackManagerForLLMRun) -> str:
            seen.append(run_manager.remaining_seconds)
            return prompt

    def elsewhere(text: str, config: Any) -> str:
        thread = threading.Thread(target=lambda: Asked().invoke(text, {"callbacks": config["callbacks"]}))
        thread.start()
        thread.join()
        return text

    recorder = RecordingHandler()
    RunnableLambda(elsewhere).invoke("a", {"callbacks": [recorder], "timeout": 60})
    assert 0 < seen[0] <= 60
    assert [event.name for event in recorder.events] == ["on_chain_start", "on_llm_start", "on_llm_end", "on_chain_end"]


class OwnBatches(Runnable[str, str]):
    """Has a batch of its own, and hands its config on."""

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        return str(RunnableLambda(str.upper).invoke(input, config))

    def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
        given = config if isinstance(config, list) else [config] * len(inputs)
        return [self.invoke(value, one) for value, one in zip(inputs, given, strict=True)]


@pytest.mark.parametrize("ways", [lambda one: one.with_timeout(30), lambda one: one.with_retry(), lambda one: one])
async def test_batches_of_somebodys_runnable_run_inside_of_other_runnables(ways: Any) -> None:
    runnable = ways(OwnBatches())
    assert runnable.batch(["a", "b"]) == ["A", "B"]
    assert runnable.batch(["a", "b"], [{"tags": ["x"]}, {}]) == ["A", "B"]
    assert await runnable.abatch(["a", "b"]) == ["A", "B"]
