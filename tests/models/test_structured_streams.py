"""`with_structured_output`: objects that grow in a stream, batches, and structure as one runnable of a chain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from typing_extensions import TypedDict

from modelport import (
    LLM,
    AIMessageChunk,
    ChatModel,
    PromptTemplate,
)
from modelport.values.errors import HookError, OutputParserError
from tests.models.people import (
    BAD,
    GOOD,
    PERSON_SCHEMA,
    SCHEMAS,
    WAYS,
    Person,
    PersonDict,
    Runs,
    Streaming,
    Telling,
    all_ways,
)


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

        with pytest.raises(HookError, match="yielded nothing"):
            list(Silent().with_structured_output(Person).stream("who?"))
        with pytest.raises(OutputParserError, match="it is no JSON"):
            list(Streaming(answers=[" "]).with_structured_output(Person).stream("who?"))


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
