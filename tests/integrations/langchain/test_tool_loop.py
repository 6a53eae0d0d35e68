"""The loop of a tool-calling program, with LangChain's tools and a chat model of ours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from langchain_core.tools import tool

from modelport import AIMessage, ChatModel, HumanMessage
from modelport.values.messages import Message


@tool
def plus(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Caller(ChatModel):
    """Calls a tool first, and says only what has to be said of the call."""

    def _call(self, messages: Sequence[Message], tools: Any = None) -> Any:
        if messages[-1].type == "tool":
            return messages[-1].text
        return AIMessage("", tool_calls=[{"name": "plus", "args": {"a": 1, "b": 2}, "id": "c1"}])


def test_a_tool_of_langchains_takes_a_call_as_the_model_gives_it() -> None:
    model = Caller().bind_tools([plus])
    history: list[Any] = [HumanMessage("one and two?")]
    history.append(model.invoke(history))
    history += [plus.invoke(call) for call in history[-1].tool_calls]
    assert model.invoke(history).text == "3"


def test_so_it_does_from_a_stream() -> None:
    pieces: list[Any] = list(Caller().bind_tools([plus]).stream("one and two?"))
    assert [plus.invoke(call).content for call in reduce(add, pieces).tool_calls] == ["3"]
