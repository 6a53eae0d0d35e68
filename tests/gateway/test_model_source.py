"""From `use` and `params` to what answers, and which texts of clients never become code."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from modelport import LLM, CustomLLM, EmbeddingModel, completion, register
from modelport.gateway.config import settings_from
from modelport.gateway.model_source import Source, make_source, sources_of, sources_of_mapping
from modelport.integrations import litellm
from modelport.registry.providers import unregister
from modelport.values.errors import CustomLLMError, InputError, LoadError
from modelport.values.status_errors import AuthenticationError

HANDLERS = """
import litellm
from litellm import CustomLLM
from modelport import LLM

with open(__file__ + ".runs", "a") as file:
    file.write("x")


class Greeter(CustomLLM):
    def __init__(self, greeting="Hi!", metadata=None):
        self.greeting = greeting
        self.metadata = metadata

    def completion(self, *args, **kwargs):
        return litellm.completion(model="gpt-3.5-turbo", messages=[], mock_response=self.greeting)


class Asker(CustomLLM):
    def completion(self, *args, **kwargs):
        return litellm.completion(model="greeter/x", messages=kwargs["messages"])


class Echo(LLM):
    n: int = 5

    def _call(self, prompt):
        return prompt[: self.n]


class Duck:
    def completion(self, **kwargs):
        return "quack"


class Nothing:
    pass


greeter = Greeter()
asker = Asker()
echo = Echo()
number = 5
"""


pytestmark = pytest.mark.usefixtures("plain_process")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source_handlers.py").write_text(HANDLERS)
    return tmp_path


@pytest.fixture
def source(folder: Path) -> Any:
    def source(use: str, params: dict[str, Any] | None = None, **settings: Any) -> Source:
        return make_source(use, params or {}, settings_from(settings, folder=folder))

    return source


def answer(source: Source) -> str:
    said = source.model_for("chat").invoke("hello world")
    return said if isinstance(said, str) else said.text


@pytest.mark.parametrize(
    ("use", "params", "said"),
    [
        ("source_handlers:Echo", {"n": 3}, "hel"),
        ("source_handlers.Echo", {}, "hello"),
        ("./source_handlers.py:Echo", {"n": 2, "max_concurrency": 4}, "he"),
        ("source_handlers:echo", {"max_concurrency": 4}, "hello"),
        ("source_handlers:greeter", {}, "Hi!"),
        ("source_handlers:Greeter", {"greeting": "Yo"}, "Yo"),
        ("source_handlers.greeter", {"max_concurrency": 2}, "Hi!"),
        ("source_handlers:Duck", {}, "quack"),
        ("mock/any", {"answer": "mocked"}, "mocked"),
        ("mock", {"answer": "mocked"}, "mocked"),
        ("openai/gpt-4o", {"mock_response": "not asked"}, "not asked"),
    ],
)
def test_a_use_is_a_class_an_instance_a_handler_or_a_providers_model(
    source: Any, use: str, params: dict[str, Any], said: str
) -> None:
    assert answer(source(use, params)) == said


def test_the_frameworks_fields_of_a_handler_stand_beside_its_own_parameters(source: Any) -> None:
    made = source("source_handlers:Greeter", {"greeting": "Yo", "metadata": {"a": 1}, "max_concurrency": 3})
    model = made.model_for("chat")
    assert (model.max_concurrency, model.metadata, made.provider.handler.metadata) == (3, None, {"a": 1})


def test_a_handler_is_given_key_address_and_defaults_with_each_call(source: Any) -> None:
    params = {"api_key": "sk-1", "api_base": "http://x", "defaults": {"temperature": 1}}
    made = source("greeter/some/model", params, handlers={"greeter": "source_handlers.greeter"})
    assert (made.model, made.api_key, made.api_base) == ("some/model", "sk-1", "http://x")
    assert made.defaults == {"temperature": 1}
    assert "sk-1" not in repr(made)


def test_an_openai_model_has_its_params_as_fields(source: Any) -> None:
    params = {"api_key": "sk-1", "api_base": "http://x/v1", "defaults": {"temperature": 1}, "max_retries": 2}
    made = source("openai/gpt-4o", params)
    model = made.model_for("chat")
    assert (model.model, model.base_url, model.max_retries) == ("gpt-4o", "http://x/v1", 2)
    assert (model.defaults, made.defaults) == ({"temperature": 1}, {})
    assert made.model_for("embedding").base_url == "http://x/v1"
    assert made.model_for("image").api_key.get_secret_value() == "sk-1"
    assert made.model_for("chat") is model


def test_a_field_of_one_kind_of_model_is_no_mistake_for_the_others(source: Any) -> None:
    made = source("mock/x", {"answer": "hi", "size": "8x8"})
    assert made.model_for("image").size == "8x8"
    assert made.model_for("chat").answer == "hi"


@pytest.mark.parametrize(
    ("use", "params", "url"),
    [
        ("http/torchserve", {"url": "http://h:8080/predictions/m"}, "http://h:8080/predictions/m"),
        ("http/torchserve/m", {"base_url": "http://h:8080"}, "http://h:8080/predictions/m"),
        ("http/torch_serve", {"api_base": "http://h:8080", "model": "m"}, "http://h:8080/predictions/m"),
        ("http/tgi", {"url": "http://h/generate", "api_key": "sk-1"}, "http://h/generate"),
        ("http/tgi", {}, "http://localhost:8080/generate"),
        ("http/ollama/llama3:8b", {}, "http://localhost:11434/api/chat"),
        ("http", {"url": "http://h/x", "body": {"q": "{{ prompt }}"}, "text_path": "a"}, "http://h/x"),
    ],
)
def test_an_http_model_is_a_recipe_or_described_by_its_params(
    source: Any, use: str, params: dict[str, Any], url: str
) -> None:
    assert source(use, params).model_for("chat").url == url


def test_a_registered_model_is_found_by_its_name(source: Any) -> None:
    class Echo(LLM):
        def _call(self, prompt: str) -> str:
            return prompt

    register("mine", Echo())
    try:
        assert answer(source("mine/x")) == "hello world"
        assert answer(source("mine")) == "hello world"
    finally:
        unregister("mine")


@pytest.mark.parametrize(
    ("use", "params", "said"),
    [
        ("bedrok/x", {}, "no provider 'bedrok' for the model 'bedrok/x'; known providers: greeter, openai"),
        ("opnai/x", {}, "did you mean 'openai'?"),
        ("greter/x", {}, "did you mean 'greeter'?"),
        ("../*:x", {}, "no provider '..'"),
        ("nothing", {}, "'nothing' is no import path and no provider; write 'module:attr'"),
        ("source_handlers:Eco", {}, "'source_handlers' has no 'Eco'; did you mean 'Echo'?"),
        (
            "source_handlers:Nothing",
            {},
            "is the class Nothing, not a model; it must be a subclass or an instance of LLM",
        ),
        ("source_handlers:number", {}, "is a int, not a model"),
        ("source_handlers:Echo", {"m": 1}, "Echo has no field 'm'"),
        ("source_handlers:Echo", {"api_key": "sk-1"}, "Echo has no field 'api_key'"),
        ("source_handlers:Greeter", {"greting": 1}, "Greeter has no parameter 'greting'; did you mean 'greeting'?"),
        ("source_handlers:echo", {"n": 1}, "is an instance and takes no params (n); name its class instead"),
        ("greeter/x", {"defaults": 5}, "params.defaults must be a mapping of parameters, not a int"),
        ("openai", {}, "'openai' needs a model's name: write 'openai/NAME'"),
        ("openai/x", {"temprature": 1}, "OpenAICompatible has no field 'temprature'"),
        ("openai/x", {"api_base": "ftp://x"}, "field 'base_url'"),
        ("openai/x", {"mock_response": 5}, "mock_response must be a text"),
        ("http/x", {"url": "http://h"}, "there is no recipe 'x' for 'http'; known: http/torchserve"),
        ("http/olama", {"model": "m"}, "did you mean 'http/ollama'?"),
        ("http/torchserve", {"max_retries": 1}, "'http/torchserve' needs 'url'"),
        ("http/ollama", {}, "'http/ollama' needs the model's name"),
        ("http", {}, "is described by its request and its response"),
        ("http/*", {"url": "http://h"}, "'http/*' cannot be filled in by clients"),
    ],
)
def test_what_cannot_be_made_is_said_when_it_is_configured(
    source: Any, use: str, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(LoadError) as caught:
        source(use, params, handlers={"greeter": "source_handlers.greeter"})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["../../x:y", "/etc/passwd", "source_handlers:greeter", "a/b*c", "gpt.py:x", "${HOME}"]
)
def test_what_a_client_fills_in_is_a_name_and_never_code(source: Any, folder: Path, text: str) -> None:
    (folder / "x.py").write_text("raise AssertionError('executed')")
    made = source("openai/*", {"api_base": "http://h/v1"})
    assert made.is_wildcard
    filled = made.with_model(text)
    assert (filled.model, filled.is_wildcard, filled.label) == (text, "*" in text, "openai/*")
    model = filled.model_for("chat")
    assert (model.model, model.base_url) == (text, "http://h/v1")
    assert not (folder / "source_handlers.py.runs").exists()


@pytest.mark.parametrize("text", ["x" * 513, "a\nb", "a\0", "\ud800"])
def test_a_name_that_no_model_can_have_is_the_clients_mistake(source: Any, text: str) -> None:
    with pytest.raises(InputError) as caught:
        source("openai/*", {"api_base": "http://h/v1"}).with_model(text)
    assert (caught.value.status_code, caught.value.param) == (400, "model")


async def test_openai_without_a_key_answers_401_without_network(source: Any) -> None:
    model = source("openai/gpt-4o").model_for("chat")
    with pytest.raises(AuthenticationError, match="set OPENAI_API_KEY") as caught:
        await model.ainvoke("hello")
    assert caught.value.status_code == 401


def test_one_file_is_executed_once_for_all_that_it_has(folder: Path) -> None:
    raw = {
        "handlers": {"greeter": "source_handlers.greeter", "asker": "source_handlers.asker"},
        "models": {"a": {"use": "greeter/a"}, "b": {"use": "asker/b"}, "c": {"use": "source_handlers:Echo"}},
    }
    sources = sources_of(settings_from(raw, folder=folder))
    assert list(sources) == ["a", "b", "c"]
    assert (folder / "source_handlers.py.runs").read_text() == "x"


def test_handlers_find_each_other_by_their_providers_names(folder: Path) -> None:
    raw = {
        "handlers": {"greeter": "source_handlers.greeter", "asker": "source_handlers.asker"},
        "models": {"a": {"use": "asker/x"}},
    }
    [asker] = sources_of(settings_from(raw, folder=folder))["a"]
    assert answer(asker) == "Hi!"
    assert completion("greeter/x", []).choices[0].message.content == "Hi!"


def test_a_config_that_is_read_again_does_not_pile_its_handlers_up(folder: Path) -> None:
    other = object()
    litellm.custom_provider_map = [{"provider": "other", "custom_handler": other}]
    for _ in range(3):
        sources_of(settings_from({"handlers": {"greeter": "source_handlers.greeter"}}, folder=folder))
    assert [entry["provider"] for entry in litellm.custom_provider_map] == ["other", "greeter"]


def test_handlers_belong_to_their_config(folder: Path) -> None:
    sources_of(settings_from({"handlers": {"greeter": "source_handlers.greeter"}}, folder=folder))
    raw = {"handlers": {"greeter": "source_handlers.asker"}, "models": {"m": {"use": "greeter/x"}}}
    [made] = sources_of(settings_from(raw, folder=folder))["m"]
    provider: Any = made.provider
    assert type(provider.handler).__name__ == "Asker"


def test_a_failure_names_the_model_and_shows_no_secret(folder: Path) -> None:
    params = {"api_key": "a-very-secret-value", "base_url": "ftp://a-very-secret-value"}
    raw = {
        "models": {
            "ok": {"use": "mock/x"},
            "m": {"deployments": [{"use": "mock/x"}, {"use": "openai/x", "params": params}]},
        }
    }
    with pytest.raises(LoadError, match=r"^models\.m\.deployments\[1\]: 'openai/x' cannot be made") as caught:
        sources_of(settings_from(raw, folder=folder))
    assert "a-very-secret-value" not in str(caught.value)
    with pytest.raises(LoadError, match=r"^handlers: h: 'source_handlers' has no 'gone'"):
        sources_of(settings_from({"handlers": {"h": "source_handlers.gone"}}, folder=folder))


def test_all_models_that_there_are_can_be_loaded(source: Any) -> None:
    echo = source("source_handlers:Echo")
    assert echo.models() == [echo.model_for("chat")]
    greeter = source("source_handlers:greeter")
    assert greeter.models() == [greeter.model_for("chat")]
    mock = source("mock/x")
    assert mock.models() == [mock.model_for("chat")]
    wildcard = source("openai/*", {"api_base": "http://h/v1"})
    assert wildcard.models() == []


def test_a_wildcards_models_are_known_once_they_were_asked_for(source: Any) -> None:
    made = source("openai/*", {"api_base": "http://h/v1"})
    model = made.with_model("a").model_for("chat")
    assert made.models() == [model]


def test_a_source_says_which_kinds_of_calls_it_answers(source: Any) -> None:
    assert source("source_handlers:Echo").kinds() == ["chat"]
    assert source("mock/x").kinds() == ["chat", "embedding", "image"]
    assert source("openai/*", {"api_base": "http://h/v1"}).kinds() == ["chat", "embedding", "image"]


class Vectors(EmbeddingModel):
    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [[1.0] for _ in texts]


class Handler(CustomLLM):
    def completion(self, *args: Any, **kwargs: Any) -> Any:
        return "handled"


def test_models_of_all_kinds_and_handlers_are_given_by_name() -> None:
    sources = sources_of_mapping({"v": Vectors(), "h": Handler(), "c": Handler})
    assert sources["v"].model_for("embedding").embed_query("x") == [1.0]
    with pytest.raises(InputError, match="Vectors is no model that answers"):
        sources["v"].model_for("chat")
    assert answer(sources["h"]) == answer(sources["c"]) == "handled"
    with pytest.raises(CustomLLMError, match="Not implemented yet!"):
        sources["h"].model_for("embedding")
    assert [source.label for source in sources.values()] == ["Vectors", "Handler", "Handler"]
    assert sources_of_mapping(sources) == sources


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"m": 5}, "models.m: 'int' is a int, not a model"),
        ({"": Handler()}, "a model's name is a text, not ''"),
        ({1: Handler()}, "a model's name is a text, not 1"),
    ],
)
def test_what_is_no_model_is_refused(models: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        sources_of_mapping(models)
    assert said in str(caught.value)


@pytest.mark.parametrize(("kind", "response"), [("embedding", [0.5, 0.25]), ("image", "https://example.com/image.png")])
def test_embeddings_and_images_are_mocked_too(source: Any, kind: Any, response: Any) -> None:
    made = source("openai/x", {"mock_response": response})
    model = made.model_for(kind)
    if kind == "embedding":
        assert model.embed(["a", "b"]).embeddings == [response, response]
        with pytest.raises(InputError, match="'chat'"):
            made.model_for("chat")
    else:
        assert [image.url for image in model.generate_images("a").images] == [response]


def test_an_unknown_provider_stops_a_config_of_our_own_only(folder: Path, caplog: Any) -> None:
    with pytest.raises(LoadError, match=r"^models\.m: no provider 'bedrock'"):
        sources_of(settings_from({"models": {"m": {"use": "bedrock/x"}}}, folder=folder))
    raw = {"model_list": [{"model_name": "m", "litellm_params": {"model": "bedrock/x:y"}}]}
    with caplog.at_level(logging.WARNING, "modelport.gateway"):
        [made] = sources_of(settings_from(raw, folder=folder))["m"]
    assert "no provider 'bedrock' for the model 'bedrock/x:y'" in caplog.text
    with pytest.raises(Exception, match="there is no provider 'bedrock' here") as caught:
        made.model_for("chat")
    assert getattr(caught.value, "status_code", None) == 404
    assert made.models() == []
