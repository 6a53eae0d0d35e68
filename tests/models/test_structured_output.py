"""`with_structured_output`: how a model is asked, in every way to call, and what is refused."""

from __future__ import annotations

import sys
import typing
from typing import Generic

import pytest
from pydantic import BaseModel, ConfigDict, RootModel

from modelport import (
    LLM,
    ChatModel,
    Generation,
    ModelportError,
)
from modelport.values.errors import InputError, KeywordError, MissingExtraError, OutputParserError
from tests.models.people import (
    BAD,
    GOOD,
    MODELS,
    PERSON_SCHEMA,
    SCHEMAS,
    WAYS,
    Calling,
    Chatting,
    Item,
    OldPersonDict,
    Person,
    PersonDict,
    Runs,
    Telling,
    TextCalling,
    all_models,
    all_schemas,
    all_ways,
    called,
    plain,
)


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
