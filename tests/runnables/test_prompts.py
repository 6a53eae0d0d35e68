"""Prompts: what they fill in, and what their errors say."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate as TheirChatPrompt
from langchain_core.prompts import PromptTemplate as TheirPrompt

from modelport import (
    AIMessage,
    BaseCallbackHandler,
    ChatPromptTemplate,
    ChatPromptValue,
    HumanMessage,
    MessagesPlaceholder,
    PromptTemplate,
    SystemMessage,
)
from modelport.values.errors import InputError
from modelport.values.prompt_values import StringPromptValue

ANSWER: Any = ("human", "{q}")


class TestTextPrompts:
    def test_variables_are_filled_in(self) -> None:
        prompt = PromptTemplate.from_template("{a} and {b}, {a}")
        assert prompt.input_variables == ["a", "b"]
        assert prompt.invoke({"a": 1, "b": "two"}) == StringPromptValue("1 and two, 1")
        assert prompt.format(a="x", b="y") == "x and y, x"
        assert prompt.format_prompt(a="x", b="y").to_string() == "x and y, x"
        assert prompt.template == "{a} and {b}, {a}"

    @pytest.mark.parametrize(
        ("template", "values"),
        [
            ("{{literal}} {a}", {"a": 1}),
            ("{a!r:>6}|{b:.2f}|{c:05d}", {"a": "x", "b": 3.14159, "c": 42}),
            ("{a!s}{a}", {"a": None}),
            ("no variables", {}),
            ("", {}),
            ("ünï {a}", {"a": "çødé 🎈"}),
        ],
    )
    def test_it_formats_as_langchain_does(self, template: str, values: dict[str, Any]) -> None:
        theirs = TheirPrompt.from_template(template).invoke(values).to_string()
        assert PromptTemplate.from_template(template).invoke(values).to_string() == theirs

    def test_values_are_never_read_as_templates(self) -> None:
        assert PromptTemplate("{a}").format(a="{b} {0} {{") == "{b} {0} {{"

    def test_a_single_variable_may_be_given_bare(self) -> None:
        assert PromptTemplate("say {x}").invoke("hi").to_string() == "say hi"

    def test_partial_variables_are_given_beforehand_and_a_calls_own_win(self) -> None:
        prompt = PromptTemplate("{a} {b}", partial_variables={"a": 1}, name="mine")
        assert prompt.input_variables == ["b"]
        assert prompt.format(b=2) == "1 2"
        assert prompt.format(a=3, b=2) == "3 2"
        both = prompt.partial(b=4)
        assert both.format() == "1 4"
        assert both.get_name() == "mine"
        assert prompt.input_variables == ["b"]

    def test_it_prints_its_template(self) -> None:
        assert repr(PromptTemplate("{a}")) == "PromptTemplate('{a}')"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{a", "the template '{a' is malformed: expected '}' before end of string; write {{"),
        ("a}", "the template 'a}' is malformed: Single '}' encountered"),
        ("{}", "has a variable '', no name; write {{ for a literal brace"),
        ("{0}", "has a variable '0', no name"),
        ("{a.b}", "has a variable 'a.b', no name"),
        ("{a[0]}", "has a variable 'a[0]', no name"),
        ('{"json": 1}', "has a variable '\"json\"', no name"),
    ],
)
def test_a_malformed_template_is_refused_when_it_is_made(template: str, said: str) -> None:
    for make in (PromptTemplate, ChatPromptTemplate.from_template):
        with pytest.raises(InputError) as raised:
            make(template)
        assert said in str(raised.value)


class TestChatPrompts:
    def test_all_forms_of_messages_are_taken(self) -> None:
        prompt = ChatPromptTemplate.from_messages(
            [
                ("system", "you are {name}"),
                SystemMessage("fixed {braces}"),
                "{q}",
                {"role": "assistant", "content": "{a}"},
                MessagesPlaceholder("history"),
                ("placeholder", "{extra}"),
                {"role": "user", "content": [{"type": "text", "text": "parts"}]},
            ]
        )
        assert prompt.input_variables == ["name", "q", "a", "history"]
        history = [("human", "before {x}"), AIMessage("yes")]
        value = prompt.invoke({"name": "bot", "q": "why?", "a": "so", "history": history})
        assert value == ChatPromptValue(
            [
                SystemMessage("you are bot"),
                SystemMessage("fixed {braces}"),
                HumanMessage("why?"),
                AIMessage("so"),
                HumanMessage("before {x}"),
                AIMessage("yes"),
                HumanMessage([{"type": "text", "text": "parts"}]),
            ]
        )
        assert prompt.format_messages(name="bot", q="why?", a="so", history=[], extra=["more"])[-2] == HumanMessage(
            "more"
        )

    def test_it_flattens_as_langchain_does(self) -> None:
        messages: Any = [("system", "s {x}"), ("human", "h"), ("ai", "a"), ("human", "{x}")]
        theirs = TheirChatPrompt.from_messages(messages).invoke({"x": 1}).to_string()
        assert ChatPromptTemplate.from_messages(messages).invoke({"x": 1}).to_string() == theirs

    def test_a_template_is_one_human_message(self) -> None:
        assert ChatPromptTemplate.from_template("{x}").invoke("hi").messages == [HumanMessage("hi")]

    def test_partial_variables_work_as_in_text_prompts(self) -> None:
        prompt = ChatPromptTemplate([("human", "{a} {b}")], name="mine").partial(a=1)
        assert prompt.format_messages(b=2) == [HumanMessage("1 2")]
        assert (prompt.get_name(), prompt.input_variables) == ("mine", ["b"])

    def test_it_prints_its_messages(self) -> None:
        prompt = ChatPromptTemplate([ANSWER, MessagesPlaceholder("h")])
        assert repr(prompt) == ("ChatPromptTemplate([('human', '{q}'), MessagesPlaceholder('h')])")

    @pytest.mark.parametrize(
        ("messages", "said"),
        [
            ([("poet", "{x}")], "'poet' is no role of a message; use one of: ai, assistant"),
            ([4], "4 is no message"),
            ([("a", "b", "c")], r"('a', 'b', 'c') is no message"),
            ([{"content": "x"}], "'' is no role of a message"),
        ],
    )
    def test_what_is_no_message_is_refused_when_it_is_made(self, messages: list[Any], said: str) -> None:
        with pytest.raises(InputError) as raised:
            ChatPromptTemplate.from_messages(messages)
        assert said in str(raised.value)

    @pytest.mark.parametrize("history", ["hi", 4, {"a": 1}.keys()])
    def test_a_placeholder_takes_only_a_list(self, history: Any) -> None:
        prompt = ChatPromptTemplate([MessagesPlaceholder("history")])
        with pytest.raises(InputError, match="'history' must be a list of messages, not"):
            prompt.invoke({"history": history})


@pytest.mark.parametrize(
    ("prompt", "value", "said"),
    [
        (
            PromptTemplate("{a} {b}"),
            {"b": 1, "c": 2},
            "PromptTemplate misses the variable 'a'; given: 'b', 'c'; write {{a}} for literal braces",
        ),
        (
            ChatPromptTemplate([("human", "{a}")]),
            {},
            "ChatPromptTemplate misses the variable 'a'; given: nothing;",
        ),
        (
            ChatPromptTemplate([MessagesPlaceholder("history")], name="mine"),
            {"histroy": []},
            "mine misses the variable 'history'; given: 'histroy';",
        ),
        (PromptTemplate("{a} {b}"), "x", "PromptTemplate needs a dict with 'a', 'b', not 'x'"),
        (PromptTemplate("nothing"), "x", "PromptTemplate needs a dict with nothing, not 'x'"),
    ],
)
async def test_a_missing_variable_names_itself_and_the_ones_given(prompt: Any, value: Any, said: str) -> None:
    with pytest.raises(InputError) as raised:
        prompt.invoke(value)
    assert said in str(raised.value)
    with pytest.raises(InputError):
        await prompt.ainvoke(value)


async def test_a_prompt_is_heard_of() -> None:
    heard: list[Any] = []

    class Hears(BaseCallbackHandler):
        def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
            heard.append((kwargs["name"], kwargs["run_type"], inputs))

        def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            heard.append(outputs)

        def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            heard.append(type(error).__name__)

    prompt = PromptTemplate("{x}", name="mine")
    config: Any = {"callbacks": [Hears()]}
    prompt.invoke({"x": 1}, config)
    await prompt.ainvoke({"x": 2}, config)
    assert heard == [
        ("mine", "prompt", {"x": 1}),
        StringPromptValue("1"),
        ("mine", "prompt", {"x": 2}),
        StringPromptValue("2"),
    ]
    heard.clear()
    with pytest.raises(InputError):
        prompt.invoke({}, config)
    assert heard[1:] == ["InputError"]
