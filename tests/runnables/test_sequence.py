"""`|`: sequences, how they stream, close, and print; and bound runnables."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import (
    LLM,
    BaseCallbackHandler,
    ChatModel,
    ChatPromptTemplate,
    PromptTemplate,
    Runnable,
    RunnableLambda,
    RunnableSequence,
    StrOutputParser,
)
from modelport.values.errors import InputError

PROMPT = PromptTemplate("say {x}")


class Letters(LLM):
    """Streams letter by letter, and notes what it gets and when it is closed."""

    log: Any = None

    def _stream(self, prompt: str, stop: Any = None, **kwargs: Any) -> Iterator[str]:
        self.note((prompt, stop, kwargs))
        try:
            yield from prompt
        finally:
            self.note("closed")

    async def _astream(self, prompt: str, stop: Any = None, **kwargs: Any) -> AsyncIterator[str]:
        self.note((prompt, stop, kwargs))
        try:
            for letter in prompt:
                yield letter
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            self.note("closed")

    def note(self, what: Any) -> None:
        if self.log is not None:
            self.log.append(what)


def was_closed(log: list[Any], config: Any) -> bool:
    """Tell whether the model was closed once; under a deadline its own thread closes it."""
    while config is TIMED and "closed" not in log:
        threading.Event().wait(0.001)
    closed = log.count("closed") == 1
    log.clear()
    return closed


class Chat(ChatModel):
    def _stream(self, messages: list[Any]) -> Iterator[str]:
        yield from messages[-1].text


class Silent(BaseCallbackHandler):
    """Listens."""


LISTENING: Any = {"callbacks": [Silent()]}
TIMED: Any = {"timeout": 60}


async def every_way(chain: Any, value: Any, config: Any) -> list[Any]:
    async def given() -> AsyncIterator[Any]:
        yield value

    return [
        chain.invoke(value, config),
        await chain.ainvoke(value, config),
        "".join(chain.stream(value, config)),
        "".join([piece async for piece in chain.astream(value, config)]),
        "".join(chain.transform(iter([value]), config)),
        "".join([piece async for piece in chain.atransform(given(), config)]),
        *chain.batch([value], config),
        *await chain.abatch([value], config),
    ]


@pytest.mark.parametrize("config", [None, TIMED, LISTENING])
@pytest.mark.parametrize(
    ("chain", "answer"),
    [
        (PROMPT | Letters(), "say hi"),
        (PROMPT | Letters() | StrOutputParser(), "say hi"),
        (PROMPT | Chat() | StrOutputParser(), "say hi"),
        (PROMPT | Letters() | str.upper, "SAY HI"),
        ((lambda x: x["x"]) | Letters() | str.upper, "HI"),
        (PROMPT.pipe(Letters(), StrOutputParser(), str.upper), "SAY HI"),
        (RunnableSequence(PROMPT, Letters(), name="inner") | str.upper, "SAY HI"),
        ((PROMPT | Letters().bind(stop=["y"])) | StrOutputParser(), "say"),
    ],
    ids=["two", "parsed", "chat", "function", "function-first", "pipe", "named", "bound"],
)
async def test_every_way_to_call_gives_the_same(chain: Any, answer: str, config: Any) -> None:
    assert await every_way(chain, {"x": "hi"}, config) == [answer] * 8


@pytest.mark.parametrize("config", [None, TIMED, LISTENING])
async def test_streaming_goes_through_every_step_that_can(config: Any) -> None:
    log: list[Any] = []
    chain = PROMPT | Letters(log=log) | StrOutputParser()
    stream = chain.stream({"x": "hi"}, config)
    assert next(stream) == "s"
    assert "closed" not in log
    assert list(stream) == list("ay hi")
    pieces = chain.astream({"x": "hi"}, config)
    assert await anext(pieces) == "s"
    assert log.count("closed") == 1
    assert [piece async for piece in pieces] == list("ay hi")


@pytest.mark.parametrize("config", [None, TIMED, LISTENING])
@pytest.mark.parametrize("tail", [None, StrOutputParser(), "named"])
async def test_closing_a_streamed_chain_closes_the_model_at_once(config: Any, tail: Any) -> None:
    log: list[Any] = []
    chain: Any = PROMPT | Letters(log=log)
    if tail == "named":
        chain = RunnableSequence(PROMPT, Letters(log=log), name="inner") | StrOutputParser()
    elif tail is not None:
        chain |= tail
    stream = chain.stream({"x": "hi"}, config)
    next(stream)
    stream.close()
    assert was_closed(log, config)
    pieces = chain.astream({"x": "hi"}, config)
    await anext(pieces)
    await pieces.aclose()
    assert was_closed(log, None)


@pytest.mark.parametrize("config", [None, TIMED, LISTENING])
async def test_keywords_go_to_the_first_step(config: Any) -> None:
    log: list[Any] = []
    chain: Any = Letters(log=log) | str.upper
    for work in (
        lambda: chain.invoke("a", config, heat=1),
        lambda: list(chain.stream("a", config, heat=1)),
    ):
        work()
        assert log[0] == ("a", None, {"heat": 1})
        log.clear()
    await chain.ainvoke("a", config, heat=1)
    assert log[0] == ("a", None, {"heat": 1})
    log.clear()
    async for _ in chain.astream("a", config, heat=1):
        pass
    assert log[0] == ("a", None, {"heat": 1})


class TestMaking:
    def test_sequences_are_flattened_unless_they_have_a_name(self) -> None:
        flat = (PROMPT | Letters()) | (RunnableLambda(str.upper) | str.lower)
        assert len(flat.steps) == 4
        named = PROMPT | RunnableSequence(Letters(), str.upper, name="inner")
        assert len(named.steps) == 2
        assert named.steps[1].get_name() == "inner"

    def test_it_prints_its_steps(self) -> None:
        chain = PROMPT | Letters() | str.upper
        assert repr(chain) == "PromptTemplate('say {x}') | Letters(log=None) | RunnableLambda(upper)"

    def test_one_step_is_no_sequence(self) -> None:
        with pytest.raises(InputError, match="a sequence needs at least two steps, not 1"):
            RunnableSequence(PROMPT)

    @pytest.mark.parametrize("step", [4, "text", None])
    def test_what_can_be_no_step_is_refused(self, step: Any) -> None:
        with pytest.raises(InputError, match="can be no step of a sequence; give a runnable or a"):
            _ = PROMPT | step

    def test_a_chain_has_langchains_name(self) -> None:
        assert (PROMPT | Letters()).get_name() == "RunnableSequence"
        assert RunnableSequence(PROMPT, Letters(), name="mine").get_name() == "mine"


class TestErrors:
    @pytest.mark.parametrize("config", [None, TIMED, LISTENING])
    async def test_a_failing_step_is_raised_unchanged_and_closes_the_model(self, config: Any) -> None:
        error = RuntimeError("no")
        log: list[Any] = []

        class Failing(StrOutputParser):
            def parse(self, value: Any) -> str:
                raise error

        chain: Any = Letters(log=log) | Failing()
        with pytest.raises(RuntimeError) as raised:
            list(chain.stream("ab", config))
        assert raised.value is error
        assert was_closed(log, config)
        with pytest.raises(RuntimeError):
            async for _ in chain.astream("ab", config):
                pass
        assert was_closed(log, None)
        with pytest.raises(RuntimeError):
            chain.invoke("ab", config)
        with pytest.raises(RuntimeError):
            await chain.ainvoke("ab", config)


class TestBinding:
    async def test_bound_keywords_and_config_are_every_calls_and_its_own_win(self) -> None:
        log: list[Any] = []
        bound: Any = Letters(log=log).bind(heat=1, stop=["b"]).bind(depth=2)
        assert await every_way(bound, "abc", None) == ["ab"] * 8
        assert {repr(one) for one in log if one != "closed"} == {"('abc', ['b'], {'heat': 1, 'depth': 2})"}
        log.clear()
        bound.invoke("abc", heat=3, stop=None)
        assert log[0] == ("abc", None, {"heat": 3, "depth": 2})

    async def test_a_bound_config_is_merged_under_the_calls_own(self) -> None:
        seen: list[Any] = []

        def step(value: str, config: Any) -> str:
            seen.append((config.get("tags"), config.get("metadata")))
            return value

        bound: Any = RunnableLambda(step).with_config(tags=["a"], metadata={"x": 1, "y": 1})
        own: Any = {"tags": ["b"], "metadata": {"y": 2}}
        assert await every_way(bound, "v", own) == ["v"] * 8
        bound.batch(["v"], [own])
        await bound.abatch(["v"], [own])
        assert seen == [(["a", "b"], {"x": 1, "y": 2})] * 10
        seen.clear()
        bound.invoke("v")
        RunnableLambda(step).with_config({"tags": ["c"]}, run_name="r").invoke("v")
        assert seen == [(["a"], {"x": 1, "y": 1}), (["c"], None)]

    def test_a_bound_model_keeps_its_fields_and_methods(self) -> None:
        model = Letters(log=[])
        bound: Any = model.bind(stop=["x"])
        assert bound.log is model.log
        assert bound.generate(["a"]).generations[0][0].text == "a"
        with pytest.raises(AttributeError, match="nothing"):
            bound.nothing  # noqa: B018
        with pytest.raises(AttributeError, match="__nothing__"):
            bound.__nothing__  # noqa: B018

    def test_it_prints_what_is_bound_but_no_values(self) -> None:
        bound = Letters().bind(key="secret")
        assert repr(bound) == "RunnableBinding(bound=Letters(log=None), kwargs=['key'])"
        assert bound.get_name() == "Letters"
        assert bound.with_config(run_name="mine").get_name() == "mine"

    def test_a_wrong_config_is_refused_when_it_is_bound(self) -> None:
        with pytest.raises(InputError, match="'tag' is no key of config; did you mean 'tags'"):
            Letters().with_config(tag=["a"])

    def test_a_bound_timeout_is_counted_from_each_call(self) -> None:
        seen: list[Any] = []

        class Deadline(LLM):
            def _call(self, prompt: str, run_manager: Any) -> str:
                seen.append(run_manager.deadline)
                return prompt

        bound: Any = Deadline().with_config(timeout=60)
        bound.invoke("a")
        bound.invoke("b", {"timeout": 6000})
        bound.batch(["a", "b"])
        first, second, third, fourth = seen
        assert first is not None
        assert second - first > 60
        assert third == fourth


def test_any_runnable_is_a_step_of_a_typed_sequence() -> None:
    class Length(Runnable[str, int]):
        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> int:
            return len(input)

    chain = ChatPromptTemplate.from_template("{x}") | Letters() | Length()
    assert chain.invoke({"x": "abc"}) == len("Human: abc")
