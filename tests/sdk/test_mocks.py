"""`mock_response` in all its forms: an answer in the model's place, whatever the model's name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import modelport
from modelport import ModelTimeoutError
from modelport.values.status_errors import (
    AuthenticationError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    RateLimitError,
)
from modelport.wire.completion import ChatCompletion, Choice, ResponseMessage
from modelport.wire.completion_chunk import ChatCompletionChunk, Delta, StreamingChoice

WAYS = ("completion", "acompletion", "stream", "astream")
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
@pytest.mark.parametrize("model", ["gpt-3.5-turbo", "test/unixtime", "no/such/model"])
def test_a_text_is_answered_under_any_name(way: str, model: str, ask: Any) -> None:
    answer = ask(way, model, None, mock_response="Hi there!")
    assert (answer.texts, answer.reasons) == (["Hi there!"], ["stop"])
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (10, 20, 30)


def test_an_empty_text_is_an_answer_too() -> None:
    assert modelport.completion("gpt-4o", mock_response="").choices[0].message.content == ""


def test_a_streamed_text_comes_in_pieces_of_three_characters() -> None:
    chunks = modelport.completion("gpt-4o", stream=True, mock_response="abcdefgh")
    assert [one for chunk in chunks if (one := chunk.choices[0].delta.content)] == ["abc", "def", "gh"]


WHOLE = ChatCompletion(choices=[Choice(message=ResponseMessage(content="whole"), finish_reason="length")])


@every_way
@pytest.mark.parametrize("form", [WHOLE, WHOLE.model_dump()], ids=["object", "dict"])
def test_a_whole_chat_completion_is_answered(way: str, form: Any, ask: Any) -> None:
    answer = ask(way, "gpt-4o", mock_response=form)
    assert (answer.texts, answer.reasons) == (["whole"], ["length"])


def test_all_choices_of_a_whole_chat_completion_are_answered() -> None:
    two = {"choices": [{"index": place, "message": {"content": text}} for place, text in enumerate("ab")]}
    response = modelport.completion("gpt-4o", mock_response=two)
    assert [choice.message.content for choice in response.choices] == ["a", "b"]


def test_a_streams_chunk_is_answered() -> None:
    chunk = ChatCompletionChunk(choices=[StreamingChoice(delta=Delta(content="part"))])
    assert modelport.completion("gpt-4o", mock_response=chunk).choices[0].message.content == "part"


@every_way
def test_n_choices_are_all_the_mock(way: str, ask: Any) -> None:
    assert ask(way, "gpt-4o", n=3, mock_response="same").texts == ["same"] * 3


@every_way
def test_what_is_enforced_holds_for_mocks(way: str, ask: Any) -> None:
    assert ask(way, "gpt-4o", stop="o", mock_response="one two").texts == [""]
    cut = ask(way, "gpt-4o", max_tokens=1, mock_response="one two")
    assert (cut.texts, cut.reasons) == (["one "], ["length"])


@every_way
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("litellm.RateLimitError", RateLimitError),
        ("litellm.ContextWindowExceededError", ContextWindowExceededError),
        ("litellm.InternalServerError", InternalServerError),
        ("Exception: content_filter_policy", ContentPolicyViolationError),
        (AuthenticationError("no"), AuthenticationError),
        (ValueError("bad"), InternalServerError),
    ],
    ids=str,
)
def test_errors_are_raised_as_the_class_of_their_status(way: str, form: Any, expected: type, ask: Any) -> None:
    with pytest.raises(expected) as failure:
        ask(way, "gpt-4o", mock_response=form)
    assert type(failure.value) is expected


def test_a_mocked_stream_breaks_off_after_its_first_piece() -> None:
    stream = modelport.completion("gpt-4o", stream=True, mock_response="Exception: mock_streaming_error")
    got: list[Any] = []
    with pytest.raises(modelport.ModelportError) as failure:
        got.extend(stream)  # what came before is lost to `extend`, not to the iterator
    assert failure.value.status_code == 529
    again = modelport.completion("gpt-4o", stream=True, mock_response="Exception: mock_streaming_error")
    assert next(again).choices[0].delta.role == "assistant"
    again.close()


@every_way
def test_tool_calls_are_answered(way: str, ask: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    answer = ask(way, "gpt-4o", mock_tool_calls=[call])
    assert answer.reasons == ["tool_calls"]
    if way in ("completion", "acompletion"):
        [got] = answer.response.choices[0].message.tool_calls
    else:
        [got] = [one for chunk in answer.response for c in chunk.choices for one in c.delta.tool_calls or ()]
    assert (got.id, got.function.name, got.function.arguments) == ("c1", "f", '{"a":1}')


@every_way
def test_a_delay_beyond_the_timeout_runs_out_of_time(way: str, ask: Any) -> None:
    with pytest.raises(ModelTimeoutError):
        ask(way, "gpt-4o", mock_response="late", mock_delay=0.2, timeout=0.01)
    assert ask(way, "gpt-4o", mock_response="soon", mock_delay=0.001, timeout=10).texts == ["soon"]


@every_way
def test_a_mocked_timeout_is_a_timeout(way: str, ask: Any) -> None:
    with pytest.raises(ModelTimeoutError):
        ask(way, "gpt-4o", mock_timeout=True, timeout=0.01)


@pytest.mark.parametrize(
    "form",
    [3, {"no": "choices"}, {"choices": []}, object(), ["a"]],
    ids=lambda one: "object" if type(one) is object else str(one),
)
def test_another_form_is_the_callers_error(form: Any) -> None:
    with pytest.raises(modelport.ModelportError, match="mock_response") as failure:
        modelport.completion("gpt-4o", mock_response=form)
    assert (failure.value.status_code, failure.value.param) == (400, "mock_response")


def test_a_mock_needs_no_key_and_takes_any_parameter() -> None:
    response = modelport.completion("gpt-4o", mock_response="x", temperature=1, tools=[], api_key="k", anything=1)
    assert response.choices[0].message.content == "x"


def test_a_text_completion_is_mocked_too() -> None:
    assert modelport.text_completion("p", "gpt-3.5", mock_response="t", temperature=1).choices[0].text == "t"
    chunks = modelport.text_completion("p", "gpt-3.5", mock_response="text", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "text"
    whole = modelport.text_completion("p", "gpt-3.5", mock_response="whole")
    assert modelport.text_completion("p", "gpt-3.5", mock_response=whole).choices[0].text == "whole"


def test_embeddings_are_mocked_by_a_vector_or_a_response() -> None:
    response = modelport.embedding("any/model", ["a", "b"], mock_response=[0.5, 1.0])
    assert [one.embedding for one in response.data] == [[0.5, 1.0]] * 2
    again = modelport.embedding("any/model", ["a", "b"], mock_response=response.model_dump())
    assert [one.embedding for one in again.data] == [[0.5, 1.0]] * 2
    assert asyncio.run(modelport.aembedding("any/model", "a", mock_response=[1.0])).data[0].embedding == [1.0]
    with pytest.raises(RateLimitError):
        modelport.embedding("any/model", "a", mock_response="litellm.RateLimitError")
    with pytest.raises(InternalServerError, match="bad"):
        modelport.embedding("any/model", "a", mock_response=ValueError("bad"))
    with pytest.raises(modelport.ModelportError, match="vector"):
        modelport.embedding("any/model", "a", mock_response={"x": 1})


def test_images_are_mocked_by_an_address_or_a_response() -> None:
    response = modelport.image_generation("p", "any/model", mock_response="https://example.com/x.png")
    assert response.data[0].url == "https://example.com/x.png"
    again = asyncio.run(modelport.aimage_generation("p", "any/model", mock_response=response))
    assert again.data[0].url == "https://example.com/x.png"
    with pytest.raises(modelport.ModelportError, match="address"):
        modelport.image_generation("p", "any/model", mock_response=3)
