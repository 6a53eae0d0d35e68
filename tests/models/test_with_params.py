"""`with_params`: a checked copy of a model with other fields."""

from __future__ import annotations

import asyncio
import functools
import threading
import traceback
from typing import Any, ClassVar

import pytest
from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from modelport import LLM, BaseCallbackHandler, ChatModel, EmbeddingModel, ImageModel
from modelport.engine.state import state_of
from modelport.values.errors import InputError


class Text(LLM):
    n: int = 5
    api_key: SecretStr = SecretStr("sk-old-secret")
    notes: list[str] = Field(default_factory=list)
    _client: Any = PrivateAttr(default_factory=object)

    def _call(self, prompt):
        return prompt[: self.n]


class Chat(ChatModel):
    n: int = 5

    def _call(self, messages):
        return messages[-1].text[: self.n]


class Vectors(EmbeddingModel):
    n: int = 5

    def _embed(self, texts):
        return [[float(self.n)] for _ in texts]


class Painter(ImageModel):
    n: int = 5

    def _generate_images(self, prompt):
        return prompt[: self.n].encode()


@pytest.mark.parametrize("cls", [Text, Chat, Vectors, Painter])
def test_every_kind_of_model_gives_a_copy_of_its_own_type(cls: Any) -> None:
    model = cls()
    copy = model.with_params(n=7)
    assert type(copy) is cls
    assert (model.n, copy.n) == (5, 7)
    assert copy is not model
    assert copy != model


def test_the_copy_answers_with_the_new_fields_and_the_original_with_its_own() -> None:
    model = Text()
    assert model.with_params(n=2).invoke("hello world") == "he"
    assert Chat().with_params(n=2).invoke("hello world").text == "he"
    assert Vectors().with_params(n=2).embed_query("x") == [2.0]
    assert Painter().with_params(n=2).generate_images("hello").images[0].data == b"he"
    assert model.invoke("hello world") == "hello"


def test_values_are_made_the_fields_type() -> None:
    copy = Text().with_params(n="7", api_key="sk-new-secret")  # as a constructor does
    assert copy.n == 7
    assert isinstance(copy.api_key, SecretStr)
    assert "sk-new-secret" not in repr(copy) + str(copy)


def test_no_params_give_an_equal_copy() -> None:
    model = Text(n=3)
    copy = model.with_params()
    assert copy is not model
    assert copy.n == 3
    assert copy.notes is model.notes


def test_framework_fields_may_be_changed() -> None:
    model = Text(tags=["a"])
    copy = model.with_params(max_concurrency=4, name="other", tags=["b"])
    assert (copy.max_concurrency, copy.get_name(), copy.tags) == (4, "other", ["b"])
    assert (model.max_concurrency, model.get_name(), model.tags) == (None, "Text", ["a"])


def test_private_attributes_are_shared() -> None:
    model = Text()
    copy = model.with_params(n=1)
    assert copy._client is model._client
    copy._client = "its own"
    assert model._client != "its own"


def test_the_frameworks_state_is_the_copys_own() -> None:
    model = Text(max_concurrency=1)
    model.invoke("x")
    copy = model.with_params(n=1)
    assert state_of(copy) is not state_of(model)
    assert state_of(copy).slots_for(1) is not state_of(model).slots_for(1)


def test_a_copy_has_slots_of_its_own() -> None:
    class Nested(Text):
        max_concurrency: int | None = 1
        _other: Any = PrivateAttr(None)
        _running: threading.Semaphore = PrivateAttr(default_factory=lambda: threading.Semaphore(2))

        def _call(self, prompt):
            assert self._running.acquire(blocking=False)
            answer = self._other.invoke(prompt) if self._other is not None else prompt
            self._running.release()
            return answer

    model = Nested()
    model._other = model.with_params(n=1)
    assert model.invoke("x", {"timeout": 10}) == "x"


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"m": 1}, TypeError, "Text has no field 'm'; its fields are n, api_key, notes"),
        ({"note": []}, TypeError, "Text has no field 'note'; did you mean 'notes'?"),
        ({"max_concurency": 1}, TypeError, "did you mean 'max_concurrency'?"),
        (
            {"m": 1},
            TypeError,
            "; every model has cache, callbacks, chat_template, include_stop, max_batch_size, max_con",
        ),
        ({"cache": "yes"}, ValueError, "field 'cache': value error, must be True, False, None or a cache"),
        ({"_client": 1}, TypeError, "Text has no field '_client'"),
        ({"invoke": 1}, TypeError, "Text has no field 'invoke'"),
        ({"n": "many"}, ValueError, "field 'n': input should be a valid integer"),
        ({"n": 1, "max_concurrency": 0}, ValueError, "field 'max_concurrency': input should be greater than or equal"),
        ({"api_key": 12345678}, ValueError, "field 'api_key': input should be a valid string"),
    ],
)
def test_a_wrong_param_names_its_field_and_carries_no_value(
    fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    model = Text()
    with pytest.raises(error) as raised:
        model.with_params(**fields)
    assert said in str(raised.value)
    assert "12345678" not in "".join(traceback.format_exception_only(raised.value))
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert (model.n, model.max_concurrency) == (5, None)


def test_a_model_without_fields_of_its_own_says_which_every_model_has() -> None:
    class Bare(LLM):
        def _call(self, prompt):
            return prompt

    with pytest.raises(
        TypeError, match=r"Bare has no field 'nn'; it has no fields of its own; every model has cache, "
    ):
        Bare().with_params(nn=1)
    with pytest.raises(TypeError, match="Bare has no field 'cash'; did you mean 'cache'"):
        Bare().with_params(cash=True)


def test_callbacks_are_checked() -> None:
    with pytest.raises(InputError, match="is no callback handler"):
        Text().with_params(callbacks=[BaseCallbackHandler])
    handler = BaseCallbackHandler()
    assert Text().with_params(callbacks=[handler]).callbacks == [handler]
    assert Text(callbacks=[handler]).with_params(callbacks=None).callbacks is None


class Range(LLM):
    low: int = 0
    high: int = 3

    def _call(self, prompt):
        return prompt

    @field_validator("high")
    @classmethod
    def _is_even_or_three(cls, value: int) -> int:
        if value % 2 and value != 3:
            raise ValueError("must be even")
        return value

    @model_validator(mode="after")
    def _is_ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize("fields", [{"low": 5, "high": 8}, {"high": 8, "low": 5}, {"low": "5", "high": "8"}])
def test_a_check_over_several_fields_sees_all_changes_at_once(fields: dict[str, Any]) -> None:
    copy = Range().with_params(**fields)
    assert (copy.low, copy.high) == (5, 8)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"low": 5}, "low is above high"),
        ({"low": 9, "high": 8}, "low is above high"),
        ({"low": 9, "high": "x"}, "field 'high': input should be a valid integer"),
        ({"low": 9, "high": 7}, "field 'high': value error, must be even"),
    ],
)
def test_a_check_over_several_fields_holds_for_the_copy(fields: dict[str, Any], said: str) -> None:
    model = Range()
    with pytest.raises(ValueError, match=said):
        model.with_params(**fields)
    assert (model.low, model.high) == (0, 3)


def test_what_was_computed_of_the_fields_is_computed_anew() -> None:
    class Computed(Text):
        @functools.cached_property
        def double(self) -> int:
            return self.n * 2

    model = Computed()
    assert model.double == 10
    assert model.with_params(n=7).double == 14


class Loaded(LLM):
    path: str = "a"
    _weights: str | None = PrivateAttr(None)
    _loads: list[str] = PrivateAttr(default_factory=list)

    def _load(self):
        self._weights = self.path
        self._loads.append(self.path)

    def _call(self, prompt):
        return f"{self._weights}: {prompt}"


def test_a_copy_with_other_author_fields_is_loaded_anew() -> None:
    model = Loaded()
    assert model.invoke("x") == "a: x"
    assert model.with_params(path="b").invoke("x") == "b: x"
    assert model.invoke("x") == "a: x"
    assert model._loads == ["a", "b"]


def test_a_copy_with_other_framework_fields_shares_what_was_loaded() -> None:
    model = Loaded()
    assert model.invoke("x") == "a: x"
    assert model.with_params(max_concurrency=2).invoke("x") == "a: x"
    assert model._loads == ["a"]
    assert Loaded().with_params(max_concurrency=2).invoke("x") == "a: x"


def test_a_copy_of_a_single_loop_model_is_loaded_on_its_own_loop() -> None:
    class Pinned(LLM):
        single_loop: ClassVar[bool] = True
        _loop: Any = PrivateAttr(None)

        async def _load(self):
            self._loop = asyncio.get_running_loop()

        async def _acall(self, prompt):
            return str(self._loop is asyncio.get_running_loop())

    model = Pinned()
    assert model.invoke("x") == "True"
    assert model.with_params(max_concurrency=2).invoke("x") == "True"
