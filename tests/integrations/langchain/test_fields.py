"""The fields of a face are the model's: setting, configuring, copying, pickling and dumping them work."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.load import dumpd, dumps, loads
from langchain_core.runnables import ConfigurableField
from pydantic import Field, PrivateAttr, SecretStr, field_validator

import modelport
from modelport.integrations.langchain import to_langchain
from modelport.integrations.langchain.face_classes import face_class

BETA = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


class Shown(modelport.LLM):
    """Answers with what it is made of."""

    n: int = 3
    api_key: SecretStr = SecretStr("")
    streaming: bool = False
    unit: str = Field(default="chars", alias="unitName")
    _calls: list[str] = PrivateAttr(default_factory=list)

    @field_validator("n", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return len(value) if isinstance(value, list) else value

    def _call(self, prompt: str, **kwargs: Any) -> str:
        self._calls.append(prompt)
        return f"{prompt[: self.n]}/{self.api_key.get_secret_value()}{kwargs or ''}"


def shown(**fields: Any) -> Any:
    return to_langchain(Shown(**fields))


def test_setting_a_field_changes_the_face_and_not_the_model() -> None:
    model = Shown(n=2)
    llm: Any = to_langchain(model)
    llm.n = 4
    llm.api_key = SecretStr("k")
    assert (llm.invoke("abcdef"), llm.n) == ("abcd/k", 4)
    assert (model.invoke("abcdef"), model.n) == ("ab/", 2)


def test_fields_are_checked_by_the_models_class() -> None:
    llm = shown()
    llm.n = ["a", "b"]
    assert llm.n == 2
    with pytest.raises(ValueError, match="field 'n'"):
        llm.n = "many"
    with pytest.raises(ValueError, match="field 'n'"):
        type(llm)(n="many")


def test_a_field_that_was_not_given_does_not_count_as_given() -> None:
    """LangChain does not stream when `streaming=False` was said."""
    llm = shown(n=1)
    assert "n" in llm.model_fields_set
    assert "streaming" not in llm.model_fields_set


def test_a_class_can_be_made_by_the_names_of_its_fields() -> None:
    made = face_class(Shown, as_chat=False)(n=1, unit="words", tags=["t"])
    assert (made.unit, made.invoke("abc"), made.tags) == ("words", "a/", ["t"])


def test_configurable_fields_and_alternatives() -> None:
    llm = shown().configurable_fields(n=ConfigurableField(id="n"))
    assert llm.with_config(configurable={"n": 1}).invoke("abc") == "a/"
    assert llm.invoke("abcd") == "abc/"
    other = shown().configurable_alternatives(ConfigurableField(id="which"), default_key="three", one=shown(n=1))
    assert other.with_config(configurable={"which": "one"}).invoke("abc") == "a/"


def test_a_copy_with_other_fields_shares_the_models_private_state() -> None:
    llm = shown()
    other = llm.model_copy(update={"n": 1, "tags": ["x"]})
    assert (other.invoke("abc"), other.tags, llm.invoke("abc")) == ("a/", ["x"], "abc/")
    assert copy.deepcopy(llm).invoke("abc") == "abc/"


def test_a_face_is_pickled_with_its_model() -> None:
    again = pickle.loads(pickle.dumps(shown(n=2, api_key="k")))
    assert type(again) is face_class(Shown, as_chat=False)
    assert again.invoke("abc") == "ab/k"
    chat = pickle.loads(pickle.dumps(to_langchain(Shown(), as_chat=True)))
    assert chat.invoke("abc").content == "Hum/"


def test_secrets_are_shown_nowhere() -> None:
    llm = shown(api_key="sk-hidden")
    assert "sk-hidden" not in f"{llm}{llm!r}{dumps(llm)}{llm._identifying_params}"
    assert dumpd(llm)["kwargs"]["api_key"] == {"lc": 1, "type": "secret", "id": ["API_KEY"]}


@BETA
@pytest.mark.parametrize("as_chat", [None, True])
def test_a_dump_is_loaded_where_its_class_is_allowed(as_chat: Any) -> None:
    llm = to_langchain(Shown(n=2, api_key=SecretStr("k")), as_chat)
    again: Any = loads(
        dumps(llm), allowed_objects=[type(llm)], valid_namespaces=["modelport"], secrets_map={"API_KEY": "k"}
    )
    assert type(again) is type(llm)
    assert (again.n, again.api_key) == (2, SecretStr("k"))


def test_a_class_that_cannot_be_imported_is_not_dumped() -> None:
    class Local(modelport.LLM):
        def _call(self, prompt: str) -> str:
            return prompt

    assert dumpd(to_langchain(Local()))["type"] == "not_implemented"


def test_retries_and_fallbacks() -> None:
    class Flaky(modelport.LLM):
        calls: list[int]

        def _call(self, prompt: str) -> str:
            self.calls.append(1)
            if len(self.calls) < 3:
                raise ConnectionError("try again")
            return prompt

    flaky: Any = to_langchain(Flaky(calls=[]))
    assert flaky.with_retry(wait_exponential_jitter=False, stop_after_attempt=3).invoke("a") == "a"
    failing: Any = to_langchain(Flaky(calls=[]))
    assert failing.with_fallbacks([shown(n=1)]).invoke("abc") == "a/"


def test_the_models_name_tags_and_metadata_are_the_faces() -> None:
    llm = shown(name="my-llm", tags=["a"], metadata={"b": 1})
    assert (llm.get_name(), llm.tags, llm.metadata["b"]) == ("my-llm", ["a"], 1)


@pytest.fixture
def global_cache() -> Iterator[None]:
    set_llm_cache(InMemoryCache())
    yield
    set_llm_cache(None)


@pytest.mark.usefixtures("global_cache")
@pytest.mark.parametrize("as_chat", [False, True])
def test_langchains_cache_finds_what_is_the_same_and_nothing_else(as_chat: bool) -> None:
    model = Shown(n=3)
    llm: Any = to_langchain(model, as_chat)
    answers = [llm.invoke("abc"), llm.invoke("abc")]
    assert len(model._calls) == 1
    assert answers[0] == answers[1] if not as_chat else answers[0].content == answers[1].content
    assert llm.invoke("abc", temperature=1) != answers[0]
    assert to_langchain(Shown(n=1), as_chat).invoke("abc") != answers[0]
    assert to_langchain(Shown(n=3, api_key=SecretStr("k")), as_chat).invoke("abc") != answers[0]


async def test_a_cache_of_its_own_and_none_at_all() -> None:
    model = Shown()
    llm: Any = to_langchain(model)
    llm.cache = InMemoryCache()
    assert await llm.abatch(["abc", "abc"]) == ["abc/", "abc/"]
    count = len(model._calls)
    assert await llm.ainvoke("abc") == "abc/"
    assert len(model._calls) == count
    llm.cache = False
    await llm.ainvoke("abc")
    assert len(model._calls) == count + 1


def test_tokens_are_counted_by_the_models_own_counter() -> None:
    class Counting(Shown):
        def _count_tokens(self, text: str) -> int:
            return len(text)

    assert to_langchain(Counting()).get_num_tokens("abcd") == 4


def test_traces_carry_what_langchain_makes_of_the_fields() -> None:
    class ChatNamed(modelport.ChatModel):
        model: str = "m-1"
        temperature: float = 0.5

        def _call(self, messages: Any, **kwargs: Any) -> str:
            return "x"

    chat: Any = to_langchain(ChatNamed())
    expected = {"ls_provider": "named", "ls_model_type": "chat", "ls_model_name": "m-1", "ls_temperature": 0.5}
    assert chat._get_ls_params() == expected
    assert chat._get_ls_params(stop=["x"]) == {**expected, "ls_stop": ["x"]}
    assert chat._get_ls_params(model="m-2")["ls_model_name"] == "m-2"
    chat.temperature = 0.9
    assert chat._get_ls_params()["ls_temperature"] == 0.9
