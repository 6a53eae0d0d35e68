"""`with_structured_output`: objects out of a model, validated, repaired once, in every way to call."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import typing
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from modelport import (
    LLM,
    AIMessage,
    AIMessageChunk,
    BaseCallbackHandler,
    ChatModel,
    Generation,
    HumanMessage,
    ModelportError,
    PromptTemplate,
    SystemMessage,
    ToolMessage,
)
from modelport.values.errors import InputError, KeywordError, MissingExtraError, OutputParserError

GOOD = '{"name": "Ann", "age": 30}'
BAD = '{"name": "Ann", "age": "thirty"}'
Item = TypeVar("Item")


class Person(BaseModel):
    """Somebody."""

    name: str = Field(description="what they are called")
    age: int


class PersonDict(TypedDict):
    """Somebody."""

    name: Annotated[str, ..., "what they are called"]
    age: int


class OldPersonDict(typing.TypedDict):
    name: Annotated[str, ..., "what they are called"]
    age: int
    pets: NotRequired[list[str]]


PERSON_SCHEMA = {
    "title": "Person",
    "description": "Somebody.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
SCHEMAS = {"pydantic": Person, "typed_dict": PersonDict, "old_typed_dict": OldPersonDict, "json_schema": PERSON_SCHEMA}


class Telling(LLM):
    """Answers by `response_format`, with what it was made of, one after the other."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, prompt, stop=None, run_manager=None, response_format=None, **kwargs):
        self.calls.append({"prompt": prompt, "response_format": response_format, **kwargs})
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


class Chatting(ChatModel):
    """Answers by `response_format`."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, messages, stop=None, run_manager=None, response_format=None, **kwargs):
        self.calls.append({"messages": messages, "response_format": response_format, **kwargs})
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


def called(text, name="Person"):
    """Return the message of a tool call with these arguments, broken ones as their text."""
    try:
        args = json.loads(text)
    except ValueError:
        args = text
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": "c1", "type": "tool_call"}])


class Calling(ChatModel):
    """Answers by a tool call."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, messages, stop=None, run_manager=None, tools=(), tool_choice=None):
        self.calls.append({"messages": messages, "tools": tools, "tool_choice": tool_choice})
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        return called(answer, tools[0]["function"]["name"]) if isinstance(answer, str) else answer


class TextCalling(LLM):
    """Is a text model that answers by a tool call."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, prompt, tools=()):
        self.calls.append({"prompt": prompt, "tools": tools})
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        return Generation("", tool_calls=called(answer, tools[0]["function"]["name"]).tool_calls)


MODELS = {"text": Telling, "chat": Chatting, "tools": Calling, "text_tools": TextCalling}


async def by_astream(structured, value):
    return [piece async for piece in structured.astream(value)][-1]


WAYS = {
    "invoke": lambda structured, value: structured.invoke(value),
    "ainvoke": lambda structured, value: asyncio.run(structured.ainvoke(value)),
    "batch": lambda structured, value: structured.batch([value])[0],
    "abatch": lambda structured, value: asyncio.run(structured.abatch([value]))[0],
    "stream": lambda structured, value: list(structured.stream(value))[-1],
    "astream": lambda structured, value: asyncio.run(by_astream(structured, value)),
    "transform": lambda structured, value: list(structured.transform(iter([value])))[-1],
}
all_models = pytest.mark.parametrize("model", MODELS)
all_schemas = pytest.mark.parametrize("schema", SCHEMAS)
all_ways = pytest.mark.parametrize("way", WAYS)


def plain(value):
    return value.model_dump() if isinstance(value, BaseModel) else value


@all_models
@all_schemas
@all_ways
class TestEveryWay:
    def test_gives_an_object_of_the_schema(self, model, schema, way):
        made = MODELS[model](answers=[GOOD])
        output = WAYS[way](made.with_structured_output(SCHEMAS[schema]), "who?")
        assert plain(output) == {"name": "Ann", "age": 30}
        assert isinstance(output, Person if schema == "pydantic" else dict)
        assert len(made.calls) == 1

    def test_lets_the_model_repair_a_wrong_answer_once(self, model, schema, way):
        made = MODELS[model](answers=[BAD, GOOD])
        output = WAYS[way](made.with_structured_output(SCHEMAS[schema]), "who?")
        assert plain(output) == {"name": "Ann", "age": 30}
        assert len(made.calls) == 2

    def test_and_only_once(self, model, schema, way):
        made = MODELS[model](answers=[BAD, BAD, GOOD])
        with pytest.raises(OutputParserError, match=r"is no \w+, also when asked to repair it: age: .*It was .*thirty"):
            WAYS[way](made.with_structured_output(SCHEMAS[schema]), "who?")
        assert len(made.calls) == 2


class TestHowTheModelIsAsked:
    def test_by_response_format_with_the_schema(self):
        for model in (Telling(answers=[GOOD]), Chatting(answers=[GOOD])):
            model.with_structured_output(Person).invoke("who?")
            told = model.calls[0]["response_format"]
            assert told == {
                "type": "json_schema",
                "json_schema": {"name": "Person", "description": "Somebody.", "schema": Person.model_json_schema()},
            }

    def test_by_one_tool_that_must_be_called(self):
        model = Calling(answers=[GOOD])
        model.with_structured_output(Person).invoke("who?")
        parameters = Person.model_json_schema()
        del parameters["title"], parameters["description"]
        function = {"name": "Person", "description": "Somebody.", "parameters": parameters}
        assert model.calls[0]["tools"] == [{"type": "function", "function": function}]
        assert model.calls[0]["tool_choice"] == {"type": "function", "function": {"name": "Person"}}

    def test_a_hook_that_takes_no_tool_choice_gets_none(self):
        model = TextCalling(answers=[GOOD])
        model.with_structured_output(Person).invoke("who?")
        assert list(model.calls[0]) == ["prompt", "tools"]

    def test_json_mode_tells_the_model_nothing_of_the_schema(self):
        model = Telling(answers=[GOOD])
        assert model.with_structured_output(Person, method="json_mode").invoke("who?").age == 30
        assert model.calls[0]["response_format"] == {"type": "json_object"}

    def test_a_method_of_the_callers_choice(self):
        class Both(ChatModel):
            seen: list[str] = []

            def _call(self, messages, response_format=None, tools=None):
                self.seen.append("response_format" if response_format else "tools")
                return GOOD if response_format else called(GOOD)

        model = Both()
        for method in (None, "json_schema", "function_calling"):
            assert model.with_structured_output(Person, method=method).invoke("who?").name == "Ann"
        assert model.seen == ["response_format", "response_format", "tools"]

    def test_what_the_class_says_it_supports_counts(self):
        class Listed(LLM):
            supports = frozenset({"response_format"})

            def _call(self, prompt, **kwargs):
                return GOOD if "response_format" in kwargs else ""

        assert Listed().with_structured_output(Person).invoke("who?").age == 30

    @pytest.mark.parametrize("strict", [True, False])
    def test_strict_is_told(self, strict):
        for model, function in ((Telling(answers=[GOOD]), None), (Calling(answers=[GOOD]), "function")):
            model.with_structured_output(Person, strict=strict).invoke("who?")
            (call,) = model.calls
            told = call["tools"][0]["function"] if function else call["response_format"]["json_schema"]
            assert told["strict"] is strict
            assert told["parameters" if function else "schema"].get("additionalProperties") is (
                False if strict else None
            )

    def test_descriptions_of_a_typed_dicts_fields_are_told(self):
        for schema in (PersonDict, OldPersonDict):
            model = Telling(answers=[GOOD])
            model.with_structured_output(schema).invoke("who?")
            told = model.calls[0]["response_format"]["json_schema"]
            assert told["schema"]["properties"]["name"]["description"] == "what they are called"
            assert told["schema"]["required"] == ["name", "age"]

    def test_a_generic_model_has_a_name_that_openai_takes(self):
        class Box(BaseModel, Generic[Item]):
            item: Item

        model = Calling(answers=['{"item": 1}'])
        assert model.with_structured_output(Box[int]).invoke("which?").item == 1
        assert model.calls[0]["tools"][0]["function"]["name"] == "Box_int"

    @pytest.mark.parametrize(
        "form",
        [
            {"name": "Person", "description": "Somebody.", "parameters": PERSON_SCHEMA},
            {"type": "function", "function": {"name": "Person", "parameters": PERSON_SCHEMA}},
            {"type": "json_schema", "json_schema": {"name": "Person", "schema": PERSON_SCHEMA, "strict": True}},
            {"name": "Person", "schema": {"type": "object", "properties": PERSON_SCHEMA["properties"]}},
        ],
    )
    def test_openais_own_forms_are_taken(self, form):
        model = Telling(answers=[GOOD])
        assert model.with_structured_output(form).invoke("who?") == {"name": "Ann", "age": 30}
        told = model.calls[0]["response_format"]["json_schema"]
        assert told["name"] == "Person"
        assert told["schema"]["properties"] == PERSON_SCHEMA["properties"]
        assert "name" not in told["schema"]

    def test_keywords_of_a_call_and_of_a_bound_model_reach_every_call_of_it(self):
        for bind in (
            lambda model: model.bind(temperature=0.5).with_structured_output(Person),
            lambda model: model.with_structured_output(Person).bind(temperature=0.5),
        ):
            model = Telling(answers=[BAD, GOOD])
            assert bind(model).invoke("who?", seed=7).age == 30
            assert [(call["temperature"], call["seed"]) for call in model.calls] == [(0.5, 7)] * 2

    def test_a_bound_text_model_with_tools_keeps_its_keywords(self):
        class Warm(TextCalling):
            def _call(self, prompt, tools=None, temperature=None):
                self.calls.append({"temperature": temperature})
                return Generation("", tool_calls=called(GOOD).tool_calls)

        model = Warm(answers=[])
        assert model.bind(temperature=0.5).with_structured_output(Person).invoke("who?").age == 30
        assert model.calls == [{"temperature": 0.5}]

    def test_a_config_of_a_bound_model_holds(self):
        runs = Runs()
        model = Telling(answers=[GOOD])
        model.with_config(callbacks=[runs]).with_structured_output(Person).invoke("who?")
        assert runs.told == ["start Telling"]


class Plain(LLM):
    def _call(self, prompt, **kwargs):
        return GOOD


class HalfWay(LLM):
    def _call(self, prompt, response_format=None):
        return GOOD

    def _stream(self, prompt, **kwargs):
        yield GOOD


class TestRefusals:
    def test_a_model_that_takes_neither_is_refused_at_once_and_told_what_to_add(self):
        with pytest.raises(KeywordError, match=r"Plain can give no .*`response_format` or `tools`.* to Plain\._call"):
            Plain().with_structured_output(Person)

    def test_all_hooks_that_answer_must_take_it(self):
        with pytest.raises(KeywordError, match=r"add a parameter `response_format=None` to HalfWay\._stream,"):
            HalfWay().with_structured_output(Person)

    def test_a_forced_method_that_the_hooks_do_not_take(self):
        with pytest.raises(
            KeywordError, match=r"Telling can .* by 'function_calling': .*`tools=None` to Telling\._call"
        ):
            Telling(answers=[]).with_structured_output(Person, method="function_calling")
        with pytest.raises(KeywordError, match=r"Calling can .* by 'json_mode': .*`response_format=None`"):
            Calling(answers=[]).with_structured_output(Person, method="json_mode")

    def test_an_unknown_method_is_told_the_near_one(self):
        with pytest.raises(InputError, match=r"'json_shema' is no method .*did you mean 'json_schema'"):
            Telling(answers=[]).with_structured_output(Person, method="json_shema")  # pyright: ignore[reportArgumentType, reportCallIssue]

    @pytest.mark.parametrize("schema", [int, "Person", None, Person(name="a", age=1), list[int], LLM.__mro__[-1]])
    def test_what_is_no_schema(self, schema):
        with pytest.raises(InputError, match="is no schema of a structured output"):
            Telling(answers=[]).with_structured_output(schema)

    def test_a_json_schema_without_a_name(self):
        with pytest.raises(InputError, match="needs a name: give it a 'title'"):
            Telling(answers=[]).with_structured_output({"type": "object", "properties": {}})

    def test_a_json_schema_that_is_none(self):
        with pytest.raises(InputError, match=r"Person is no JSON Schema: .*'objekt'.*at \$\.type"):
            Telling(answers=[]).with_structured_output({"title": "Person", "type": "objekt"})

    @pytest.mark.parametrize("schema", [RootModel[list[int]], {"title": "Numbers", "type": "array"}])
    def test_what_describes_no_object(self, schema):
        with pytest.raises(InputError, match="describes no object"):
            Telling(answers=[]).with_structured_output(schema)

    def test_a_pydantic_model_without_a_json_form(self):
        class Odd(BaseModel):
            model_config = ConfigDict(arbitrary_types_allowed=True)
            what: object.__class__
            how: typing.Callable[[], int]

        with pytest.raises(InputError, match="Odd is no schema of a structured output: "):
            Telling(answers=[]).with_structured_output(Odd)

    def test_without_jsonschema_the_extra_is_named_and_the_other_schemas_work(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "jsonschema", None)
        model = Telling(answers=[GOOD])
        assert model.with_structured_output(Person).invoke("who?").age == 30
        with pytest.raises(MissingExtraError, match=r"needs the extra 'structured'"):
            model.with_structured_output(PERSON_SCHEMA)

    def test_a_reference_to_elsewhere_is_not_fetched(self):
        schema = {"title": "X", "type": "object", "properties": {"a": {"$ref": "http://localhost:9/schema.json"}}}
        structured = Telling(answers=['{"a": 1}']).with_structured_output(schema)
        with pytest.raises(ModelportError, match=r"X refers to what is not in it: 'http://localhost:9/schema.json'"):
            structured.invoke("who?")


class TestReading:
    @pytest.mark.parametrize("text", [f"Here it is:\n```json\n{GOOD}\n```", f"  {GOOD} I hope this helps", f"\n{GOOD}"])
    def test_prose_and_fences_around_the_json_are_passed_over(self, text):
        assert Telling(answers=[text]).with_structured_output(Person).invoke("who?").age == 30

    @pytest.mark.parametrize("text", ["", "I cannot tell.", '{"name": "Ann", "a', "[1, 2]", "3"])
    def test_what_is_no_such_object_is_an_error_with_its_text(self, text):
        with pytest.raises(OutputParserError, match="the answer is no Person") as caught:
            Telling(answers=[text]).with_structured_output(Person).invoke("who?")
        assert caught.value.llm_output == text
        assert isinstance(caught.value, ValueError)

    def test_the_paths_of_wrong_fields_are_named_and_many_are_counted(self):
        class Line(BaseModel):
            amount: int

        class Bill(BaseModel):
            lines: list[Line]

        text = json.dumps({"lines": [{"amount": 1}, {"amount": "x"}, *[{}] * 12]})
        with pytest.raises(
            OutputParserError, match=r"lines\.1\.amount: .*; lines\.2\.amount: Field required;.*and 3 more"
        ):
            Telling(answers=[text]).with_structured_output(Bill).invoke("what?")
        schema = {**Bill.model_json_schema(), "additionalProperties": False}
        with pytest.raises(OutputParserError, match=r"lines\.1\.amount: 'x' is not of type 'integer'"):
            Telling(answers=[text]).with_structured_output(schema).invoke("what?")

    def test_a_strict_pydantic_model_takes_what_json_writes_as_text(self):
        class Event(BaseModel):
            model_config = ConfigDict(strict=True)
            day: dt.date
            kind: Literal["a", "b"]

        for model in (Telling, Calling):
            text = '{"day": "2024-02-29", "kind": "a"}'
            event = model(answers=[text]).with_structured_output(Event).invoke("when?")
            assert event == Event(day=dt.date(2024, 2, 29), kind="a")

    def test_a_recursive_model(self):
        class Node(BaseModel):
            value: int
            children: list[Node] = []

        Node.model_rebuild()
        model = Calling(answers=['{"value": 1, "children": [{"value": 2}]}'])
        node = model.with_structured_output(Node).invoke("tree?")
        assert node.children[0].value == 2
        parameters = model.calls[0]["tools"][0]["function"]["parameters"]
        assert parameters["type"] == "object"
        assert "Node" in parameters["$defs"]

    def test_a_call_of_another_tool_is_wrong_and_ours_is_found_among_others(self):
        other = {"name": "search", "args": {}, "id": "c0", "type": "tool_call"}
        both = AIMessage("", tool_calls=[other, *called(GOOD).tool_calls])
        assert Calling(answers=[both]).with_structured_output(Person).invoke("who?").age == 30
        only = Calling(answers=[AIMessage("", tool_calls=[other])])
        with pytest.raises(OutputParserError, match="the tool 'Person' was not called; only search were"):
            only.with_structured_output(Person).invoke("who?")

    @pytest.mark.parametrize("model", ["tools", "text_tools"])
    def test_arguments_that_are_no_json_are_repaired_too(self, model):
        made = MODELS[model](answers=['{"name": ', GOOD])
        assert made.with_structured_output(Person).invoke("who?").age == 30
        asked = made.calls[1].get("prompt") or made.calls[1]["messages"][-1].text
        assert "it is no JSON (it ends too early)" in asked

    def test_secrets_of_the_model_are_not_in_the_error(self):
        from pydantic import SecretStr

        class Keyed(Telling):
            key: SecretStr

        model = Keyed(answers=['{"name": "sk-very-secret"}'], key=SecretStr("sk-very-secret"))
        with pytest.raises(OutputParserError) as caught:
            model.with_structured_output(Person).invoke("who?")
        assert "sk-very-secret" not in str(caught.value)
        assert "***" in str(caught.value)


class TestRepair:
    def test_a_chat_model_sees_its_answer_and_what_is_wrong(self):
        model = Chatting(answers=[BAD, GOOD])
        model.with_structured_output(Person).invoke([("system", "be brief"), ("human", "who?")])
        system, human, answer, problem = model.calls[1]["messages"]
        assert (system, human) == (SystemMessage("be brief"), HumanMessage("who?"))
        assert (answer.type, answer.text) == ("ai", BAD)
        assert isinstance(problem, HumanMessage)
        assert "age: Input should be a valid integer" in problem.text
        assert model.calls[1]["response_format"] == model.calls[0]["response_format"]

    def test_a_tool_call_gets_its_result_before_it_is_repaired(self):
        model = Calling(answers=[BAD, GOOD])
        model.with_structured_output(Person).invoke("who?")
        human, answer, result = model.calls[1]["messages"]
        assert human == HumanMessage("who?")
        assert answer.tool_calls[0]["args"] == json.loads(BAD)
        assert isinstance(result, ToolMessage)
        assert (result.tool_call_id, result.status) == ("c1", "error")
        assert "age: Input should be a valid integer" in result.text

    def test_a_chat_model_that_calls_no_tool_is_told_so(self):
        model = Calling(answers=[AIMessage("Ann is 30."), GOOD])
        assert model.with_structured_output(Person).invoke("who?").age == 30
        *_, answer, problem = model.calls[1]["messages"]
        assert answer.text == "Ann is 30."
        assert "the tool 'Person' was not called; no tool was" in problem.text

    def test_a_text_goes_on_as_text_and_messages_as_messages(self):
        model = Telling(answers=[BAD, GOOD])
        model.with_structured_output(Person).invoke("who?")
        prompt = model.calls[1]["prompt"]
        assert prompt.startswith(f"who?\n\n{BAD}\n\nThat answer is no Person: age: ")
        model = Telling(answers=[BAD, GOOD], chat_template="chatml")
        model.with_structured_output(Person).invoke([("human", "who?")])
        prompt = model.calls[1]["prompt"]
        assert prompt.startswith(
            f"<|im_start|>user\nwho?<|im_end|>\n<|im_start|>assistant\n{BAD}<|im_end|>\n<|im_start|>user\nThat answer"
        )
        assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")

    def test_a_failure_of_the_model_itself_is_the_callers_to_see(self):
        class Broken(LLM):
            calls: list[str] = []

            def _call(self, prompt, response_format=None):
                self.calls.append(prompt)
                if len(self.calls) > 1:
                    raise ConnectionError("gone")
                return BAD

        for include_raw in (False, True):
            with pytest.raises(ConnectionError, match="gone"):
                Broken().with_structured_output(Person, include_raw=include_raw).invoke("who?")


class TestIncludeRaw:
    @all_ways
    def test_what_was_said_and_what_it_came_to(self, way):
        model = Chatting(answers=[BAD, GOOD])
        output = WAYS[way](model.with_structured_output(Person, include_raw=True), "who?")
        assert output["parsed"] == Person(name="Ann", age=30)
        assert output["parsing_error"] is None
        assert isinstance(output["raw"], AIMessage)
        assert output["raw"].text == GOOD

    @all_ways
    def test_a_wrong_answer_raises_nothing(self, way):
        model = Telling(answers=[BAD])
        output = WAYS[way](model.with_structured_output(PersonDict, include_raw=True), "who?")
        assert (output["raw"], output["parsed"]) == (BAD, None)
        assert isinstance(output["parsing_error"], OutputParserError)
        assert len(model.calls) == 2


class Streaming(LLM):
    """Streams its answers letter by letter."""

    answers: list[str]
    calls: list[str] = []

    def _stream(self, prompt, response_format=None):
        self.calls.append(prompt)
        yield from self.answers[min(len(self.calls), len(self.answers)) - 1]


class StreamingCalls(ChatModel):
    """Streams the arguments of a tool call in fragments, after those of another one."""

    pieces: list[str]

    def _stream(self, messages, tools=None):
        yield AIMessageChunk(tool_call_chunks=[{"name": "other", "args": '{"x": 1}', "id": "c0", "index": 0}])
        yield AIMessageChunk(tool_call_chunks=[{"name": "Person", "args": "", "id": "c1", "index": 1}])
        for piece in self.pieces:
            yield AIMessageChunk(tool_call_chunks=[{"name": None, "args": piece, "id": None, "index": 1}])


class TestStreams:
    @pytest.mark.parametrize("schema", ["typed_dict", "json_schema"])
    async def test_a_dict_grows(self, schema):
        structured = Streaming(answers=[GOOD]).with_structured_output(SCHEMAS[schema])
        expected = [{}, {"name": ""}, {"name": "A"}, {"name": "An"}, {"name": "Ann"}]
        expected += [{"name": "Ann", "age": 3}, {"name": "Ann", "age": 30}]
        assert list(structured.stream("who?")) == expected
        assert [piece async for piece in structured.astream("who?")] == expected

    async def test_a_dict_grows_out_of_a_tool_calls_fragments(self):
        model = StreamingCalls(pieces=['{"na', 'me": "A', 'nn", ', '"age": 30}'])
        structured = model.with_structured_output(PERSON_SCHEMA)
        expected = [{}, {"name": "A"}, {"name": "Ann"}, {"name": "Ann", "age": 30}]
        assert list(structured.stream("who?")) == expected
        assert [piece async for piece in structured.astream("who?")] == expected

    async def test_an_object_comes_once_and_whole(self):
        structured = Streaming(answers=[GOOD]).with_structured_output(Person)
        assert list(structured.stream("who?")) == [Person(name="Ann", age=30)]
        assert [piece async for piece in structured.astream("who?")] == [Person(name="Ann", age=30)]

    async def test_the_repaired_dict_comes_last(self):
        for count in (lambda one: list(one.stream("who?")), lambda one: asyncio.run(_all(one))):
            model = Streaming(answers=[BAD, GOOD])
            pieces = await asyncio.to_thread(count, model.with_structured_output(PersonDict))
            assert pieces[-2:] == [{"name": "Ann", "age": "thirty"}, {"name": "Ann", "age": 30}]
            assert len(model.calls) == 2

    def test_values_that_validation_changes_come_changed_at_the_end(self):
        class Priced(TypedDict):
            price: float

        pieces = list(Streaming(answers=['{"price": 3}']).with_structured_output(Priced).stream("what?"))
        assert repr(pieces[-1]) == "{'price': 3.0}"

    def test_closing_the_stream_closes_the_model(self):
        closed = []

        class Endless(LLM):
            def _stream(self, prompt, response_format=None):
                try:
                    yield '{"name": "'
                    while True:
                        yield "a"
                finally:
                    closed.append(True)

        stream = Endless().with_structured_output(PersonDict).stream("who?")
        assert next(stream) == {"name": ""}
        assert next(stream) == {"name": "a"}
        stream.close()
        assert closed == [True]

    def test_a_model_that_says_nothing_is_wrong_and_not_broken(self):
        class Silent(ChatModel):
            def _stream(self, messages, tools=None):
                yield from ()

        with pytest.raises(OutputParserError, match="the tool 'Person' was not called"):
            list(Silent().with_structured_output(Person).stream("who?"))
        with pytest.raises(OutputParserError, match="it is no JSON"):
            list(Streaming(answers=[""]).with_structured_output(Person).stream("who?"))


async def _all(structured):
    return [piece async for piece in structured.astream("who?")]


class Batching(LLM):
    """Answers many at once: rightly when it is asked to repair, else only the even ones."""

    batches: list[list[str]] = []

    def _batch(self, prompts, response_format=None):
        self.batches.append(prompts)
        right = ["That answer" in prompt or int(prompt) % 2 == 0 for prompt in prompts]
        wrong = [ConnectionError("gone") if "7" in prompt else BAD for prompt in prompts]
        return [GOOD if one else other for one, other in zip(right, wrong, strict=True)]


class TestBatches:
    async def test_one_hook_call_answers_all_and_one_repairs_all_that_were_wrong(self):
        for run in ("batch", "abatch"):
            model = Batching()
            structured = model.with_structured_output(Person)
            inputs = [str(number) for number in range(5)]
            outputs = structured.batch(inputs) if run == "batch" else await structured.abatch(inputs)
            assert outputs == [Person(name="Ann", age=30)] * 5
            first, repairs = model.batches
            assert first == inputs
            assert [prompt.split("\n")[0] for prompt in repairs] == ["1", "3"]

    async def test_a_failure_stays_in_its_slot(self):
        structured = Batching().with_structured_output(Person, include_raw=True)
        for outputs in (
            structured.batch(["0", "7", "1"], return_exceptions=True),
            await structured.abatch(["0", "7", "1"], return_exceptions=True),
        ):
            assert [type(output) for output in outputs] == [dict, ConnectionError, dict]
        with pytest.raises(ConnectionError):
            structured.batch(["0", "7"])

    def test_right_ones_are_not_asked_again(self):
        model = Batching()
        model.with_structured_output(Person).batch(["0", "2"])
        assert len(model.batches) == 1

    def test_wrong_ones_fail_alone(self):
        class ByPrompt(LLM):
            def _call(self, prompt, response_format=None):
                return BAD if prompt.startswith("bad") else GOOD

        outputs = ByPrompt().with_structured_output(Person).batch(["a", "bad", "b"], return_exceptions=True)
        assert [type(output) for output in outputs] == [Person, OutputParserError, Person]


class Runs(BaseCallbackHandler):
    """Keeps which runs start, with their parents' names."""

    def __init__(self):
        self.told, self.names = [], {}

    def _start(self, serialized, run_id, parent_run_id, name, tags):
        self.names[run_id] = name
        parent = self.names.get(parent_run_id)
        self.told.append(f"start {name}" + (f" in {parent} {tags}" if parent else ""))

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, tags=None, **kwargs):
        self._start(serialized, run_id, parent_run_id, kwargs["name"], tags)

    def on_llm_start(self, serialized, prompts, *, run_id, parent_run_id=None, tags=None, **kwargs):
        self._start(serialized, run_id, parent_run_id, kwargs.get("name") or serialized["name"], tags)

    def on_chain_end(self, outputs, *, run_id, **kwargs):
        self.told.append(f"end {self.names[run_id]} {outputs}")

    def on_chain_error(self, error, *, run_id, **kwargs):
        self.told.append(f"error {self.names[run_id]} {type(error).__name__}")


class TestAsARunnable:
    @all_ways
    def test_the_models_runs_are_inside_of_its_own(self, way):
        runs = Runs()
        structured = Telling(answers=[BAD, GOOD]).with_structured_output(PersonDict)
        WAYS[way](structured.with_config(callbacks=[runs]), "who?")
        assert runs.told == [
            "start StructuredOutput",
            "start Telling in StructuredOutput ['seq:step:1']",
            "start Telling in StructuredOutput ['seq:step:2']",
            "end StructuredOutput {'name': 'Ann', 'age': 30}",
        ]

    @all_ways
    def test_an_answer_that_stays_wrong_is_an_error_of_its_run(self, way):
        runs = Runs()
        structured = Telling(answers=[BAD]).with_structured_output(PersonDict)
        with pytest.raises(OutputParserError):
            WAYS[way](structured.with_config(callbacks=[runs]), "who?")
        assert runs.told[-1] == "error StructuredOutput OutputParserError"

    def test_it_is_a_step_of_a_sequence(self):
        structured = Telling(answers=[GOOD]).with_structured_output(Person)
        chain = PromptTemplate.from_template("who is {who}?") | structured | (lambda person: person.age)
        assert chain.invoke({"who": "Ann"}) == 30
        assert list(chain.stream({"who": "Ann"})) == [30]
        assert chain.batch([{"who": "Ann"}] * 3) == [30] * 3

    async def test_its_stream_is_seen_in_events(self):
        structured = Streaming(answers=[GOOD]).with_structured_output(PersonDict)
        events = [event async for event in structured.astream_events("who?")]
        kinds = [event["event"] for event in events if "stream" not in event["event"]]
        assert kinds == ["on_chain_start", "on_llm_start", "on_llm_end", "on_chain_end"]
        pieces = [e["data"]["chunk"] for e in events if e["event"] == "on_chain_stream"]
        assert pieces[-1] == {"name": "Ann", "age": 30}
        assert events[-1]["data"]["output"] == {"name": "Ann", "age": 30}

    def test_a_deadline_holds_for_both_calls(self):
        structured = Telling(answers=[BAD, GOOD]).with_structured_output(Person)
        assert structured.invoke("who?", {"timeout": 60}).age == 30
        with pytest.raises(TimeoutError):
            structured.invoke("who?", {"timeout": 0})

    def test_its_schemas_are_the_models_and_its_own(self):
        model = Telling(answers=[])
        structured = model.with_structured_output(Person)
        assert structured.OutputType is Person
        assert (
            structured.get_output_schema().model_json_schema()["properties"] == Person.model_json_schema()["properties"]
        )
        assert structured.InputType == model.InputType
        assert model.with_structured_output(Person, include_raw=True).OutputType == dict[str, Any]
        assert repr(structured) == f"StructuredOutput(Person, {model!r})"
