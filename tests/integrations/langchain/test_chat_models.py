"""`to_langchain` of chat models, and of text models as chat models: what LangChain's standard tests do not ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core import language_models as langchain
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel

import modelport
from modelport.integrations.langchain import to_langchain
from modelport.values.errors import InputError, KeywordError
from tests.integrations.langchain.standard_model import JOKE, ChatStandard


class Seen(modelport.ChatModel):
    """Keeps the messages and keywords that it gets."""

    seen: list[Any]

    def _call(self, messages: Any, tools: Any = None, tool_choice: Any = None, **kwargs: Any) -> str:
        self.seen.append((messages, tool_choice, kwargs))
        return "a b c"


class Parrot(modelport.LLM):
    """Says its prompt."""

    def _call(self, prompt: str, **kwargs: Any) -> str:
        return prompt


class Together(modelport.ChatModel):
    """Answers many chats with one call."""

    asked: list[int]

    async def _abatch(self, messages: list[Any], **kwargs: Any) -> list[Any]:
        self.asked.append(len(messages))
        return [LookupError("no") if chat[-1].text == "0" else chat[-1].text for chat in messages]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_a_chat_model_is_a_genuine_one_and_says_what_its_answer_took() -> None:
    chat = to_langchain(Seen(seen=[]))
    assert isinstance(chat, langchain.BaseChatModel)
    answer = chat.invoke("hi")
    assert isinstance(answer, AIMessage)
    assert answer.content == "a b c"
    assert answer.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert answer.response_metadata == {"finish_reason": "stop", "model_name": "Seen", "usage_estimated": True}


def test_messages_arrive_as_the_models_own() -> None:
    model = Seen(seen=[])
    to_langchain(model).invoke(
        [
            ("system", "be brief"),
            HumanMessage(
                [{"type": "text", "text": "look"}, {"type": "image", "base64": "AA==", "mime_type": "image/png"}]
            ),
            AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "1"}]),
            ToolMessage("2", tool_call_id="1", status="error"),
        ]
    )
    system, human, ai, result = model.seen[0][0]
    assert system == modelport.SystemMessage("be brief")
    assert human.content[1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert ai.tool_calls == [{"name": "add", "args": {"a": 1}, "id": "1", "type": "tool_call"}]
    assert (result.content, result.tool_call_id, result.status) == ("2", "1", "error")


@pytest.mark.parametrize(("given", "asked"), [
    ("any", "required"),
    (True, "required"),
    ("auto", "auto"),
    ("none", "none"),
    ("add", {"type": "function", "function": {"name": "add"}}),
    ({"type": "function", "function": {"name": "x"}}, {"type": "function", "function": {"name": "x"}}),
    (None, None),
    (False, None),
])  # fmt: skip
def test_a_choice_of_tools_is_told_as_openai_has_it(given: Any, asked: Any) -> None:
    model = Seen(seen=[])
    to_langchain(model).bind_tools([add], tool_choice=given).invoke("hi")
    assert model.seen[0][1] == asked


def test_the_usual_choice_is_told_to_no_hook_that_knows_of_none() -> None:
    class Simple(modelport.ChatModel):
        def _call(self, messages: Any, tools: Any = None) -> str:
            return str(len(tools))

    chat = to_langchain(Simple())
    assert chat.bind_tools([add], tool_choice="auto").invoke("hi").content == "1"
    with pytest.raises(KeywordError, match="tool_choice"):
        chat.bind_tools([add], tool_choice="any").invoke("hi")


def test_only_a_model_that_takes_tools_has_them_in_langchains_eyes() -> None:
    assert type(to_langchain(Seen(seen=[]))).bind_tools is not langchain.BaseChatModel.bind_tools
    plain = to_langchain(Parrot(), as_chat=True)
    assert type(plain).bind_tools is langchain.BaseChatModel.bind_tools
    with pytest.raises(KeywordError, match="cannot be asked for objects"):
        plain.with_structured_output(dict[str, Any])


def test_an_agents_loop_of_tools_runs() -> None:
    chat = to_langchain(ChatStandard()).bind_tools([add])
    call = chat.invoke("add 3")
    result = add.invoke(call.tool_calls[0])
    assert result.content == "6"
    assert chat.invoke(["add 3", call, result]).content == "You said: 6"


def test_pieces_of_tool_calls_add_up() -> None:
    whole: Any = None
    for chunk in to_langchain(ChatStandard()).bind_tools([add]).stream("add 3"):
        whole = chunk if whole is None else whole + chunk
    assert whole.tool_calls == [{"name": "add", "args": {"a": 3, "b": 3}, "id": "call-1", "type": "tool_call"}]
    assert whole.response_metadata["finish_reason"] == "tool_calls"


def test_arguments_that_are_no_json_are_an_invalid_tool_call() -> None:
    class Broken(modelport.ChatModel):
        def _call(self, messages: Any, tools: Any = None) -> modelport.Generation:
            return modelport.Generation("", tool_calls=[{"name": "add", "args": "{oops", "id": "1", "index": 0}])

    answer = to_langchain(Broken()).bind_tools([add]).invoke("hi")
    assert answer.tool_calls == []
    assert answer.invalid_tool_calls[0]["args"] == "{oops"


class Joke(BaseModel):
    setup: str
    punchline: str


@pytest.mark.parametrize("method", [None, "json_schema", "function_calling", "json_mode"])
def test_structured_output_comes_as_objects(method: Any) -> None:
    chat = to_langchain(ChatStandard())
    assert chat.with_structured_output(Joke, method=method).invoke("joke") == Joke(**JOKE)
    raw: Any = chat.with_structured_output(Joke, method=method, include_raw=True).invoke("joke")
    assert (raw["parsed"], raw["parsing_error"]) == (Joke(**JOKE), None)


def test_a_wrong_answer_is_told_beside_the_raw_one() -> None:
    class Wrong(modelport.ChatModel):
        def _call(self, messages: Any, response_format: Any = None) -> str:
            return "no object"

    raw: Any = to_langchain(Wrong()).with_structured_output(Joke, include_raw=True).invoke("joke")
    assert raw["raw"].content == "no object"
    assert raw["parsed"] is None
    assert raw["parsing_error"] is not None


def test_a_text_model_that_takes_a_response_format_gives_objects() -> None:
    class Json(modelport.LLM):
        def _call(self, prompt: str, response_format: Any = None) -> str:
            return '{"setup": "s", "punchline": "p"}'

    assert to_langchain(Json()).with_structured_output(Joke).invoke("joke") == Joke(setup="s", punchline="p")
    with pytest.raises(InputError, match="no method"):
        to_langchain(Json()).with_structured_output(Joke, method="function_calling")


def test_a_text_model_answers_chats_by_its_template() -> None:
    chat = to_langchain(Parrot(chat_template="last"), as_chat=True)
    assert isinstance(chat, langchain.BaseChatModel)
    assert chat.invoke([("system", "s"), ("human", "h")]).content == "h"


def test_a_chat_model_answers_prompts_as_one_human_message() -> None:
    model = Seen(seen=[])
    llm = to_langchain(model, as_chat=False)
    assert isinstance(llm, langchain.LLM)
    assert llm.invoke("hi", stop=["b"]) == "a b"
    assert model.seen[0][0] == [modelport.HumanMessage("hi")]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_batch_of_chats_is_one_call_of_the_batch_hook(is_async: bool) -> None:
    model = Together(asked=[])
    chat = to_langchain(model)
    inputs: list[Any] = ["0", "1", "2"]
    if is_async:
        outcomes = asyncio.run(chat.abatch(inputs, return_exceptions=True))
    else:
        outcomes = chat.batch(inputs, return_exceptions=True)
    assert isinstance(outcomes[0], LookupError)
    assert [outcome.content for outcome in outcomes[1:]] == ["1", "2"]
    assert model.asked == [3]


def test_calls_that_wait_for_a_limiter_of_their_rate_do_not_wait_for_one_another() -> None:
    model = Together(asked=[])
    chat = to_langchain(model)
    chat.rate_limiter = InMemoryRateLimiter(requests_per_second=1000, max_bucket_size=1)
    inputs: list[Any] = ["1", "2"]
    assert [one.content for one in chat.batch(inputs)] == ["1", "2"]
    assert model.asked == [1, 1]


async def test_a_batch_under_watched_events_still_answers_all() -> None:
    """Chats that LangChain streams then make no call together; nobody waits for them."""
    model = to_langchain(ChatStandard())

    async def both(given: Any) -> Any:
        return [one.content for one in await model.abatch([given, "b"])]

    events: list[Any] = [event async for event in RunnableLambda(both).astream_events("a", version="v2")]
    assert events[-1]["data"]["output"] == ["You said: a", "You said: b"]
    assert sum(event["event"] == "on_chat_model_end" for event in events) == 2


async def test_closing_a_chat_stream_closes_the_models_hook() -> None:
    closed = asyncio.Event()

    class Endless(modelport.ChatModel):
        async def _astream(self, messages: Any, **kwargs: Any) -> AsyncIterator[str]:
            try:
                while True:
                    yield "x"
                    await asyncio.sleep(0)
            finally:
                closed.set()

    stream = to_langchain(Endless()).astream("p")
    assert (await anext(stream)).content == "x"
    await stream.aclose()  # type: ignore[attr-defined]
    assert closed.is_set()


def test_thoughts_and_content_parts_of_pieces_arrive() -> None:
    class Thinking(modelport.ChatModel):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[modelport.AIMessageChunk]:
            yield modelport.AIMessageChunk("", additional_kwargs={"reasoning_content": "hm"})
            yield modelport.AIMessageChunk("ok")

    whole: Any = AIMessageChunk(content="")
    for chunk in to_langchain(Thinking()).stream("p"):
        whole += chunk
    assert whole.additional_kwargs == {"reasoning_content": "hm"}
    assert [block["type"] for block in whole.content_blocks] == ["reasoning", "text"]


def test_details_of_the_usage_arrive() -> None:
    details: Any = {"output_token_details": {"reasoning": 4}, "input_token_details": {"cache_read": 2}}

    class Detailed(modelport.ChatModel):
        def _call(self, messages: Any) -> modelport.AIMessage:
            return modelport.AIMessage("a", usage_metadata={"input_tokens": 3, "output_tokens": 5, **details})

        def _stream(self, messages: Any) -> Iterator[modelport.AIMessageChunk]:
            yield modelport.AIMessageChunk("a")
            yield modelport.AIMessageChunk("", usage_metadata={"input_tokens": 3, "output_tokens": 5, **details})

    usage = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8, **details}
    chat = to_langchain(Detailed())
    assert chat.invoke("p").usage_metadata == usage
    chunks: list[Any] = list(chat.stream("p"))
    assert [chunk.usage_metadata for chunk in chunks] == [None, usage]


def test_several_choices_are_several_generations() -> None:
    result = to_langchain(Seen(seen=[])).generate([[HumanMessage(content="hi")]], n=3)
    assert len(result.generations[0]) == 3
