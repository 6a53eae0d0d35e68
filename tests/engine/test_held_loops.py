"""Async code that calls sync code that calls it again: nobody waits for a loop that waits for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from modelport import LLM, CustomLLM, RunnableLambda, completion, register
from modelport.models.handler_bridge import loop_of_handler

pytestmark = [pytest.mark.timeout(20), pytest.mark.usefixtures("own_names")]

DEEP = 6


class OnItsLoop(LLM):
    """Answers a long prompt; a shorter one it hands on to another, by a sync call."""

    single_loop = True
    ask: Any = None
    other: Any = None

    async def _acall(self, prompt: str) -> str:
        return prompt if len(prompt) >= DEEP else self.ask(self.other, prompt + "x")


class Streaming(OnItsLoop):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield await self._acall(prompt)


class OnAnyLoop(OnItsLoop):
    single_loop = False


def by_batch(model: Any, prompt: str) -> str:
    one, two = model.batch([prompt, prompt])
    assert one == two
    return one


WAYS: dict[str, Callable[[Any, str], str]] = {
    "invoke": lambda model, prompt: model.invoke(prompt),
    "invoke with a deadline": lambda model, prompt: model.invoke(prompt, {"timeout": 15}),
    "stream": lambda model, prompt: "".join(model.stream(prompt)),
    "batch": by_batch,
    "as completed": lambda model, prompt: dict(model.batch_as_completed([prompt, prompt]))[0],
    "parallel": lambda model, prompt: (RunnableLambda(str) | {"a": model, "b": model}).invoke(prompt)["a"],
    "parallel streams": lambda model, prompt: "".join(
        piece.get("a", "") for piece in (RunnableLambda(str) | {"a": model, "b": model}).stream(prompt)
    ),
}


@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("second", [OnItsLoop, Streaming, OnAnyLoop])
@pytest.mark.parametrize("first", [OnItsLoop, Streaming])
def test_two_models_that_call_each_other_answer(first: Any, second: Any, ask: Any) -> None:
    one, two = first(ask=ask), second(ask=ask)
    one.other, two.other = two, one
    assert one.invoke("a") == "axxxxx"
    assert two.invoke("a") == "axxxxx"


@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
async def test_they_answer_on_a_running_loop(ask: Any) -> None:
    one, two = OnItsLoop(ask=ask), OnItsLoop(ask=ask)
    one.other, two.other = two, one
    assert await one.ainvoke("a") == "axxxxx"


class Handing(CustomLLM):
    """Answers many messages; fewer it hands on to another provider, by a sync call."""

    def __init__(self, other: str) -> None:
        self.other = other
        self.loops: list[Any] = []

    async def acompletion(self, messages: list[Any], **kwargs: Any) -> str:
        self.loops.append(loop_of_handler(self).waits_for_caller())
        if len(messages) >= DEEP:
            return str(len(messages))
        reply = completion(self.other, [*messages, {"role": "user", "content": "x"}])
        return reply.choices[0].message.content or ""


def test_two_handlers_that_call_each_other_answer() -> None:
    register("one", Handing("two/m"))
    register("two", Handing("one/m"))
    assert completion("one/m", "x").choices[0].message.content == str(DEEP)


def test_a_handler_that_calls_itself_answers() -> None:
    register("own", Handing("own/m"))
    assert completion("own/m", "x").choices[0].message.content == str(DEEP)


def test_a_handler_that_waits_for_nobody_keeps_its_loop() -> None:
    below = Handing("")
    register("below", below)
    register("above", Handing("below/m"))
    asked = [{"role": "user", "content": "x"}] * (DEEP - 1)
    assert completion("above/m", asked).choices[0].message.content == str(DEEP)
    assert below.loops == [True]
