"""LangChain's runnables in pipes of ours."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage as LangChainAnswer
from langchain_core.output_parsers import StrOutputParser as LangChainStr
from langchain_core.prompts import ChatPromptTemplate as LangChainPrompt
from langchain_core.runnables import RunnableLambda as LangChainLambda

from modelport import ChatPromptTemplate, RunnableLambda
from modelport.testing.recorder import RecordingHandler
from modelport.values.errors import InputError
from modelport.values.messages import AIMessage
from modelport.values.prompt_values import ChatPromptValue
from tests.integrations.langchain.foreign_models import Echo, StreamingChat, ToolChat

PROMPT = ChatPromptTemplate.from_messages([("human", "{q}")])
LANGCHAINS_PROMPT = LangChainPrompt.from_messages([("human", "{q}")])


async def test_a_model_and_a_parser_of_langchains_are_steps() -> None:
    chain = PROMPT | StreamingChat() | LangChainStr()
    assert chain.invoke({"q": "hi"}) == "hi"
    assert type(chain.invoke({"q": "hi"})) is str
    assert await chain.ainvoke({"q": "hi"}) == "hi"
    assert [piece for piece in chain.stream({"q": "hi"}) if piece] == ["h", "i"]
    assert [piece async for piece in chain.astream({"q": "hi"}) if piece] == ["h", "i"]
    assert chain.batch([{"q": "a"}, {"q": "b"}]) == ["a", "b"]


def test_a_model_of_langchains_gives_our_messages() -> None:
    answer = (PROMPT | ToolChat()).invoke({"q": "hi"})
    assert isinstance(answer, AIMessage)
    assert (PROMPT | Echo().bind(stop=["m"])).invoke({"q": "hi"}) == "Hum"


def test_a_prompt_of_langchains_gives_our_prompt_value() -> None:
    chain = RunnableLambda(lambda text: {"q": text}) | LANGCHAINS_PROMPT
    assert isinstance(chain.invoke("hi"), ChatPromptValue)


def test_functions_of_langchains_get_its_messages() -> None:
    seen: list[Any] = []
    assert (PROMPT | ToolChat() | LangChainLambda(lambda answer: seen.append(answer) or answer)).invoke({"q": "hi"})
    assert isinstance(seen[0], LangChainAnswer)


def test_fallbacks_may_be_langchains() -> None:
    def fail(text: str) -> str:
        raise RuntimeError(text)

    assert RunnableLambda(fail).with_fallbacks([Echo(loud=True)]).invoke("hi") == "HI"


def test_a_class_of_langchains_is_no_step() -> None:
    with pytest.raises((InputError, TypeError)):
        (PROMPT | Echo).invoke({"q": "hi"})


class Heard(BaseCallbackHandler):
    """Writes down the names of runs with their parents."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, Any, Any]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, parent_run_id: Any, **kwargs: Any) -> None:
        self.runs.append((kwargs["name"], run_id, parent_run_id))

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.runs.append((kwargs.get("name") or serialized["name"], run_id, kwargs["parent_run_id"]))


@pytest.mark.parametrize("streams", [False, True])
async def test_a_chain_of_langchains_shows_its_runs_in_one_tree(streams: bool) -> None:
    theirs, ours = Heard(), RecordingHandler()
    inner = LANGCHAINS_PROMPT | StreamingChat() | LangChainStr()
    chain = RunnableLambda(lambda text: {"q": text}, name="first") | inner
    config: Any = {"callbacks": [theirs, ours]}
    if streams:
        assert "".join([piece async for piece in chain.astream("hi", config)]) == "hi"
    else:
        assert chain.invoke("hi", config) == "hi"
    names = ["RunnableSequence", "first", "RunnableSequence", "ChatPromptTemplate", "StreamingChat", "StrOutputParser"]
    assert [name for name, _, _ in theirs.runs] == names
    (_, root, _), (_, _, of_first), (_, inside, of_inner), *rest = theirs.runs
    assert of_first == of_inner == root
    assert [parent for _, _, parent in rest] == [inside] * 3
    heard = [event for event in ours.events if event.name.endswith("_start")]
    assert [event.run_id for event in heard] == [run_id for _, run_id, _ in theirs.runs]
    assert [event.facts["parent_run_id"] for event in heard] == [parent for _, _, parent in theirs.runs]
    assert len([event for event in ours.events if event.name.endswith("_end")]) == 6


async def test_our_events_show_the_runs_of_langchains_chain() -> None:
    inner = LANGCHAINS_PROMPT | StreamingChat() | LangChainStr()
    events = [event async for event in (RunnableLambda(lambda text: {"q": text}) | inner).astream_events("hi")]
    tokens = [event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(tokens) == "hi"
    kinds = {event["event"] for event in events}
    assert {"on_prompt_start", "on_prompt_end", "on_chat_model_end", "on_parser_end", "on_chain_stream"} <= kinds


async def test_the_failure_of_a_step_is_raised_and_told() -> None:
    def fail(value: Any) -> str:
        raise RuntimeError("of the step")

    ours = RecordingHandler()
    for chain in (
        PROMPT | LangChainLambda(fail),
        RunnableLambda(lambda x: x) | (LANGCHAINS_PROMPT | LangChainLambda(fail)),
    ):
        with pytest.raises(RuntimeError, match="of the step"):
            await chain.ainvoke({"q": "hi"}, {"callbacks": [ours]})
    assert len(ours.named("on_chain_error")) == 2 + 3
