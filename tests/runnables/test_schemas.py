"""`get_input_schema` and `get_output_schema`, beside real langchain-core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from modelport import (
    LLM,
    AIMessage,
    ChatModel,
    ChatPromptTemplate,
    HumanMessage,
    JsonOutputParser,
    MessagesPlaceholder,
    PromptTemplate,
    Runnable,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    StrOutputParser,
)
from modelport.values.messages import Message
from modelport.values.prompt_values import ChatPromptValue, StringPromptValue

PROMPT = ChatPromptTemplate.from_messages([("human", "{q}")])


def upper(text: str) -> str:
    return text.upper()


class CustomLLM(LLM):
    def _call(self, prompt: str) -> str:
        return prompt


class Chat(ChatModel):
    def _call(self, messages: Any) -> str:
        return "hi"


class Question(BaseModel):
    text: str


def ask(question: Question) -> int:
    return len(question.text)


def given(runnable: Any) -> dict[str, Any]:
    return runnable.get_input_schema().model_json_schema()


def result(runnable: Any) -> dict[str, Any]:
    return runnable.get_output_schema().model_json_schema()


def test_a_model_takes_texts_prompt_values_and_messages() -> None:
    schema = given(CustomLLM())
    assert schema["title"] == "CustomLLMInput"
    kinds = [one.get("title", one["type"]) for one in schema["anyOf"]]
    assert kinds == ["string", "StringPromptValue", "ChatPromptValue", "array"]
    jsonschema.Draft202012Validator.check_schema(schema)
    for value in ("hi", {"text": "hi"}, {"messages": []}, [{"type": "human", "content": "hi"}]):
        jsonschema.validate(value, schema)
    for value in (3, {"other": 1}, [{"content": "hi", "type": "nobody"}]):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, schema)


def test_the_schema_is_a_model_that_checks_what_invoke_takes() -> None:
    schema = CustomLLM().get_input_schema()
    for value in ("hi", StringPromptValue("hi"), ChatPromptValue([]), [HumanMessage("hi")], [("human", "hi")]):
        assert schema.model_validate(value).root == value  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValidationError):
        schema.model_validate(3)


def test_a_text_model_gives_a_string_and_a_chat_model_a_message() -> None:
    assert result(CustomLLM()) == {"title": "CustomLLMOutput", "type": "string"}
    schema = result(Chat())
    assert schema["title"] == "ChatOutput"
    assert schema["properties"]["type"] == {"const": "ai", "type": "string"}
    assert Chat().OutputType is AIMessage


def test_a_prompt_requires_its_variables_but_not_those_given_beforehand() -> None:
    whole = ChatPromptTemplate.from_messages([("system", "{tone}"), ("human", "{q}")])
    assert given(whole)["required"] == ["tone", "q"]
    assert given(whole.partial(tone="calm")) == {
        "title": "PromptInput",
        "type": "object",
        "properties": {"q": {"title": "Q", "type": "string"}},
        "required": ["q"],
    }


def test_places_for_messages_are_lists_of_them() -> None:
    schema = given(
        ChatPromptTemplate.from_messages(
            [
                MessagesPlaceholder("history"),
                MessagesPlaceholder("more", optional=True),
                ("human", "{q}"),
            ]
        )
    )
    assert sorted(schema["required"]) == ["history", "q"]
    assert [one["title"] for one in schema["properties"]["history"]["items"]["anyOf"]] == [
        "SystemMessage",
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
    ]


@pytest.mark.parametrize("variable", ["copy", "schema", "json", "model_config", "_private", "model_fields", "validate"])
def test_a_variable_may_have_a_name_that_pydantic_uses_itself(variable: str) -> None:
    model = PromptTemplate.from_template("{" + variable + "}").get_input_schema()
    assert list(model.model_json_schema()["properties"]) == [variable]
    assert model.model_validate({variable: "x"}).model_dump(by_alias=True) == {variable: "x"}


def test_a_chain_takes_what_its_first_step_takes_and_gives_what_its_last_one_gives() -> None:
    chain = PROMPT | CustomLLM() | RunnableLambda(ask)
    assert given(chain)["title"] == "PromptInput"
    assert result(chain) == {"title": "ask_output", "type": "integer"}
    assert chain.OutputType is int


def test_the_steps_of_a_parallel_are_merged() -> None:
    other = ChatPromptTemplate.from_messages([("human", "{q} {tone}")])
    parallel = RunnableParallel(a=PROMPT | CustomLLM(), b=other | RunnableLambda(ask))
    assert given(parallel)["required"] == ["q", "tone"]
    assert result(parallel) == {
        "title": "RunnableParallel<a,b>Output",
        "type": "object",
        "properties": {"a": {"title": "A", "type": "string"}, "b": {"title": "B", "type": "integer"}},
        "required": ["a", "b"],
    }


def test_steps_of_one_type_leave_a_parallel_that_type() -> None:
    assert given(RunnableParallel(a=RunnableLambda(upper), b=RunnableLambda(upper)))["type"] == "string"


def test_assigned_keys_come_beside_those_of_the_input() -> None:
    schema = result(RunnablePassthrough.assign(k=PROMPT | CustomLLM()))
    assert list(schema["properties"]) == ["q", "k"]


def test_a_branch_gives_what_any_of_its_steps_gives() -> None:
    same = RunnableBranch((lambda _: True, RunnableLambda(upper)), CustomLLM())
    assert result(same)["type"] == "string"
    either = RunnableBranch((lambda _: True, RunnableLambda(upper)), RunnableLambda(ask))
    assert [one["type"] for one in result(either)["anyOf"]] == ["string", "integer"]


def test_functions_say_it_by_their_annotations() -> None:
    def pieces(text: str) -> Iterator[int]:
        yield len(text)

    async def apieces(text: str) -> AsyncIterator[bytes]:
        yield text.encode()

    async def wait(texts: list[str]) -> Message:
        return HumanMessage(texts[0])

    def unresolved(value: Missing) -> int:  # type: ignore[name-defined] # noqa: F821  # pyright: ignore[reportUndefinedVariable]
        return 0

    assert RunnableLambda(pieces).OutputType is int
    assert RunnableLambda(apieces).OutputType is bytes
    assert given(RunnableLambda(wait))["items"] == {"type": "string"}
    assert len(result(RunnableLambda(wait))["anyOf"]) == 4
    assert given(RunnableLambda(unresolved)) == {"title": "unresolved_input"}
    assert given(RunnableLambda(len))["title"] == "len_input"
    assert given(RunnableLambda(ask))["title"] == "Question"


def test_a_class_says_it_by_its_type_arguments() -> None:
    class Doubling(Runnable[int, list[int]]):
        def invoke(self, input: int, config: Any = None, **kwargs: Any) -> list[int]:
            return [input, input]

    class Inherits(Doubling):
        pass

    for runnable in (Doubling(), Inherits()):
        assert (runnable.InputType, runnable.OutputType) == (int, list[int])
    assert result(Inherits()) == {"title": "InheritsOutput", "type": "array", "items": {"type": "integer"}}


def test_a_type_without_a_json_form_is_left_open() -> None:
    class Handle:
        pass

    def use(handle: Handle) -> object:
        return handle

    runnable = RunnableLambda(use).with_types(input_type=Handle)
    assert given(runnable)["title"] == "use_input"
    with pytest.raises(ValidationError):
        runnable.get_input_schema().model_validate(3)


# ── with_types ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_with_types_says_other_types_and_calls_the_same() -> None:
    typed = RunnableLambda(lambda value: value).with_types(input_type=dict[str, int], output_type=int)
    assert given(typed)["additionalProperties"] == {"type": "integer"}
    assert result(typed) == {"title": "RunnableLambdaOutput", "type": "integer"}
    assert (typed.InputType, typed.OutputType) == (dict[str, int], int)
    assert typed.invoke("anything") == "anything"
    assert (typed | CustomLLM()).get_input_schema().__name__ == "RunnableLambdaInput"


def test_with_types_leaves_what_it_does_not_say() -> None:
    typed = RunnableLambda(upper).with_types(input_type=int)
    assert result(typed) == {"title": "upper_output", "type": "string"}
    again = typed.with_types(output_type=bytes)
    assert (again.InputType, again.OutputType) == (int, bytes)


async def test_every_way_to_call_goes_through_with_types() -> None:
    typed = CustomLLM().with_types(input_type=str)
    assert [typed.invoke("a"), typed.batch(["a"]), list(typed.stream("a"))] == ["a", ["a"], ["a"]]
    assert [await typed.ainvoke("a"), await typed.abatch(["a"])] == ["a", ["a"]]
    assert [piece async for piece in typed.astream("a")] == ["a"]
    assert list(typed.batch_as_completed(["a"])) == [(0, "a")]
    assert [one async for one in typed.abatch_as_completed(["a"])] == [(0, "a")]
    assert list(typed.transform(iter(["a"]))) == ["a"]


@pytest.mark.parametrize(
    "wrap", [lambda one: one.with_retry(), lambda one: one.with_timeout(3), lambda one: one.bind()]
)
def test_a_wrapper_has_the_schemas_of_what_is_in_it(wrap: Any) -> None:
    assert given(wrap(CustomLLM())) == given(CustomLLM())
    assert result(wrap(CustomLLM())) == result(CustomLLM())


def test_parsers_take_texts_and_messages() -> None:
    for parser in (StrOutputParser(), JsonOutputParser()):
        assert given(parser)["anyOf"][0] == {"type": "string"}
    assert result(StrOutputParser()) == {"title": "StrOutputParserOutput", "type": "string"}
    assert result(JsonOutputParser()) == {"title": "JsonOutputParserOutput"}
