"""`ChatModel`: messages in, messages out; usage, metadata and tools."""

from __future__ import annotations

import functools
import operator
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import langchain_core.messages
import pytest
from pydantic import BaseModel, Field

from modelport import (
    AIMessage,
    AIMessageChunk,
    ChatModel,
    ChatPromptTemplate,
    Generation,
    GenerationChunk,
    HumanMessage,
    StrOutputParser,
    SystemMessage,
    ToolMessage,
)
from modelport.values.errors import InputError, KeywordError
from modelport.values.prompt_values import message_to_dict

ADD_SCHEMA: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"title": "A", "type": "integer"},
                "b": {"default": 1, "title": "B", "type": "integer"},
            },
            "required": ["a"],
        },
    },
}
CALL = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1", "type": "tool_call"}


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


class Add(BaseModel):
    """Add two numbers."""

    a: int
    b: int = Field(default=1)


class Echo(ChatModel):
    def _call(self, messages: list[Any]) -> str:
        return f"{messages[-1].role}: {messages[-1].text}"


class Letters(ChatModel):
    """Streams the last message's letters."""

    def _stream(self, messages: list[Any]) -> Iterator[Any]:
        yield from messages[-1].text

    async def _astream(self, messages: list[Any]) -> AsyncIterator[Any]:
        for letter in messages[-1].text:
            yield letter


class Tools(ChatModel):
    """Gives what a test wants; takes tools."""

    pieces: Any
    seen: Any = None

    def _stream(self, messages: list[Any], tools: Any = None, **kwargs: Any) -> Iterator[Any]:
        if self.seen is not None:
            self.seen.append((tools, kwargs))
        yield from self.pieces


class WholeTools(ChatModel):
    value: Any

    def _call(self, messages: list[Any], tools: Any = None) -> Any:
        return self.value


def added(pieces: Any) -> AIMessageChunk:
    return functools.reduce(operator.add, pieces)


class TestInputs:
    @pytest.mark.parametrize(
        ("given", "answer"),
        [
            ("hi", "user: hi"),
            ([("system", "s"), ("human", "h")], "user: h"),
            (HumanMessage("hi"), "user: hi"),
            ([SystemMessage("s")], "system: s"),
            ([langchain_core.messages.AIMessage("a")], "assistant: a"),
            ([{"role": "tool", "content": "4", "tool_call_id": "c"}], "tool: 4"),
            ([HumanMessage([{"type": "text", "text": "p"}, {"type": "image_url"}])], "user: p"),
        ],
    )
    async def test_messages_may_be(self, given: Any, answer: str) -> None:
        model = Echo()
        assert model.invoke(given).content == answer
        assert (await model.ainvoke(given)).content == answer
        assert added(model.stream(given)).content == answer
        assert added([piece async for piece in model.astream(given)]).content == answer
        assert [one.content for one in model.batch([given])] == [answer]
        assert [one.content for one in await model.abatch([given])] == [answer]

    async def test_no_message_is_refused(self) -> None:
        for model in (Echo(), Letters()):
            with pytest.raises(InputError, match="a chat model needs at least one message; the l"):
                model.invoke([])
            with pytest.raises(InputError):
                await model.ainvoke([])
            with pytest.raises(InputError):
                list(model.stream([]))

    def test_a_prompt_and_a_parser_work_with_it(self) -> None:
        chain = ChatPromptTemplate.from_messages([("human", "{q}")]) | Echo() | StrOutputParser()
        assert chain.invoke({"q": "why?"}) == "user: why?"


class TestAnswers:
    def test_an_answer_says_what_it_cost_and_why_it_ended(self) -> None:
        answer = Echo(name="echo").invoke("hi")
        assert answer == AIMessage(
            "user: hi",
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            response_metadata={
                "finish_reason": "stop",
                "model_name": "echo",
                "usage_estimated": True,
            },
        )

    async def test_a_streams_pieces_add_up_to_the_answer(self) -> None:
        for model in (Letters(), Echo()):
            answer = model.invoke("hi")
            sync = list(model.stream("hi"))
            asynchronous = [piece async for piece in model.astream("hi")]
            for pieces in (sync, asynchronous):
                assert all(isinstance(piece, AIMessageChunk) for piece in pieces)
                assert added(pieces).to_message() == answer
                assert [piece.chunk_position for piece in pieces][-1] == "last"
                assert [piece for piece in pieces if piece.usage_metadata] == pieces[-1:]

    def test_the_authors_message_is_kept(self) -> None:
        message = AIMessage(
            "hi",
            id="run-1",
            additional_kwargs={"refusal": None, "x": 1},
            tool_calls=[CALL],
            usage_metadata={"input_tokens": 5, "output_tokens": 6, "total_tokens": 11},
            response_metadata={"finish_reason": "length", "logprobs": {"content": [1]}},
        )
        answer = WholeTools(value=message).invoke("q")
        assert (answer.content, answer.id, answer.tool_calls) == ("hi", "run-1", [CALL])
        assert answer.additional_kwargs == {"refusal": None, "x": 1}
        assert answer.usage_metadata == message.usage_metadata
        assert answer.response_metadata == {
            "finish_reason": "length",
            "logprobs": {"content": [1]},
            "model_name": "WholeTools",
        }

    def test_parts_of_content_are_kept(self) -> None:
        parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]
        answer = WholeTools(value=AIMessage(parts)).invoke("q")
        assert answer.content == parts
        assert answer.text == "a"

    def test_logprobs_of_pieces_are_joined(self) -> None:
        pieces = [GenerationChunk(letter, logprobs={"content": [letter]}) for letter in "hi"]
        answer = Tools(pieces=pieces).invoke("q")
        assert answer.response_metadata["logprobs"] == {"content": ["h", "i"]}

    def test_stop_strings_and_max_tokens_cut_messages_too(self) -> None:
        model = Letters()
        assert model.invoke("hello", stop=["l"]).content == "hel"
        assert model.invoke("hello", stop="l", include_stop=False).content == "he"
        cut = model.invoke("hello world", max_tokens=1)
        assert (cut.content, cut.response_metadata["finish_reason"]) == ("hell", "length")

    @pytest.mark.parametrize(
        "piece",
        [
            AIMessageChunk("h"),
            AIMessage("h"),
            Generation("h"),
            b"h",
            langchain_core.messages.AIMessageChunk(content="h"),
        ],
    )
    def test_pieces_may_be(self, piece: Any) -> None:
        assert Tools(pieces=[piece, "i"]).invoke("q").content == "hi"

    async def test_generate_gives_chat_generations(self) -> None:
        model = Letters()
        for result in (model.generate(["hi"], n=2), await model.agenerate(["hi"], n=2)):
            assert [one.message.content for one in result.generations[0]] == ["hi", "hi"]
            assert result.usage.total_tokens == 4


class TestTools:
    @pytest.mark.parametrize(
        ("tool", "schema"),
        [
            (add, ADD_SCHEMA),
            (Add, {**ADD_SCHEMA, "function": {**ADD_SCHEMA["function"], "name": "Add"}}),
            (ADD_SCHEMA, ADD_SCHEMA),
            (ADD_SCHEMA["function"], ADD_SCHEMA),
        ],
    )
    def test_bind_tools_gives_the_hook_openais_schema(self, tool: Any, schema: Any) -> None:
        seen: list[Any] = []
        model = Tools(pieces=["hi"], seen=seen)
        bound = model.bind_tools([tool], tool_choice="auto", heat=1)
        assert bound.invoke("q").content == "hi"
        bound.batch(["q"])
        assert seen == [([schema], {"tool_choice": "auto", "heat": 1})] * 2

    def test_a_function_without_annotations_or_docstring_is_a_tool_too(self) -> None:
        seen: list[Any] = []

        def bare(x, *args, **kwargs): ...  # pyright: ignore  # noqa: PGH003

        Tools(pieces=["hi"], seen=seen).bind_tools([bare]).invoke("q")
        function = seen[0][0][0]["function"]
        assert function["name"] == "bare"
        assert list(function["parameters"]["properties"]) == ["x"]
        assert "description" not in function

    @pytest.mark.parametrize("tool", [4, "add", int, {"type": "function"}])
    def test_what_is_no_tool_is_refused(self, tool: Any) -> None:
        with pytest.raises(InputError, match="tool"):
            Tools(pieces=[]).bind_tools([tool])

    def test_a_model_that_takes_no_tools_says_so(self) -> None:
        with pytest.raises(KeywordError, match="Echo takes no tools: none of its hooks names a pa"):
            Echo().bind_tools([add])

        class Listed(ChatModel):
            supports: ClassVar[frozenset[str]] = frozenset({"tools"})

            def _call(self, messages: list[Any], **kwargs: Any) -> str:
                return kwargs["tools"][0]["function"]["name"]

        assert Listed().bind_tools([add]).invoke("q").content == "add"

    @pytest.mark.parametrize("value", [AIMessage("", tool_calls=[CALL]), Generation("", tool_calls=[CALL])])
    async def test_whole_tool_calls_come_back(self, value: Any) -> None:
        for model in (WholeTools(value=value), Tools(pieces=[value])):
            for answer in (
                model.invoke("q"),
                await model.ainvoke("q"),
                added(model.stream("q")).to_message(),
                added([piece async for piece in model.astream("q")]).to_message(),
            ):
                assert answer.tool_calls == [CALL]
                assert answer.response_metadata["finish_reason"] == "tool_calls"

    @pytest.mark.parametrize("kind", ["message", "generation", "langchain"])
    async def test_fragments_of_tool_calls_merge(self, kind: str) -> None:
        fragments: list[Any] = [
            {"name": "add", "args": "", "id": "c1", "index": 0},
            {"name": None, "args": '{"a": 1, ', "id": None, "index": 0},
            {"name": "neg", "args": '{"x"', "id": "c2", "index": 1},
            {"name": None, "args": '"b": 2}', "id": None, "index": 0},
            {"name": None, "args": ": 3}", "id": None, "index": 1},
        ]
        make: Any = {
            "message": lambda one: AIMessageChunk("", tool_call_chunks=[one]),
            "generation": lambda one: GenerationChunk("", tool_calls=[one]),
            "langchain": lambda one: langchain_core.messages.AIMessageChunk(content="", tool_call_chunks=[one]),
        }[kind]
        model = Tools(pieces=["let me see ", *map(make, fragments)])
        expected = [CALL, {"name": "neg", "args": {"x": 3}, "id": "c2", "type": "tool_call"}]
        for answer in (
            model.invoke("q"),
            await model.ainvoke("q"),
            added(model.stream("q")).to_message(),
            added([piece async for piece in model.astream("q")]).to_message(),
        ):
            assert answer.tool_calls == expected
            assert answer.content == "let me see "
            assert answer.response_metadata["finish_reason"] == "tool_calls"

    def test_a_tools_result_reaches_the_hook(self) -> None:
        class Loop(ChatModel):
            """Asks for a tool, then answers with its result."""

            def _call(self, messages: list[Any], tools: Any = None) -> Any:
                last = messages[-1]
                if isinstance(last, ToolMessage):
                    asked = messages[-2].tool_calls[0]
                    return f"{asked['name']} of {asked['args']} is {last.content}"
                return AIMessage("", tool_calls=[CALL])

        model = Loop().bind_tools([add])
        history: list[Any] = [HumanMessage("1 + 2?")]
        asked = model.invoke(history)
        (call,) = asked.tool_calls
        history += [asked, ToolMessage(str(add(**call["args"])), tool_call_id=call["id"])]
        assert model.invoke(history).content == "add of {'a': 1, 'b': 2} is 3"


class TestToolCallsThatAreNoJson:
    """A call whose arguments cannot be read is told, not dropped: the caller may ask again."""

    class Clumsy(ChatModel):
        def _stream(self, messages: list[Any], tools: Any = None, temperature: float = 1) -> Iterator[GenerationChunk]:
            yield GenerationChunk("", tool_calls=[{"index": 0, "id": "1", "name": "search", "args": '{"q": '}])
            yield GenerationChunk("", tool_calls=[{"index": 1, "id": "2", "name": "now", "args": "{}"}])

    def test_they_are_kept_beside_the_valid_ones(self) -> None:
        answer = self.Clumsy().invoke("hi")
        assert [call["name"] for call in answer.tool_calls] == ["now"]
        assert [(call["id"], call["name"], call["args"]) for call in answer.invalid_tool_calls] == [
            ("1", "search", '{"q": ')
        ]
        assert answer.response_metadata["finish_reason"] == "tool_calls"

    def test_they_go_back_to_the_model_as_they_came(self) -> None:
        answer = self.Clumsy().invoke("hi")
        calls = message_to_dict(answer)["tool_calls"]
        assert {call["function"]["name"]: call["function"]["arguments"] for call in calls} == {
            "search": '{"q": ',
            "now": "{}",
        }

    def test_binding_tools_keeps_what_was_bound_before(self) -> None:
        tool = {"type": "function", "function": {"name": "now", "parameters": {}}}
        bound = self.Clumsy().bind(temperature=0).bind_tools([tool])
        assert bound.kwargs == {"temperature": 0, "tools": [tool]}
