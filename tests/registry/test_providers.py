"""`provider/model`: registered names, sources, entry points and what comes with modelport."""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import modelport
from modelport import LLM, ChatModel, CustomLLM, EmbeddingModel, get_llm_provider, register
from modelport.registry import providers, sources
from modelport.registry.provider import MAX_MADE, FactoryProvider
from modelport.registry.providers import add_source, resolve, unregister
from modelport.values.errors import InputError, LoadError, ModelNotFoundError


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_registered", {})
    monkeypatch.setattr(sources, "_sources", ())


class Named(LLM):
    text: str = "default"

    def _call(self, prompt):
        return self.text


class Handler(CustomLLM):
    def __init__(self, text: str = "handler") -> None:
        self.text = text

    def completion(self, model):
        return f"{self.text} {model}"


def says(model: str, **given: Any) -> str:
    return modelport.completion(model, "hi", **given).choices[0].message.content


@pytest.mark.parametrize(
    ("value", "answer"),
    [(Named(text="a"), "a"), (Named, "default"), (Handler("b"), "b x/y"), (Handler, "handler x/y")],
    ids=["model", "class", "handler", "handler class"],
)
def test_a_model_a_handler_or_the_class_of_either_is_callable_by_name(value: Any, answer: str) -> None:
    register("mine", value)
    assert says("mine/x/y") == answer
    assert says("x/y", custom_llm_provider="mine") == answer


def test_a_model_answers_to_its_bare_name_too() -> None:
    register("mine", Named(text="a"))
    response = modelport.completion("mine", "hi")
    assert (response.choices[0].message.content, response.model) == ("a", "mine")


def test_a_class_is_made_with_the_given_fields() -> None:
    register("mine", Named, text="given", max_concurrency=2)
    assert says("mine/x") == "given"
    model = resolve("mine/x").model_for("chat")
    assert model.max_concurrency == 2


def test_fields_of_a_model_change_a_copy_of_it() -> None:
    model = Named(text="a")
    register("mine", model, max_concurrency=3)
    assert resolve("mine/x").model_for("chat").max_concurrency == 3
    assert model.max_concurrency is None


@pytest.mark.parametrize("value", [Handler(), Handler, Named(), Named])
def test_a_wrong_field_is_said_where_it_is_given(value: Any) -> None:
    with pytest.raises(TypeError, match="max_concurrency"):
        register("mine", value, max_concurency=2)
    with pytest.raises(ValueError, match="max_concurrency"):
        register("mine", value, max_concurrency=0)
    with pytest.raises(ModelNotFoundError):
        resolve("mine/x")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3, "an int"), ("module:attr", "a str"), (None, "None"), (object(), "an object"), (dict, "the class dict")],
    ids=lambda value: str(value) if isinstance(value, str) else "value",
)
def test_what_is_neither_model_nor_handler_is_refused(value: Any, shown: str) -> None:
    with pytest.raises(InputError, match=f"^{shown} is no provider; register a model"):
        register("mine", value)


@pytest.mark.parametrize("name", ["", "a/b", None, 3], ids=repr)
def test_a_provider_has_a_name_without_a_slash(name: Any) -> None:
    with pytest.raises(InputError, match="without a slash"):
        register(name, Named())


def test_the_last_registration_of_a_name_wins_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "modelport.registry"):
        register("mine", Named(text="first"))
        assert not caplog.messages
        register("mine", Named(text="last"))
    assert says("mine/x") == "last"
    assert "'mine' was registered before" in caplog.text


def test_a_registered_name_wins_over_what_comes_with_modelport_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "modelport.registry"):
        register("openai", Named(text="mine"))
    assert says("openai/gpt-4o") == "mine"
    assert "'openai' hides" in caplog.text
    unregister("openai")
    assert isinstance(resolve("openai/gpt-4o").source, FactoryProvider)
    unregister("openai")


def test_an_unknown_name_is_a_404_that_says_which_name_is_near() -> None:
    register("my-llm", Named())
    with pytest.raises(ModelNotFoundError, match="did you mean 'my-llm'") as failure:
        says("my-lm/x")
    assert (failure.value.status_code, failure.value.param) == (404, "model")
    with pytest.raises(ModelNotFoundError, match=r"'provider/name'"):
        says("gpt-3.5-turbo")
    with pytest.raises(ModelNotFoundError, match=r"known providers: .*my-llm.*openai"):
        says("zzzzzz/x")


@pytest.mark.parametrize("model", ["", None, 3])
def test_a_model_is_a_text(model: Any) -> None:
    with pytest.raises(InputError, match="must be a text"):
        says(model)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("mine/x",), ("x", "mine", None, None)),
        (("mine/a/b", None, "http://x", "key"), ("a/b", "mine", "key", "http://x")),
        (("x", "mine"), ("x", "mine", None, None)),
        (("mine/x", "mine"), ("x", "mine", None, None)),
    ],
)
def test_get_llm_provider_takes_a_name_apart(given: Any, expected: Any) -> None:
    register("mine", Handler())
    assert get_llm_provider(*given) == expected


def test_get_llm_provider_refuses_an_unknown_provider() -> None:
    with pytest.raises(ModelNotFoundError):
        get_llm_provider("nobody/x")


# ── sources ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_is_asked_at_every_call_and_registered_names_win() -> None:
    known: dict[str, Any] = {}
    add_source(known.get)
    with pytest.raises(ModelNotFoundError):
        says("late/x")
    known["late"] = Handler("from the source")
    assert says("late/x") == "from the source x"
    register("late", Named(text="registered"))
    assert says("late/x") == "registered"
    unregister("late")
    del known["late"]
    with pytest.raises(ModelNotFoundError):
        says("late/x")


def test_of_several_sources_the_one_added_last_is_asked_first() -> None:
    add_source({"a": Named(text="first"), "b": Named(text="only")}.get)
    add_source({"a": Named(text="last")}.get)
    assert (says("a/x"), says("b/x")) == ("last", "only")


def test_what_a_source_finds_keeps_its_model_for_as_long_as_it_is_the_same() -> None:
    handler = Handler()
    found = {"a": handler}
    add_source(found.get)
    model = resolve("a/x").model_for("chat")
    assert resolve("a/x").model_for("chat") is model
    found["a"] = Handler("other")
    assert says("a/x") == "other x"


# ── entry points ────────────────────────────────────────────────────────────────────────────────────────────────────

PACKAGE = """
from modelport import CustomLLM, LLM

class Offered(LLM):
    def _call(self, prompt):
        return "offered"

class OfferedHandler(CustomLLM):
    def completion(self, model):
        return f"handler {model}"

handler = OfferedHandler()
"""


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an installed package that offers providers."""
    facts = tmp_path / "offering-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[modelport.providers]\n"
        "offered = offering:Offered\n"
        "offered-handler = offering:handler\n"
        "broken = offering:nothing\n"
        "missing = not_there_at_all:thing\n"
    )
    (tmp_path / "offering.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "offering", raising=False)
    return tmp_path


@pytest.mark.usefixtures("distribution")
def test_an_installed_package_offers_providers_by_entry_points() -> None:
    assert says("offered/x") == "offered"
    assert says("offered-handler/x") == "handler x"
    assert resolve("offered/x").model_for("chat") is resolve("offered/y").model_for("chat")
    assert "offered" in providers.provider_names()
    register("offered", Named(text="mine"))
    assert says("offered/x") == "mine"


@pytest.mark.usefixtures("distribution")
def test_a_package_is_imported_only_when_its_provider_is_asked_for() -> None:
    with pytest.raises(ModelNotFoundError, match="did you mean 'offered"):
        says("ofered/x")
    assert "offering" not in sys.modules
    assert says("offered/x") == "offered"
    assert "offering" in sys.modules


@pytest.mark.usefixtures("distribution")
@pytest.mark.parametrize(("name", "cause"), [("broken", AttributeError), ("missing", ModuleNotFoundError)])
def test_an_entry_point_that_cannot_be_loaded_says_why(name: str, cause: type[Exception]) -> None:
    with pytest.raises(LoadError, match=rf"'{name}' of the entry points cannot be loaded") as failure:
        says(f"{name}/x")
    assert isinstance(failure.value.__cause__, cause)


def test_a_package_that_is_gone_offers_nothing(distribution: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert says("offered/x") == "offered"
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(distribution)])
    with pytest.raises(ModelNotFoundError):
        says("offered/x")


# ── what comes with modelport ───────────────────────────────────────────────────────────────────────────────────────


def test_a_built_in_provider_keeps_one_model_for_equal_calls() -> None:
    first = resolve("openai/gpt-4o", api_key="a", api_base="http://x/v1").model_for("chat")
    assert resolve("openai/gpt-4o", api_key="a", api_base="http://x/v1").model_for("chat") is first
    other = resolve("openai/gpt-4o", api_key="b", api_base="http://x/v1").model_for("chat")
    assert other is not first
    assert isinstance(other.api_key, SecretStr)
    assert other.api_key.get_secret_value() == "b"
    assert isinstance(resolve("openai/e", api_base="http://x").model_for("embedding"), EmbeddingModel)
    assert isinstance(first, ChatModel)


def test_an_address_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(InputError, match=r"field 'base_url': value error, must be an http or https URL") as caught:
        modelport.completion("openai/x", [], base_url="localhost:1", api_key="k", num_retries=3)
    assert caught.value.status_code == 400


def test_a_factory_keeps_the_models_that_were_used_last() -> None:
    made: list[str] = []

    def make(kind: Any, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        made.append(name)
        return Named(text=name)

    register("many", FactoryProvider(make))
    for number in range(MAX_MADE):
        assert says(f"many/{number}") == str(number)
    assert says("many/0") == "0"
    assert says("many/new") == "new"  # pushes out the one that was not used for longest
    assert says("many/0") == "0"
    assert len(made) == MAX_MADE + 1
    assert says("many/1") == "1"
    assert len(made) == MAX_MADE + 2


def test_a_handler_in_use_keeps_its_models_however_many_others_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_found", OrderedDict())
    used, unused = Handler(), Handler()
    first, other = providers.provider_of_found(used), providers.provider_of_found(unused)
    others = [Handler() for _ in range(providers.MAX_FOUND)]
    for handler in others:
        providers.provider_of_found(handler)
        assert providers.provider_of_found(used) is first
    assert providers.provider_of_found(unused) is not other
    assert len(providers._found) == providers.MAX_FOUND


def test_the_mock_provider_answers_every_kind() -> None:
    assert says("mock/x")
    assert modelport.embedding("mock/x", "a").data
    assert modelport.image_generation("p", "mock/x").data


def test_an_http_model_has_to_be_described_first() -> None:
    with pytest.raises(InputError, match="described"):
        says("http/x")


def test_a_model_of_another_kind_says_what_it_does_not_do() -> None:
    register("mine", Named())
    with pytest.raises(InputError, match="Named is no model that makes images"):
        modelport.image_generation("p", "mine/x")
