"""Events of a face are those of the same model written for LangChain: name by name, and in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel

from modelport.integrations.langchain import to_langchain
from tests.integrations.langchain.twins import Direct, Ported

PROMPT = ChatPromptTemplate.from_messages([("system", "you are a bot"), ("human", "{input}")])
V1 = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainDeprecationWarning")

Build = Callable[[Any], Runnable[Any, Any]]


def bare(model: Any) -> Runnable[Any, Any]:
    return RunnableLambda(_input) | model


def _input(given: dict[str, str]) -> str:
    return given["input"]


def prompted(model: Any) -> Runnable[Any, Any]:
    return PROMPT | model


def invoked_inside(model: Any) -> Runnable[Any, Any]:
    async def inside(given: dict[str, str]) -> Any:
        return await model.ainvoke(given["input"])

    return RunnableLambda(inside)


def without_ids(value: Any, known: dict[str, str]) -> Any:
    """Return events with their run ids replaced by the order in which they first come."""
    if isinstance(value, dict):
        return {key: without_ids(one, known) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_ids(one, known) for one in value]
    if (
        isinstance(value, str)
        and len(value.removeprefix("lc_run--").removesuffix("-0")) == 36
        and value.count("-") >= 4
    ):
        return known.setdefault(value.removeprefix("lc_run--").removesuffix("-0"), f"run {len(known) + 1}")
    if isinstance(value, BaseModel):
        return [type(value).__name__, without_ids(value.model_dump(), known)]
    return value


async def events_of(chain: Runnable[Any, Any], version: Any = "v2") -> list[Any]:
    known: dict[str, str] = {}
    return [
        without_ids(event, known) async for event in chain.astream_events({"input": "hello there!"}, version=version)
    ]


@pytest.mark.parametrize("build", [bare, prompted])
@pytest.mark.parametrize("version", [pytest.param("v1", marks=V1), "v2"])
async def test_the_guides_model_streams_the_same_events(build: Build, version: str) -> None:
    direct = await events_of(build(Direct.CustomLLM(n=3)), version)
    ported = await events_of(build(to_langchain(Ported.CustomLLM(n=3))), version)
    assert len(direct) > 8
    assert ported == direct


@pytest.mark.parametrize(("direct", "ported"), [
    (Direct.ReportingLLM(), Ported.ReportingLLM()),
    (Direct.ChatEcho(), Ported.ChatEcho()),
    (Direct.ChatWhole(), Ported.ChatWhole()),
])  # fmt: skip
@pytest.mark.parametrize("build", [bare, prompted])
async def test_a_model_that_reports_streams_the_same_events(direct: Any, ported: Any, build: Build) -> None:
    events = await events_of(build(to_langchain(ported)))
    assert events == await events_of(build(direct))
    assert len(events) > 6


@pytest.mark.parametrize(("direct", "ported"), [
    (Direct.ChatEcho(), Ported.ChatEcho()),
    (Direct.ChatWhole(), Ported.ChatWhole()),
])  # fmt: skip
async def test_a_chat_model_invoked_inside_a_function_has_the_same_events(direct: Any, ported: Any) -> None:
    assert await events_of(invoked_inside(to_langchain(ported))) == await events_of(invoked_inside(direct))


async def test_tokens_that_a_call_tells_are_events_once_and_in_order() -> None:
    direct = await events_of(invoked_inside(Direct.CallOnlyLLM()))
    ported = await events_of(invoked_inside(to_langchain(Ported.CallOnlyLLM())))
    assert [event["event"] for event in ported] == [event["event"] for event in direct]
    told = [event["data"]["chunk"] for event in ported if event["event"] == "on_llm_stream"]
    assert told == [event["data"]["chunk"] for event in direct if event["event"] == "on_llm_stream"]
    assert [chunk[1]["text"] for chunk in told] == ["o", "k"]


async def test_an_answer_that_comes_whole_says_why_it_ended_and_what_it_took() -> None:
    events = await events_of(invoked_inside(to_langchain(Ported.CustomLLM(n=3))))
    output = next(event["data"]["output"] for event in events if event["event"] == "on_llm_end")
    assert output["generations"][0][0]["generation_info"] == {"finish_reason": "stop"}
    assert output["llm_output"]["model_name"] == "CustomChatModel"
    assert output["llm_output"]["token_usage"]["completion_tokens"] == 1


async def test_only_the_model_hears_that_it_is_run_by_langchain() -> None:
    """The engine's own run is told to nobody of LangChain's."""
    events = await events_of(prompted(to_langchain(Ported.CustomLLM(n=3))))
    assert [event["name"] for event in events if event["event"] == "on_llm_start"] == ["CustomLLM"]
    assert {event["name"] for event in events} == {"RunnableSequence", "ChatPromptTemplate", "CustomLLM"}
