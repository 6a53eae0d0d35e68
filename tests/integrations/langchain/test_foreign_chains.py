"""LangChain's chains as models of ours, and its embeddings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda, RunnablePassthrough
from pydantic import BaseModel

import modelport
from modelport import LLM, ChatModel
from modelport.integrations.langchain import from_langchain, to_langchain, to_langchain_embeddings
from modelport.testing import run_checks
from modelport.testing.recorder import RecordingHandler
from modelport.values.errors import HookError, InputError, KeywordError
from tests.integrations.langchain.conftest import Register
from tests.integrations.langchain.foreign_models import (
    AsyncLengths,
    Echo,
    Lengths,
    Meeting,
    StatusError,
    Streaming,
    StreamingChat,
    Strict,
    ToolChat,
)

TELL = ChatPromptTemplate.from_messages([("human", "tell {about}")])
HISTORY = ChatPromptTemplate.from_messages([("system", "S"), MessagesPlaceholder("past"), ("human", "Q {question}")])
MESSAGES = [("system", "be kind"), ("human", "one"), ("ai", "two"), ("human", "three")]


class Story(BaseModel):
    """Is an object that a chain gives."""

    title: str


@pytest.mark.parametrize(
    ("chain", "kind", "expected"),
    [
        (TELL | ToolChat() | StrOutputParser(), LLM, "tell three"),
        (ToolChat() | StrOutputParser(), ChatModel, "be kind one two three"),
        (HISTORY | ToolChat(), ChatModel, "S be kind one two Q three"),
        (
            ChatPromptTemplate.from_messages([MessagesPlaceholder("all")]) | ToolChat(),
            ChatModel,
            "be kind one two three",
        ),
        (PromptTemplate.from_template("a {x}") | Echo(loud=True), LLM, "A THREE"),
        ({"about": RunnablePassthrough()} | TELL | ToolChat(), LLM, "tell three"),
        (RunnablePassthrough.assign(b=lambda _: "b") | PromptTemplate.from_template("{a}{b}") | Echo(), LLM, "threeb"),
        (RunnableLambda(lambda text: f"<{text}>"), LLM, "<three>"),
        (RunnableLambda(lambda text: AIMessage(f"<{text}>")), LLM, "<three>"),
        (RunnableLambda(lambda text: {"said": text}), LLM, '{"said":"three"}'),
        (RunnableLambda(lambda text: Story(title=str(text))), LLM, '{"title":"three"}'),
        (RunnableLambda(lambda text: json.dumps({"said": text})) | JsonOutputParser(), LLM, '{"said":"three"}'),
        (RunnableLambda(lambda text: {"messages": [AIMessage(str(text))]}), LLM, "three"),
        (ToolChat().with_retry(), ChatModel, "be kind one two three"),
        (Echo().with_fallbacks([Echo()]), LLM, "System: be kind\nHuman: one\nAI: two\nHuman: three"),
    ],
)
async def test_a_chain_is_a_model_by_the_input_that_it_wants(chain: Any, kind: type[Any], expected: str) -> None:
    model = from_langchain(chain)
    assert isinstance(model, kind)
    assert _text(model.invoke(MESSAGES)) == expected
    assert _text(await model.ainvoke(MESSAGES)) == expected
    assert "".join(map(_text, model.stream(MESSAGES))) == expected
    assert "".join([_text(piece) async for piece in model.astream(MESSAGES)]) == expected


def _counted(messages: Any) -> str:
    return str(len(messages))


def _text(answer: Any) -> str:
    return answer if isinstance(answer, str) else answer.text


def test_typed_functions_get_what_their_types_say() -> None:
    count = RunnableLambda(_counted).with_types(input_type=list[BaseMessage])
    model = from_langchain(count)
    assert isinstance(model, ChatModel)
    assert model.invoke(MESSAGES).text == "4"


def test_a_chain_with_variables_that_nothing_fills_is_refused_by_name() -> None:
    prompt = ChatPromptTemplate.from_messages([("human", "{one} {two}")])
    with pytest.raises(InputError, match=r"needs 'one', 'two'.*prompt.partial"):
        from_langchain(prompt | ToolChat())
    assert from_langchain(prompt.partial(one="1") | ToolChat()).invoke("2") == "1 2"


async def test_the_guarantees_hold_for_chains() -> None:
    model = from_langchain(TELL | ToolChat() | StrOutputParser())
    assert model.invoke("abcdef", stop=["c"]) == "tell abc"
    with pytest.raises(KeywordError, match="temperature"):
        model.invoke("abc", temperature=1)
    meeting = from_langchain(RunnableLambda(lambda text: text) | Meeting(parties=3))
    first, failed, last = await meeting.abatch(["a", "bad", "c"], return_exceptions=True)
    assert (first, last) == ("a", "c")
    assert isinstance(failed, StatusError)


def test_a_retry_hands_keywords_and_stop_on() -> None:
    foreign = Echo()
    assert from_langchain(foreign.with_retry()).invoke("abc", stop=["b"], top_k=1) == "ab"
    assert foreign._seen == [{"stop": ["b"], "top_k": 1}]


def test_a_model_with_configurable_fields_is_a_model() -> None:
    model = from_langchain(Strict().configurable_fields(name=ConfigurableField(id="who")))
    assert model.invoke("abc", temperature=0.5) == "abc 0.5"
    loud = from_langchain(Echo().configurable_fields(loud=ConfigurableField(id="loud")))
    assert loud.invoke("abc", {"configurable": {"loud": True}}, stop=["B"], top_k=1) == "AB"
    assert loud.chat_template is None


async def test_a_chain_of_async_functions_answers_sync_callers_too() -> None:
    async def ask(text: str) -> str:
        return f"<{text}>"

    model = from_langchain(RunnableLambda(ask) | RunnableLambda(str.upper))
    assert await model.ainvoke("a") == "<A>"
    assert (model.invoke("a"), list(model.stream("a")), model.batch(["a", "b"])) == ("<A>", ["<A>"], ["<A>", "<B>"])


def test_a_chain_that_gives_nothing_is_an_error() -> None:
    with pytest.raises(HookError, match="nothing gave None"):
        from_langchain(RunnableLambda(lambda _: None, name="nothing")).invoke("x")


async def test_a_chain_that_is_left_lets_go_of_its_model() -> None:
    foreign, chat = Streaming(), StreamingChat()
    stream = from_langchain(PromptTemplate.from_template("{x}") | foreign | StrOutputParser()).astream("abc")
    assert await anext(stream) == "a"
    await stream.aclose()
    assert foreign._closed == ["async"]
    stream = from_langchain(TELL | chat | StrOutputParser()).astream("abc", stop=["t"])
    assert [piece async for piece in stream] == ["t"]
    assert chat._closed == [True]


def test_a_chain_is_one_run_as_a_model() -> None:
    recorder = RecordingHandler()
    model = from_langchain(TELL | StreamingChat() | StrOutputParser(), name="teller")
    assert "".join(model.stream("x", {"callbacks": [recorder]})) == "tell x"
    assert [event.name for event in recorder.events if "token" not in event.name] == ["on_llm_start", "on_llm_end"]
    assert recorder.starts[0].facts["name"] == "teller"


@pytest.mark.timeout(120)
def test_a_chain_passes_the_conformance_kit() -> None:
    results = run_checks(lambda: from_langchain(ToolChat() | StrOutputParser()))
    assert [(one.id, one.seen) for one in results if one.outcome == "fail"] == []


def test_a_chain_is_called_over_the_sdk(register: Register) -> None:
    register("teller", TELL | ToolChat() | StrOutputParser())
    answer: Any = modelport.completion(model="teller/x", messages=[{"role": "user", "content": "a story"}])
    assert answer.choices[0].message.content == "tell a story"


async def test_embeddings_are_an_embedding_model(register: Register) -> None:
    model = from_langchain(Lengths())
    assert model.embed_documents(["a", "bb"]) == [[1.0, 1.0], [2.0, 1.0]]
    assert await model.aembed_documents(["a"]) == [[1.0, 1.0]]
    assert (model.embed_query("abc"), await model.aembed_query("abc")) == ([-3.0, 1.0], [-3.0, 1.0])
    assert await from_langchain(AsyncLengths()).aembed_documents(["a"]) == [[1.0, 2.0]]
    register("lengths", Lengths())
    answer: Any = modelport.embedding(model="lengths/x", input=["abcd"])
    assert answer.data[0].embedding == [4.0, 1.0]
    asked: Any = modelport.embedding(model="lengths/x", input=["abcd"], input_type="query")
    assert asked.data[0].embedding == [-4.0, 1.0]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("cls", [Lengths, AsyncLengths])
def test_embeddings_pass_the_conformance_kit(cls: Any) -> None:
    class Same(cls):
        """Embeds questions as all else."""

        def embed_query(self, text: str) -> Any:
            return self.embed_documents([text])[0]

        async def aembed_documents(self, texts: list[str]) -> Any:
            return self.embed_documents(texts)

    results = run_checks(lambda: from_langchain(Same()))
    assert [(one.id, one.seen) for one in results if one.outcome == "fail"] == []
    assert sum(one.outcome == "pass" for one in results) > 50


def test_what_was_langchains_is_langchains_again() -> None:
    embeddings, chain = Lengths(), ToolChat() | StrOutputParser()
    assert to_langchain_embeddings(from_langchain(embeddings)) is embeddings
    assert isinstance(to_langchain(from_langchain(chain)).invoke("hi"), AIMessage)
