"""What a type checker infers of models and of `|`; checked, never executed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any, assert_type

from modelport import (
    LLM,
    AIMessage,
    AIMessageChunk,
    ChatModel,
    ChatPromptTemplate,
    ChatPromptValue,
    GenerationChunk,
    LLMResult,
    PromptTemplate,
    Runnable,
    RunnableBranch,
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
    StrOutputParser,
)
from modelport.runnables.assign import RunnableAssign
from modelport.runnables.binding import RunnableBinding
from modelport.runnables.pick import RunnablePick
from modelport.values.prompt_values import PromptInput, StringPromptValue


class Text(LLM):
    """Is a text model with a field and two hooks, each with fewer parameters than it may have."""

    n: int
    """How many characters."""
    suffix: str = ""
    """What follows them."""

    def _call(self, prompt: str, stop: list[str] | None = None, **kwargs: Any) -> str:
        return prompt[: self.n] + self.suffix

    def _stream(self, prompt: str) -> Iterator[GenerationChunk]:
        yield GenerationChunk(prompt)


class Chat(ChatModel):
    """Is a chat model."""

    async def _acall(self, messages: list[Any]) -> str:
        return str(messages)


class Length(Runnable[str, int]):
    """Is a runnable of an author's own."""

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> int:
        """Return the length."""
        return len(input)


llm = Text(n=5)
chat = Chat(name="chat", tags=["t"], max_concurrency=2)
prompt = ChatPromptTemplate.from_messages([("system", "be short"), ("human", "{q}")])
parser = StrOutputParser()
config: RunnableConfig = {"tags": ["t"], "timeout": 1.5}


def models() -> None:
    """A text model gives texts, a chat model gives messages."""
    assert_type(llm.n, int)
    assert_type(llm.invoke("hi"), str)
    assert_type(llm.invoke([("human", "hi")], config, stop=["x"], max_tokens=3, heat=1), str)
    assert_type(llm.batch(["a", "b"]), list[str])
    assert_type(llm.stream("hi"), Generator[str, None, None])
    assert_type(llm.astream("hi"), AsyncGenerator[str, None])
    assert_type(llm.generate(["hi"], n=2), LLMResult)
    assert_type(chat.invoke("hi"), AIMessage)
    assert_type(chat.batch(["hi"]), list[AIMessage])
    assert_type(chat.stream("hi"), Generator[AIMessageChunk, None, None])
    assert_type(chat.astream("hi"), AsyncGenerator[AIMessageChunk, None])


async def asynchronous() -> None:
    """The async half gives the same."""
    assert_type(await llm.ainvoke("hi"), str)
    assert_type(await llm.abatch(["a"]), list[str])
    assert_type(await chat.ainvoke("hi"), AIMessage)
    assert_type(await (prompt | llm | parser).ainvoke({"q": "hi"}), str)
    async for piece in (prompt | llm).astream({"q": "hi"}):
        assert_type(piece, str)
    async for event in (prompt | chat).astream_events({"q": "hi"}, version="v1"):
        assert_type(event, dict[str, Any])


def pipes() -> None:
    """A sequence takes what its first step takes, and gives what its last step gives."""
    assert_type(prompt | llm, RunnableSequence[Any, str])
    assert_type(prompt | chat, RunnableSequence[Any, AIMessage])
    assert_type(prompt | llm | parser, RunnableSequence[Any, str])
    assert_type(prompt | chat | parser, RunnableSequence[Any, str])
    assert_type(llm | parser, RunnableSequence[PromptInput, str])
    assert_type(llm | parser | Length(), RunnableSequence[PromptInput, int])
    assert_type((llm | Length()).invoke("hi"), int)
    assert_type((llm | Length()).batch(["hi"]), list[int])
    typed: Runnable[Any, str] = prompt | llm | parser
    assert_type(typed.invoke({"q": "hi"}), str)


def question_of(values: dict[str, str]) -> str:
    """Return the question."""
    return values["q"]


def functions() -> None:
    """A function is a step; what it gives is not looked into."""
    assert_type(llm | str.upper, RunnableSequence[PromptInput, Any])
    assert_type(question_of | llm, RunnableSequence[Any, str])
    step: RunnableLambda[str, int] = RunnableLambda(len)
    assert_type(llm | step, RunnableSequence[PromptInput, int])
    assert_type(step.invoke("hi"), int)


async def dicts() -> None:
    """A dict in a pipe gives a dict; so does a parallel."""
    assert_type(prompt | {"a": llm, "b": len}, RunnableSequence[Any, dict[str, Any]])
    assert_type({"q": question_of} | prompt | llm, RunnableSequence[Any, str])
    assert_type(({"q": question_of} | prompt).invoke("hi"), ChatPromptValue)
    assert_type(llm | {"a": {"b": len}} | question_of, RunnableSequence[PromptInput, Any])
    assert_type(RunnableParallel(a=llm, b=len), RunnableParallel[Any])
    assert_type(RunnableParallel({"a": llm}).invoke("hi"), dict[str, Any])
    assert_type(await (prompt | RunnableParallel(a=llm)).ainvoke({}), dict[str, Any])
    for piece in RunnableParallel(a=llm).stream("hi"):
        assert_type(piece, dict[str, Any])
    assert_type({"a": llm} | Length(), RunnableSequence[Any, int])


def passthroughs() -> None:
    """A passthrough gives what it takes; `assign` gives dicts, `pick` what nobody knows."""
    assert_type(RunnablePassthrough(), RunnablePassthrough[Any])
    assert_type(llm | RunnablePassthrough[str](), RunnableSequence[PromptInput, str])
    assert_type(RunnablePassthrough[int]().invoke(4), int)
    assert_type(RunnablePassthrough.assign(a=llm), RunnableAssign)
    assert_type(RunnablePassthrough.assign(a=llm).invoke({"q": "hi"}), dict[str, Any])
    assert_type(RunnablePassthrough.pick("a"), RunnablePick)
    assert_type((prompt | {"a": llm}).assign(b=len), RunnableSequence[Any, dict[str, Any]])
    assert_type((prompt | {"a": llm}).pick("a"), RunnableSequence[Any, Any])


def branches() -> None:
    """A branch is as typed as its author says."""
    assert_type(RunnableBranch((len, llm), llm), RunnableBranch[Any, Any])
    assert_type(RunnableBranch[str, str]((len, llm), llm).invoke("hi"), str)
    assert_type(RunnableBranch[str, str]((len, llm), llm) | Length(), RunnableSequence[str, int])


def bound() -> None:
    """Binding changes no types."""
    assert_type(llm.bind(stop=["x"]), RunnableBinding[PromptInput, str])
    assert_type(llm.bind(stop=["x"]).invoke("hi"), str)
    assert_type(chat.with_config(tags=["t"]).invoke("hi"), AIMessage)
    assert_type(llm.with_config(config) | Length(), RunnableSequence[PromptInput, int])
    assert_type((prompt | llm).with_config(run_name="mine").invoke({}), str)


def prompts() -> None:
    """Prompts know what they make."""
    value = prompt.invoke({"q": "hi"})
    assert_type(value, ChatPromptValue)
    assert_type(PromptTemplate("{q}").invoke("hi"), StringPromptValue)
    assert_type(PromptTemplate("{q}").format(q="hi"), str)
    assert_type(prompt.batch([{"q": "hi"}]), list[ChatPromptValue])
