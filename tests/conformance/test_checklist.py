"""The guide's checklist: docstrings of classes and of what they are initialised with, and keys as SecretStr."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, SecretStr

from modelport import LLM, CustomLLM, EmbeddingModel
from modelport.testing import CheckResult, run_checks
from modelport.testing.author import is_secret_name


class Answering(LLM):
    """Answers with the prompt."""

    def _call(self, prompt: str) -> str:
        return prompt


class EachInItsWay(Answering):
    """Documents every field, each in another way.

    Args:
        named: What an Args section says.
        typed (int): What it says with a type.

    `quoted` is in the text.
    """

    below: int = 0
    """A docstring below the field."""
    described: int = Field(default=0, description="A description.")
    named: int = 0
    typed: int = 0
    quoted: int = 0
    max_concurrency: int | None = 4


class Silent(Answering):
    """Documents one field of two."""

    told: int = 0
    """What it is."""
    untold: int = 0


class Inheriting(EachInItsWay):
    """Inherits documented fields."""


class Undocumented(Answering):
    pass


class Plain(Answering):
    """Has keys of both kinds."""

    api_key: str | None = None
    """A key that is printed."""
    token: SecretStr = SecretStr("")
    """One that is not."""
    max_tokens: int = 5
    """No secret."""


class Embedding(EmbeddingModel):
    """Gives no text."""

    password: str = ""
    """Is printed."""

    def _embed(self, texts: list[str]) -> Any:
        return [[1.0] for _ in texts]


class Handler(CustomLLM):
    """Answers with nothing.

    Args:
        url: Where to ask.
    """

    def __init__(self, url: str = "", retries: int = 0) -> None:
        self.url = url

    def completion(self, messages: list[Any], **kwargs: Any) -> str:
        return "nothing"


def result_of(make: Any, check_id: str) -> CheckResult:
    [result] = run_checks(make, ids=[check_id])
    return result


@pytest.mark.parametrize("make", [EachInItsWay, Inheriting])
def test_a_field_is_documented_in_any_usual_way(make):
    assert result_of(make, "checklist:docs:arguments").outcome == "pass"


def test_fields_that_nothing_tells_about_are_named():
    result = result_of(Silent, "checklist:docs:arguments")
    assert (result.outcome, result.seen) == ("fail", "no docstring says what these are: untold")
    assert "`untold: …`" in result.mend


def test_a_class_needs_a_docstring_of_its_own():
    assert result_of(Undocumented, "checklist:docs:class").seen == "Undocumented has no docstring"
    assert result_of(Inheriting, "checklist:docs:class").outcome == "pass"


def test_a_class_without_arguments_has_none_to_document():
    assert result_of(Answering, "checklist:docs:arguments").outcome == "not applicable"


def test_the_arguments_of_a_handler_are_those_of_its_init():
    result = result_of(Handler, "checklist:docs:arguments")
    assert (result.outcome, result.seen) == ("fail", "no docstring says what these are: retries")


def test_a_key_that_is_plain_text_is_a_finding():
    result = result_of(Plain, "checklist:secrets:typed")
    assert (result.outcome, result.seen) == ("fail", "printed with the model, as plain text: api_key")
    assert "api_key: SecretStr" in result.mend


def test_the_checklist_holds_for_models_of_every_kind():
    assert result_of(Embedding, "checklist:secrets:typed").seen.endswith("password")


@pytest.mark.parametrize("name", ["api_key", "apikey", "token", "hf_token", "password", "client_secret", "access_key"])
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["max_tokens", "eos_token", "stop_token", "key", "tokens_per_chunk", "prompt_tokens", "secretary", "n"]
)
def test_names_of_no_secrets(name):
    assert not is_secret_name(name)
