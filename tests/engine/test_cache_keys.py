"""The cache: calls that differ in anything never share an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import PrivateAttr, SecretStr

from modelport import (
    LLM,
    Cache,
    ChatModel,
    LRUCache,
    SQLiteCache,
    Usage,
)
from tests.engine.cached_models import ASKED, First

pytestmark = pytest.mark.usefixtures("nothing_asked")


def test_models_with_other_fields_never_share_an_answer(cache: Cache) -> None:
    assert First(n=5, cache=cache).invoke("hello world") == "hello"
    assert First(n=7, cache=cache).invoke("hello world") == "hello w"
    assert First(n=5, cache=cache).invoke("hello world") == "hello"
    assert len(ASKED) == 2


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"stop": ["l"]},
    {"stop": ["l", "o"]},
    {"stop": ["l"], "include_stop": False},
    {"max_tokens": 1},
    {"max_tokens": 2},
    {"x": 1},
    {"x": True},
    {"x": 1.0},
    {"x": "1"},
    {"x": b"1"},
    {"x": None},
    {"x": [1, 2]},
    {"x": (1, 2)},
    {"x": {1, 2}},
    {"x": {"a": 1}},
    {"x": {"a": {"b": 1}}},
    {"y": 1},
    {"x": 2**80},
    {"x": SecretStr("one")},
    {"x": SecretStr("two")},
    {"x": Usage(1, 2, 3)},
    {"x": Usage(1, 2, 4)},
]


def test_calls_that_differ_in_anything_never_share_an_answer(cache: Cache) -> None:
    model = First(cache=cache)
    for kwargs in DIFFERENT:
        model.invoke("hello world", **kwargs)
    assert len(ASKED) == len(DIFFERENT)


@pytest.mark.parametrize("kwargs", [kwargs for kwargs in DIFFERENT if kwargs.get("x") != 2**80], ids=repr)
def test_the_same_call_is_answered_once(kwargs: dict[str, Any], cache: Cache) -> None:
    model = First(cache=cache)
    assert model.invoke("hello world", **kwargs) == model.invoke("hello world", **kwargs)
    assert len(ASKED) == 1


def test_the_order_of_keywords_does_not_matter(cache: Cache) -> None:
    model = First(cache=cache)
    model.invoke("hello", a=1, b={"c": 1, "d": 2})
    model.invoke("hello", b={"d": 2, "c": 1}, a=1)
    assert len(ASKED) == 1


def test_a_keyword_that_cannot_be_told_from_another_is_never_cached(cache: Cache) -> None:
    model = First(cache=cache)
    for _ in range(2):
        model.invoke("hello", client=object())
    assert len(ASKED) == 2


def test_secrets_count_and_are_not_kept(tmp_path: Path) -> None:
    class Keyed(First):
        key: SecretStr

    path = tmp_path / "answers.sqlite"
    with SQLiteCache(path) as cache:
        Keyed(key=SecretStr("sk-one-secret"), cache=cache).invoke("hello")
        Keyed(key=SecretStr("sk-two-secret"), cache=cache).invoke("hello")
    assert len(ASKED) == 2
    assert b"secret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_identifying_params_count() -> None:
    class Versioned(First):
        _version: int = PrivateAttr(default=1)

        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {"version": self._version}

    model = Versioned(cache=True)
    model.invoke("identified")
    model._version = 2
    model.invoke("identified")
    assert len(ASKED) == 2


def test_state_outside_of_declared_fields_is_keyed_by_instance(cache: Cache) -> None:
    class Stateful(First):
        _prefix: str = PrivateAttr(default="")

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return self._prefix + super()._call(prompt)

    one, two = Stateful(cache=cache), Stateful(cache=cache)
    two._prefix = ">"
    assert [one.invoke("hello"), two.invoke("hello"), one.invoke("hello")] == ["hello", ">hello", "hello"]
    assert len(ASKED) == 2


def test_a_field_that_holds_a_client_is_keyed_by_that_client(cache: Cache) -> None:
    class Client:
        pass

    class Wrapping(First):
        client: Any

    model = Wrapping(client=Client(), cache=cache)
    model.invoke("hello")
    model.invoke("hello")
    assert len(ASKED) == 1
    model.client = Client()
    model.invoke("hello")
    assert len(ASKED) == 2


def test_two_classes_of_one_name_never_share_an_answer(cache: Cache) -> None:
    def make(suffix: str) -> LLM:
        class Local(LLM):
            def _call(self, prompt: str) -> str:
                return prompt + suffix

        return Local(cache=cache)

    assert [make("1").invoke("a"), make("2").invoke("a")] == ["a1", "a2"]


def test_a_hook_that_was_edited_does_not_find_the_answers_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, module = LRUCache(), globals()

    def define(times: int) -> LLM:
        namespace: dict[str, Any] = {"LLM": LLM, "__name__": __name__}
        exec(f"class Edited(LLM):\n    def _call(self, prompt):\n        return prompt * {times}", namespace)
        monkeypatch.setitem(module, "Edited", namespace["Edited"])
        return namespace["Edited"](cache=cache)

    assert [define(2).invoke("a"), define(3).invoke("a")] == ["aa", "aaa"]


def test_each_choice_is_an_answer_of_its_own(cache: Cache) -> None:
    class Counting(LLM):
        def _call(self, prompt: str) -> str:
            ASKED.append(prompt)
            return str(len(ASKED))

    model = Counting(cache=cache)
    texts = [[choice.text for choice in model.generate(["a"], n=3).generations[0]] for _ in range(2)]
    assert sorted(texts[0]) == ["1", "2", "3"]
    assert texts[0] == texts[1]
    assert len(ASKED) == 3


def test_chats_of_other_roles_never_share_an_answer(cache: Cache) -> None:
    class Chat(ChatModel):
        def _call(self, messages: list[Any]) -> str:
            ASKED.append(messages[-1].text)
            return messages[-1].role

    model = Chat(cache=cache)
    assert [model.invoke([(role, "hi")]).content for role in ("user", "system", "user")] == ["user", "system", "user"]
    assert len(ASKED) == 2
