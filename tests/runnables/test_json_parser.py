"""`JsonOutputParser`: whole answers, growing streams, prose and fences, what is malformed; beside langchain-core."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import langchain_core.output_parsers as their_parsers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from modelport import (
    LLM,
    AIMessage,
    AIMessageChunk,
    ChatPromptTemplate,
    Generation,
    JsonOutputParser,
    ModelportError,
    RunnableLambda,
)
from modelport.values.errors import InputError, OutputParserError

PARSER = JsonOutputParser()


class Letters(LLM):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield from prompt


class AsyncLetters(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for letter in prompt:
            yield letter


def grown(text: str, size: int = 1, parser: Any = PARSER) -> list[Any]:
    return list(parser.transform(iter([text[at : at + size] for at in range(0, len(text), size)])))


# ── whole answers ───────────────────────────────────────────────────────────────────────────────────────────────────

ANSWERS: dict[str, tuple[str, Any]] = {
    "object": ('{"a": [1, 2.5, "x"], "b": null}', {"a": [1, 2.5, "x"], "b": None}),
    "list": ('[1, {"a": 2}]', [1, {"a": 2}]),
    "spaces": ('  \n{ "a" : 1 }\n', {"a": 1}),
    "fence": ('```json\n{"a": 1}\n```', {"a": 1}),
    "bare-fence": ("```\n[1]\n```", [1]),
    "prose-and-fence": ('Here it is:\n```json\n{"a": 1}\n```\nAnything else?', {"a": 1}),
    "prose": ('Sure! {"a": "b}"} is it.', {"a": "b}"}),
    "prose-with-braces": ('Fill {name} and [note] in: {"a": 1}', {"a": 1}),
    "another-object-after": ('{"a": 1} {"b": 2}', {"a": 1}),
    "escapes": (r'{"a\"b": "\\", "c": "\u00e9\ud83d\ude00"}', {'a"b': "\\", "c": "é😀"}),
    "brackets-in-strings": ('{"a": "]}{[", "b": "``` {"}', {"a": "]}{[", "b": "``` {"}),
    "line-breaks-in-strings": ('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}),
    "empty": ("{}", {}),
    "deep": ("[[[[]]]]", [[[[]]]]),
    "text": ('"abc"', "abc"),
    "number": (" 12 ", 12),
    "fenced-number": ("```json\n12\n```", 12),
    "true": ("true", True),
    "null": ("null", None),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_json_in_an_answer_is_found(name: str) -> None:
    text, value = ANSWERS[name]
    assert PARSER.invoke(text) == value


@pytest.mark.parametrize("name", [name for name in ANSWERS if not name.startswith("prose") and "after" not in name])
def test_what_langchain_reads_is_read_alike(name: str) -> None:
    # LangChain reads no JSON with prose around it, unless it is fenced.
    text, value = ANSWERS[name]
    assert their_parsers.JsonOutputParser().invoke(text) == value


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_stream_ends_with_the_whole(name: str, size: int) -> None:
    text, value = ANSWERS[name]
    assert grown(text, size)[-1] == value


@pytest.mark.parametrize("kind", [AIMessage, AIMessageChunk, Generation])
def test_messages_and_generations_are_read(kind: Any) -> None:
    assert PARSER.invoke(kind('{"a": 1}')) == {"a": 1}


def test_what_has_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="JsonOutputParser takes a text"):
        PARSER.invoke(3)


MALFORMED = [
    "",
    "no",
    '{"a": 1',
    '{"a": }',
    '{"a": 1,}',
    "[1 2]",
    '{"a": 1]',
    "{'a': 1}",
    '{"a": "x',
    "{",
    '{"a": "\\x"}',
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_json_or_ends_too_early_is_an_error_with_the_text(text: str) -> None:
    with pytest.raises(OutputParserError) as failure:
        PARSER.invoke(text)
    assert isinstance(failure.value, ModelportError)
    assert isinstance(failure.value, ValueError)
    assert failure.value.llm_output == text
    assert repr(text) in str(failure.value)


@pytest.mark.parametrize("text", [text for text in MALFORMED if text])
def test_a_stream_of_it_fails_too(text: str) -> None:
    with pytest.raises(OutputParserError):
        grown(text)


def test_a_long_answer_is_shortened_in_the_message_only() -> None:
    with pytest.raises(OutputParserError) as failure:
        PARSER.invoke("x" * 10_000)
    assert len(str(failure.value)) < 1000
    assert failure.value.llm_output == "x" * 10_000


def test_malformed_json_ends_a_stream_at_once() -> None:
    read: list[str] = []

    def pieces() -> Iterator[str]:
        for piece in ('{"a": 1,', " oops", ', "b": 2}'):
            read.append(piece)
            yield piece

    with pytest.raises(OutputParserError, match="key must be a string"):
        list(PARSER.transform(pieces()))
    assert len(read) == 2


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["object", "list", "fence", "bare-fence", "spaces", "empty", "deep"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_stream_grows_as_langchains(name: str, size: int) -> None:
    # Theirs begins with the bracket; ours when it goes on as JSON does, maybe with its first element.
    text, _ = ANSWERS[name]
    ours, theirs = grown(text, size), grown(text, size, their_parsers.JsonOutputParser())
    assert ours == theirs or ours == theirs[1:]


def test_a_stream_shows_strings_while_they_grow() -> None:
    assert grown('{"a": "xy", "b": [1, 2]}') == [
        {},
        {"a": ""},
        {"a": "x"},
        {"a": "xy"},
        {"a": "xy", "b": []},
        {"a": "xy", "b": [1]},
        {"a": "xy", "b": [1, 2]},
    ]


def test_a_number_that_becomes_another_type_is_told() -> None:
    last = grown('{"a": 1.0}')[-1]
    assert (last["a"], type(last["a"])) == (1.0, float)


def test_no_piece_in_gives_no_piece() -> None:
    assert list(PARSER.transform(iter([]))) == []


@settings(max_examples=150)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    ).filter(lambda value: isinstance(value, (dict, list))),
    indent=st.sampled_from([None, 2]),
    ascii_only=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    around=st.sampled_from([("", ""), ("Here:\n```json\n", "\n```\nBye {x}."), ("So ", " it is.")]),
)
def test_any_json_in_any_pieces_comes_out_whole(
    value: Any, indent: int | None, ascii_only: bool, cuts: list[int], around: tuple[str, str]
) -> None:
    text = around[0] + json.dumps(value, indent=indent, ensure_ascii=ascii_only) + around[1]
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    whole = list(PARSER.transform(iter(pieces)))
    assert whole[-1] == value
    assert PARSER.invoke(text) == value
    assert all(grows(before, after) for before, after in itertools.pairwise(whole))


def grows(before: Any, after: Any) -> bool:
    """Tell whether nothing is lost from one piece to the next."""
    if isinstance(before, dict):
        return all(key in after and grows(one, after[key]) for key, one in before.items())
    if isinstance(before, list):
        return len(before) <= len(after) and all(map(grows, before, after))
    return after.startswith(before) if isinstance(before, str) else True


def test_a_number_is_never_taken_back() -> None:
    assert grown("[1, 2.5, -1e-5]") == [[1], [1, 2], [1, 2.5], [1, 2.5, -1], [1, 2.5, -1e-5]]


def test_infinity_is_read_as_python_reads_it() -> None:
    assert PARSER.invoke('{"a": NaN, "b": -Infinity}')["b"] == -math.inf


def test_a_step_after_it_gets_the_last_object_not_a_mixture() -> None:
    seen: list[Any] = []

    def look(value: Any) -> Any:
        seen.append(value)
        return value

    for text, value in (('{"a": "xyz"}', {"a": "xyz"}), ("[1, 2, 3]", [1, 2, 3])):
        chain = Letters() | JsonOutputParser() | RunnableLambda(look)
        assert list(chain.stream(text)) == [value]
        assert chain.invoke(text) == value
        assert [type(one) for one in seen[-2:]] == [type(value)] * 2
    assert seen == [{"a": "xyz"}, {"a": "xyz"}, [1, 2, 3], [1, 2, 3]]


@pytest.mark.parametrize("model", [Letters, AsyncLetters])
async def test_sync_and_async_streams_of_a_chain_agree(model: type[LLM]) -> None:
    chain = ChatPromptTemplate.from_messages([("human", '{{"q": "{q}"}}')]) | model(chat_template="last") | PARSER
    pieces = list(chain.stream({"q": "hi"}))
    assert pieces == [piece async for piece in chain.astream({"q": "hi"})]
    assert pieces == [{}, {"q": ""}, {"q": "h"}, {"q": "hi"}]
    assert await chain.ainvoke({"q": "hi"}) == chain.invoke({"q": "hi"}) == {"q": "hi"}
    assert chain.batch([{"q": "a"}, {"q": "b"}]) == [{"q": "a"}, {"q": "b"}]


async def test_events_of_a_parser_end_with_the_whole() -> None:
    events = [
        event async for event in (AsyncLetters() | PARSER).astream_events('{"a": "xy"}', include_types=["parser"])
    ]
    assert [event["data"].get("chunk") for event in events][1:-1] == [{}, {"a": ""}, {"a": "x"}, {"a": "xy"}]
    assert events[-1]["data"]["output"] == {"a": "xy"}


def test_pieces_are_plain_json_to_others() -> None:
    last = grown('{"a": [1]}')[-1]
    assert json.loads(json.dumps(last)) == {"a": [1]}
    assert repr(last) == "{'a': [1]}"


def test_leaving_a_stream_closes_the_model() -> None:
    closed: list[str] = []

    def pieces() -> Iterator[str]:
        try:
            yield from '{"a": 1, "b": 2}'
        finally:
            closed.append("closed")

    stream: Any = PARSER.transform(pieces())
    next(stream)
    stream.close()
    assert closed == ["closed"]


# ── instructions ────────────────────────────────────────────────────────────────────────────────────────────────────


class Joke(BaseModel):
    setup: str
    punchline: str


def test_the_instructions_hold_the_schema() -> None:
    parser = JsonOutputParser(pydantic_object=Joke)
    text = parser.get_format_instructions()
    schema = json.loads(text.split("```json\n")[1].split("\n```")[0])
    assert schema == Joke.model_json_schema()
    assert repr(parser) == "JsonOutputParser(pydantic_object=Joke)"
    assert "JSON" in PARSER.get_format_instructions()


def test_answers_are_not_validated() -> None:
    assert JsonOutputParser(pydantic_object=Joke).invoke('{"other": 1}') == {"other": 1}


def test_the_instructions_go_into_a_prompt_beforehand() -> None:
    prompt = ChatPromptTemplate.from_messages([("human", "{how}\n{q}")])
    filled = prompt.partial(how=JsonOutputParser(pydantic_object=Joke).get_format_instructions())
    assert filled.input_variables == ["q"]
    assert "punchline" in filled.format_messages(q="hi")[0].content


@pytest.mark.parametrize("wrong", [Joke(setup="a", punchline="b"), dict, {"type": "object"}])
def test_what_is_no_model_class_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="must be a pydantic model class"):
        JsonOutputParser(pydantic_object=wrong)
