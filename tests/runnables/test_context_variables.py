"""Context variables: a model's and a function's own do not leak, and their callers' are seen."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import LLM, ChatPromptTemplate, RunnableLambda, StrOutputParser

PROMPT = ChatPromptTemplate.from_messages([("human", "{q}")])
USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


class Setting(LLM):
    """Sets a context variable in its generator, and resets it at its end."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        token = USER.set("the model")
        try:
            for letter in prompt:
                assert USER.get() == "the model"
                yield letter
        finally:
            USER.reset(token)


class SyncSetting(LLM):
    def _stream(self, prompt: str) -> Iterator[str]:
        token = USER.set("the model")
        try:
            for letter in prompt:
                assert USER.get() == "the model"
                yield letter
        finally:
            USER.reset(token)


class TestContextVariables:
    @pytest.mark.parametrize("model", [Setting(), SyncSetting()])
    async def test_a_models_variable_does_not_leak_when_somebody_listens(self, model: Any) -> None:
        chain = PROMPT | model | StrOutputParser()
        async for _ in chain.astream_events({"q": "abc"}):
            assert USER.get() == "nobody"
        async for _ in model.astream_events("abc"):
            assert USER.get() == "nobody"
        async for _ in chain.astream({"q": "abc"}, {"callbacks": [Silent()]}):
            assert USER.get() == "nobody"
        for _ in chain.stream({"q": "abc"}, {"callbacks": [Silent()]}):
            assert USER.get() == "nobody"

    @pytest.mark.parametrize("model", [Setting(), SyncSetting()])
    async def test_a_reset_works_though_another_task_goes_on_with_the_stream(self, model: Any) -> None:
        for chain in (model, PROMPT | model):
            given = "ab" if chain is model else {"q": "ab"}
            stream = chain.astream(given, {"callbacks": [Silent()]})
            first = await asyncio.create_task(anext(stream))
            rest = await asyncio.create_task(collected(stream))
            assert (first + rest).endswith("ab")

    async def test_a_generator_functions_variable_does_not_leak(self) -> None:
        async def step(value: str) -> AsyncIterator[str]:
            token = USER.set("the step")
            for letter in value:
                yield letter
            USER.reset(token)

        def sync_step(value: str) -> Iterator[str]:
            token = USER.set("the step")
            yield from value
            USER.reset(token)

        for function in (step, sync_step):
            for config in ({"callbacks": [Silent()]}, {"timeout": 60}):
                stream: Any = RunnableLambda(function).astream("ab", config)  # pyright: ignore[reportArgumentType]
                assert await asyncio.create_task(anext(stream)) == "a"
                assert USER.get() == "nobody"
                assert await asyncio.create_task(collected(stream)) == "b"
                pieces: Any = RunnableLambda(function).stream("ab", config)  # pyright: ignore[reportArgumentType]
                for _ in pieces:
                    assert USER.get() == "nobody"

    async def test_a_hook_sees_its_callers_variables(self) -> None:
        class Seeing(LLM):
            def _call(self, prompt: str) -> str:
                return USER.get()

        def step(value: str) -> str:
            return Seeing().invoke(value)

        USER.set("eve")
        config: Any = {"callbacks": [Silent()]}
        assert await Seeing().ainvoke("x") == "eve"
        assert Seeing().invoke("x", config) == "eve"
        assert Seeing().batch(["x", "y"]) == ["eve", "eve"]
        assert await RunnableLambda(step).ainvoke("x", config) == "eve"


async def collected(stream: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in stream])


class Silent:
    """Is a handler that hears nothing but the starts."""

    def on_llm_start(self, *args: Any, **kwargs: Any) -> None: ...

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None: ...
