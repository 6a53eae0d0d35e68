"""`with_structured_output`: answers are read, validated, repaired once, and given raw to whoever wants them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from modelport import (
    LLM,
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from modelport.values.errors import OutputParserError
from tests.models.people import (
    BAD,
    GOOD,
    MODELS,
    WAYS,
    Calling,
    Chatting,
    Person,
    PersonDict,
    Telling,
    all_ways,
    called,
)


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
