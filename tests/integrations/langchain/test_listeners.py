"""LangChain's callback handlers on our models and chains: the payloads that they expect, in one run tree."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from langchain_core import messages as lc
from langchain_core import outputs
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    UsageMetadataCallbackHandler,
)
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import ConsoleCallbackHandler

from modelport import LLM, ChatModel, ChatPromptTemplate, GenerationChunk, StrOutputParser


class Words(LLM):
    """Streams the words of its prompt."""

    def _stream(self, prompt: str) -> Any:
        for word in prompt.split():
            yield GenerationChunk(word + " ")


class Chat(ChatModel):
    """Streams the words of the last message; "fail" fails."""

    def _stream(self, messages: Any) -> Any:
        for word in messages[-1].text.split():
            if word == "fail":
                raise RuntimeError("failed")
            yield word + " "


class Heard(BaseCallbackHandler):
    """Writes down what it is told: name, payload, ids, the rest."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any, dict[str, Any]]] = []

    def named(self, name: str) -> list[tuple[Any, dict[str, Any]]]:
        return [(payload, facts) for event, payload, facts in self.events if event == name]

    def on_llm_start(self, serialized: Any, prompts: Any, **kwargs: Any) -> None:
        self.events.append(("llm_start", prompts, {"serialized": serialized, **kwargs}))

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.events.append(("chat_model_start", messages, {"serialized": serialized, **kwargs}))

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.events.append(("token", token, kwargs))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.events.append(("llm_end", response, kwargs))

    def on_llm_error(self, error: Any, **kwargs: Any) -> None:
        self.events.append(("llm_error", error, kwargs))

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.events.append(("chain_start", inputs, {"serialized": serialized, **kwargs}))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.events.append(("chain_end", outputs, kwargs))


class AsyncHeard(AsyncCallbackHandler):
    """Writes down tokens, on a loop."""

    def __init__(self) -> None:
        self.tokens: list[Any] = []

    async def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        asyncio.get_running_loop()
        self.tokens.append(chunk)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_text_models_run_is_told_in_langchains_objects(heard: Heard) -> None:
    config: Any = {"callbacks": [heard], "tags": ["a"], "metadata": {"b": 1}, "run_name": "words"}
    assert "".join(Words().stream("one two", config)) == "one two "
    [(prompts, start)] = heard.named("llm_start")
    assert prompts == ["one two"]
    assert isinstance(start["run_id"], UUID)
    assert (start["parent_run_id"], start["tags"], start["metadata"], start["name"]) == (None, ["a"], {"b": 1}, "words")
    assert start["serialized"]["name"] == "Words"
    assert start["invocation_params"]["_type"] == "Words"
    tokens = heard.named("token")
    assert [token for token, _ in tokens] == ["one ", "two "]
    assert all(facts["run_id"] == start["run_id"] for _, facts in tokens)
    assert [type(facts["chunk"]) for _, facts in tokens] == [outputs.GenerationChunk] * 2
    [(result, end)] = heard.named("llm_end")
    assert isinstance(result, outputs.LLMResult)
    assert isinstance(result.generations[0][0], outputs.Generation)
    assert result.llm_output is not None
    assert (result.generations[0][0].text, result.llm_output["token_usage"]["completion_tokens"]) == ("one two ", 2)
    assert end["run_id"] == start["run_id"]


async def test_a_chat_models_run_is_told_in_langchains_objects(heard: Heard) -> None:
    counted = AsyncHeard()
    async for _ in Chat().astream([("system", "be kind"), ("human", "one two")], {"callbacks": [heard, counted]}):
        pass
    [(messages, _)] = heard.named("chat_model_start")
    assert messages == [[lc.SystemMessage("be kind"), lc.HumanMessage("one two")]]
    assert [token for token, _ in heard.named("token")] == ["one ", "two "]
    assert [type(chunk) for chunk in counted.tokens] == [outputs.ChatGenerationChunk] * 2
    [(result, _)] = heard.named("llm_end")
    message = result.generations[0][0].message
    assert isinstance(message, lc.AIMessage)
    assert message.usage_metadata is not None
    assert (message.content, message.usage_metadata["total_tokens"]) == ("one two ", 6)


def test_an_error_comes_with_what_was_there_before_it(heard: Heard) -> None:
    with pytest.raises(RuntimeError):
        list(Chat().stream("one fail", {"callbacks": [heard]}))
    [(error, facts)] = heard.named("llm_error")
    assert str(error) == "failed"
    assert isinstance(facts["response"], outputs.LLMResult)
    assert facts["response"].generations[0][0].text == "one "


def test_a_chains_runs_are_one_tree_in_langchains_objects(heard: Heard) -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "be kind"), ("human", "{q}")])
    assert (prompt | Chat() | StrOutputParser()).invoke({"q": "one"}, {"callbacks": [heard]}) == "one "
    starts = heard.named("chain_start")
    root = starts[0][1]["run_id"]
    assert [facts["parent_run_id"] for _, facts in starts] == [None, root, root]
    assert [facts["name"] for _, facts in starts] == ["RunnableSequence", "ChatPromptTemplate", "StrOutputParser"]
    assert heard.named("chat_model_start")[0][1]["parent_run_id"] == root
    assert heard.named("chat_model_start")[0][1]["tags"] == ["seq:step:2"]
    assert isinstance(heard.named("chain_end")[0][0], ChatPromptValue)
    assert isinstance(starts[2][0], lc.AIMessage)


def test_a_tracer_that_wants_texts_hears_of_a_chat(capsys: pytest.CaptureFixture[str]) -> None:
    Chat().invoke("one", {"callbacks": [ConsoleCallbackHandler()]})
    assert "Human: one" in capsys.readouterr().out


def test_usage_is_counted_by_langchains_own_handler() -> None:
    usage = UsageMetadataCallbackHandler()
    Chat().invoke("one two", {"callbacks": [usage]})
    assert usage.usage_metadata["Chat"]["total_tokens"] == 4


def test_a_model_takes_handlers_as_its_field(heard: Heard) -> None:
    Words(callbacks=[heard]).invoke("one")
    assert [name for name, _, _ in heard.events] == ["llm_start", "token", "llm_end"]


def test_a_handlers_own_failure_breaks_nothing_unless_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("of the handler")

    handler = Failing()
    assert Chat().invoke("one", {"callbacks": [handler]}).content == "one "
    assert "Failing.on_chat_model_start failed with ValueError" in caplog.text
    handler.raise_error = True
    with pytest.raises(ValueError, match="of the handler"):
        Chat().invoke("one", {"callbacks": [handler]})


async def test_a_chain_inside_of_langchain_is_part_of_its_run_tree(heard: Heard) -> None:
    chain = ChatPromptTemplate.from_messages([("human", "{q}")]) | Words()

    async def ask(question: str) -> str:
        return await chain.ainvoke({"q": question})

    config: Any = {"callbacks": [heard], "tags": ["a"]}
    outer = RunnableLambda(ask) | RunnableLambda(str.upper)
    assert await outer.ainvoke("one", config) == "HUMAN: ONE "
    _expect_tree(heard)


@pytest.mark.parametrize("gives_config", [False, True])
def test_a_sync_chain_inside_of_langchain_is_part_of_its_run_tree(heard: Heard, gives_config: bool) -> None:
    chain = ChatPromptTemplate.from_messages([("human", "{q}")]) | Words()

    def ask(question: str, config: Any) -> str:
        return chain.invoke({"q": question}, config if gives_config else None)

    outer = RunnableLambda(ask) | RunnableLambda(str.upper)
    assert outer.invoke("one", {"callbacks": [heard], "tags": ["a"]}) == "HUMAN: ONE "
    _expect_tree(heard)


def _expect_tree(heard: Heard) -> None:
    starts = {facts["name"]: facts for _, facts in heard.named("chain_start")}
    ours = starts["ChatPromptTemplate"]["parent_run_id"]
    [(_, model)] = heard.named("llm_start")
    assert model["parent_run_id"] == ours
    assert "a" in model["tags"]
    [around] = [facts for _, facts in heard.named("chain_start") if facts["run_id"] == ours]
    function = around["parent_run_id"]
    [lambdas] = [facts for _, facts in heard.named("chain_start") if facts["run_id"] == function]
    assert lambdas["name"] == "ask"
    assert [token for token, _ in heard.named("token")] == ["Human: ", "one "]


def test_a_bare_model_inside_of_langchain_is_part_of_its_run_tree(heard: Heard) -> None:
    call: Any = Words().invoke
    assert RunnableLambda(lambda text: call(text)).invoke("one", {"callbacks": [heard]}) == "one "
    [(_, around)] = heard.named("chain_start")
    [(_, model)] = heard.named("llm_start")
    assert model["parent_run_id"] == around["run_id"]


async def test_langchains_events_show_the_tokens_of_our_model() -> None:
    async def ask(text: str) -> str:
        return await Words().ainvoke(text)

    events: list[Any] = [event async for event in RunnableLambda(ask).astream_events("one two", version="v2")]
    tokens = [event for event in events if event["event"] == "on_llm_stream"]
    assert [event["data"]["chunk"].text for event in tokens] == ["one ", "two "]
    assert tokens[0]["parent_ids"] == [events[0]["run_id"]]
    assert tokens[0]["name"] == "Words"


def test_a_binding_of_ours_joins_langchains_config(heard: Heard) -> None:
    own = Heard()
    model: Any = Words().with_config(callbacks=[own], tags=["b"])
    RunnableLambda(lambda text, config: model.invoke(text, config)).invoke("one", {"callbacks": [heard]})
    assert len(own.named("llm_start")) == len(heard.named("llm_start")) == 1
    assert heard.named("llm_start")[0][1]["tags"] == ["b"]
