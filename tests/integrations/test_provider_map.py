"""`litellm.custom_provider_map`: read at every call, the last of equal names counts."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from modelport import ChatModel
from modelport.integrations import litellm
from modelport.registry.providers import register, unregister

HELLO = [{"role": "user", "content": "Hello"}]


class Says(litellm.CustomLLM):
    """Says one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def completion(self, *args: Any, **kwargs: Any) -> str:
        return self.text


class SaysHi(litellm.CustomLLM):
    made = 0

    def __init__(self) -> None:
        type(self).made += 1

    def completion(self, *args: Any, **kwargs: Any) -> str:
        return "Hi from a class"


class Duck:
    """Is no CustomLLM, and has its method."""

    def completion(self, model: str, messages: list[Any]) -> str:
        return f"{model} quacks"


def entry(provider: str, handler: Any) -> dict[str, Any]:
    return {"provider": provider, "custom_handler": handler}


def said(model: str) -> str | None:
    return litellm.completion(model=model, messages=HELLO).choices[0].message.content


def test_the_map_is_read_at_every_call() -> None:
    litellm.custom_provider_map = [entry("mine", Says("one"))]
    assert said("mine/x") == "one"
    litellm.custom_provider_map = [entry("mine", Says("two"))]
    assert said("mine/x") == "two"
    litellm.custom_provider_map.append(entry("other", Says("three")))
    assert said("other/x") == "three"
    litellm.custom_provider_map[0]["custom_handler"] = Says("four")
    assert said("mine/x") == "four"


def test_the_last_of_equal_names_counts() -> None:
    litellm.custom_provider_map = [entry("mine", Says("first")), entry("mine", Says("last"))]
    assert said("mine/x") == "last"


def test_a_removed_entry_is_an_unknown_provider() -> None:
    litellm.custom_provider_map = [entry("mine", Says("one"))]
    assert said("mine/x") == "one"
    litellm.custom_provider_map.clear()
    with pytest.raises(litellm.NotFoundError, match="no provider 'mine'"):
        said("mine/x")


def test_an_entry_may_be_a_class_which_is_made_once() -> None:
    SaysHi.made = 0
    litellm.custom_provider_map = [entry("mine", SaysHi)]
    assert [said("mine/x"), said("mine/y")] == ["Hi from a class"] * 2
    assert SaysHi.made == 1


def test_an_entry_may_be_anything_with_a_handlers_method() -> None:
    litellm.custom_provider_map = [entry("mine", Duck())]
    assert said("mine/the/duck") == "the/duck quacks"


def test_a_registered_name_wins_over_the_map() -> None:
    litellm.custom_provider_map = [entry("both", Says("of the map"))]
    register("both", Says("registered"))
    try:
        assert said("both/x") == "registered"
    finally:
        unregister("both")
    assert said("both/x") == "of the map"


def test_the_map_wins_over_the_providers_that_come_with_modelport() -> None:
    litellm.custom_provider_map = [entry("mock", Says("of the map"))]
    assert said("mock/x") == "of the map"


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        ({"provider": "mine"}, r"custom_provider_map\[1\] must be .* not \{'provider': 'mine'\}"),
        ({"provider": "", "custom_handler": object()}, r"not \{'provider': '', 'custom_handler': a object\}"),
        ({"provider": "mine", "custom_handler": None}, "'custom_handler': None"),
        ({"provider": "mine", "custom_handler": "custom_handler.mine"}, "an instance or a class"),
        (Says("no dict"), "not a Says"),
        ("mine", "not 'mine'"),
    ],
)
def test_a_malformed_entry_is_a_clear_error(wrong: Any, shown: str) -> None:
    litellm.custom_provider_map = [entry("good", Says("good")), wrong]
    with pytest.raises(litellm.BadRequestError, match=shown):
        said("good/x")


def test_a_map_that_is_no_list_is_a_clear_error() -> None:
    litellm.custom_provider_map = entry("mine", Says("x"))  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(litellm.BadRequestError, match=r"custom_provider_map must be a list, not \{'provider'"):
        said("mine/x")


def test_a_malformed_entry_shows_no_secrets() -> None:
    litellm.custom_provider_map = [{"provider": "mine", "handler": {"key": Says("sk-secret")}}]
    with pytest.raises(litellm.BadRequestError) as caught:
        said("mine/x")
    assert "sk-secret" not in str(caught.value)


def test_custom_llm_setup_writes_the_names_where_litellm_does() -> None:
    litellm.custom_provider_map = [entry("mine", Says("x")), entry("openai", Says("y")), entry("mine", Says("z"))]
    litellm.custom_llm_setup()
    litellm.custom_llm_setup()
    assert litellm.provider_list.count("mine") == litellm.provider_list.count("openai") == 1
    assert litellm._custom_providers == ["mine", "openai"]


def test_get_llm_provider_gives_litellms_four() -> None:
    litellm.custom_provider_map = [entry("mine", Says("x"))]
    assert litellm.get_llm_provider("mine/a/b") == ("a/b", "mine", None, None)
    given = litellm.get_llm_provider("a", custom_llm_provider="mine", api_base="http://here", api_key="sk-1")
    assert given == ("a", "mine", "sk-1", "http://here")


def test_threads_see_whole_maps_while_the_map_is_set() -> None:
    litellm.custom_provider_map = [entry("mine", Says("0"))]
    stop = threading.Event()

    def setting() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            litellm.custom_provider_map = [entry("mine", Says(str(number)))]

    thread = threading.Thread(target=setting)
    thread.start()
    try:
        assert all((said("mine/x") or "").isdigit() for _ in range(200))
    finally:
        stop.set()
        thread.join()


class Strict(ChatModel):
    def _call(self, messages: list[Any]) -> str:
        return "strict"


def test_a_model_may_stand_in_the_map_too() -> None:
    litellm.custom_provider_map = [entry("strict", Strict())]
    assert said("strict/x") == "strict"


def test_drop_params_is_honoured_by_completion() -> None:
    litellm.custom_provider_map = [entry("strict", Strict())]
    with pytest.raises(litellm.UnsupportedParamsError, match="temperature"):
        litellm.completion(model="strict/x", messages=HELLO, temperature=1)
    litellm.drop_params = True
    answer = litellm.completion(model="strict/x", messages=HELLO, temperature=1)
    assert answer.choices[0].message.content == "strict"
