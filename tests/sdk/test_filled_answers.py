"""A handler's own `model_response`, filled and returned, is the answer: whole, counted, and the caller's alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelport import CustomLLM, completion, register
from modelport.registry.providers import unregister

HELLO = [{"role": "user", "content": "hello world"}]


@pytest.fixture
def answers() -> Iterator[Any]:
    """Answer by a function that is given the fresh response: `answers(fill)`."""

    def answers(fill: Any, **fields: Any) -> Any:
        class Handler(CustomLLM):
            def completion(self, *args: Any, **kwargs: Any) -> Any:
                return fill(kwargs["model_response"])

        register("filled", Handler(), **fields)
        return completion("filled/some-model", HELLO)

    yield answers
    unregister("filled")


def says(text: str) -> Any:
    def fill(response: Any) -> Any:
        response.choices[0].message.content = text
        return response

    return fill


def test_the_answer_is_the_object_that_was_filled(answers: Any) -> None:
    filled: list[Any] = []

    def fill(response: Any) -> Any:
        filled.append(response)
        return says("Hi!")(response)

    answer = answers(fill)
    assert answer is filled[0]
    assert (answer.model, answer.object) == ("some-model", "chat.completion")
    assert answer.id.startswith("chatcmpl-")


# What is enforced around the hook, and what is more than a text, goes the long way and says the same.
@pytest.mark.parametrize("fields", [{}, {"max_concurrency": 3}])
def test_a_filled_answer_says_the_same_whichever_way_it_went(answers: Any, fields: dict[str, Any]) -> None:
    answer = answers(says("Hi there!"), **fields)
    assert answer.choices[0].message.content == "Hi there!"
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 3, 6)


def test_the_handlers_own_usage_counts(answers: Any) -> None:
    def fill(response: Any) -> Any:
        response.usage.prompt_tokens, response.usage.completion_tokens, response.usage.total_tokens = 7, 5, 12
        return says("Hi!")(response)

    usage = answers(fill).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 5, 12)


@pytest.mark.parametrize(
    "change",
    [
        lambda response: setattr(response, "id", "mine"),
        lambda response: setattr(response, "system_fingerprint", "fp"),
        lambda response: setattr(response, "extra", 1),
        lambda response: setattr(response.choices[0], "index", 3),
        lambda response: setattr(response.choices[0], "finish_reason", "eos"),
        lambda response: setattr(response.choices[0].message, "extra", 1),
    ],
)
def test_what_is_more_than_a_text_is_made_anew(answers: Any, change: Any) -> None:
    given: list[Any] = []

    def fill(response: Any) -> Any:
        given.append(response)
        change(response)
        return says("Hi!")(response)

    answer = answers(fill)
    assert answer is not given[0]
    assert answer.choices[0].message.content == "Hi!"
    assert (answer.choices[0].index, answer.choices[0].finish_reason) == (0, "stop")
    assert answer.id != "mine"


def test_wrong_facts_beside_the_text_are_put_right(answers: Any) -> None:
    def fill(response: Any) -> Any:
        response.object, response.created, response.model = "text", "yesterday", "other"
        return says("Hi!")(response)

    answer = answers(fill)
    assert (answer.object, answer.model) == ("chat.completion", "some-model")
    assert isinstance(answer.created, int)


def test_a_response_of_an_earlier_call_is_not_handed_out_twice(answers: Any) -> None:
    kept: list[Any] = []

    def fill(response: Any) -> Any:
        kept.append(says("Hi!")(response))
        return kept[0]

    first, second = answers(fill), completion("filled/some-model", HELLO)
    assert first is kept[0]
    assert second is not first
    assert second.id != first.id


def test_an_async_completion_is_awaited(answers: Any) -> None:
    async def later(response: Any) -> Any:
        return says("Hi!")(response)

    assert answers(later).choices[0].message.content == "Hi!"
