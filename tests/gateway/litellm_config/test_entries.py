"""The models of LiteLLM's config.yaml, as they are there: what they mean here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelport.gateway.config import load_settings
from modelport.gateway.model_source import sources_of
from modelport.values.errors import InputError, LoadError
from modelport.values.status_errors import AuthenticationError
from tests.gateway.litellm_config.entries import HANDLERS, SECRET, entry, only

GUIDE = Path(__file__).parents[2] / "integrations" / "guide"


def test_the_guides_config_and_handler_start_as_they_are(tmp_path: Path, warnings: Any) -> None:
    shutil.copy(GUIDE / "config.txt", tmp_path / "config.yaml")
    shutil.copy(GUIDE / "proxy_handler.txt", tmp_path / "custom_handler.py")
    settings = load_settings(tmp_path / "config.yaml")
    assert settings.handlers == {"my-custom-llm": "custom_handler.my_custom_llm"}
    sources = sources_of(settings)
    assert list(sources) == ["test-model", "my-custom-model"]
    [custom] = sources["my-custom-model"]
    assert custom.model == "my-model"
    assert custom.model_for("chat").invoke("hello").text == "Hi!"
    assert warnings() == [
        "model_list[0].litellm_params: there is no key for OpenAI: set OPENAI_API_KEY; calls are answered with 401"
    ]


async def test_an_entry_without_a_key_answers_401_without_network(read: Any) -> None:
    source = only(read({"model_list": [entry("m", "openai/text-embedding-ada-002")]}), "m")
    with pytest.raises(AuthenticationError, match="set OPENAI_API_KEY"):
        await source.model_for("embedding").aembed_query("hello")


def test_entries_of_one_name_are_deployments(read: Any, warnings: Any) -> None:
    settings = read(
        {
            "model_list": [
                entry("m", "h/a", rpm=5, max_parallel_requests=2, timeout=30, temperature=0.5),
                entry("other", "h/c", timeout="20"),
                {**entry("m", "h/b", tpm=100, timeout=60.5, api_key=SECRET), "model_info": {"id": "x"}},
            ],
            "litellm_settings": HANDLERS,
        }
    )
    first, second = settings.models["m"].parts()
    assert (first.use, first.params, first.max_concurrency) == ("h/a", {"defaults": {"temperature": 0.5}}, 2)
    assert (second.use, second.params, second.max_concurrency) == ("h/b", {"api_key": SECRET}, None)
    assert (settings.models["m"].timeout_seconds, settings.models["other"].timeout_seconds) == (60.5, 20)
    assert [source.defaults for source in sources_of(settings)["m"]] == [{"temperature": 0.5}, {}]
    assert warnings() == [
        f"model_list: {key}: is not used by modelport: the least busy deployment answers" for key in ("rpm", "tpm")
    ]
    assert SECRET in settings.scrubber()


def test_what_an_entry_says_beside_litellms_own_keys_is_given_to_each_call(read: Any) -> None:
    params = {
        "api_base": "http://x/v1",
        "api_key": "sk-1",
        "organization": "org",
        "extra_headers": {"x-a": "1"},
        "extra_body": {"top_k": 3},
        "temperature": 0.1,
        "stream_timeout": 5,
        "input_cost_per_token": 0.1,
        "drop_params": True,
        "max_tokens": None,
    }
    model: Any = only(read({"model_list": [entry("m", "openai/llama", **params)]}), "m").model_for("chat")
    assert model.defaults == {"temperature": 0.1, "top_k": 3}
    assert (model.base_url, model.organization, model.headers) == ("http://x/v1", "org", {"x-a": "1"})


def test_a_variable_that_is_not_set_is_left_out_also_inside_of_values(read: Any, warnings: Any) -> None:
    unset = "os.environ/NOT_SET"
    params = {
        "api_base": "http://x/v1",
        "extra_headers": {"x-a": unset, "x-b": "b"},
        "extra_body": {"q": {"r": unset, "s": 1}},
        "metadata": {"t": [unset, "u"]},
    }
    settings = read({"model_list": [entry("m", "openai/llama", **params)]})
    model: Any = only(settings, "m").model_for("chat")
    assert model.headers == {"x-b": "b"}
    assert model.defaults == {"q": {"s": 1}, "metadata": {"t": ["u"]}}
    place = "model_list[0].litellm_params"
    assert warnings() == [
        f"{place}.{where}: the environment variable 'NOT_SET' is not set"
        for where in ("metadata.t[0]", "extra_body.q.r", "extra_headers.x-a")
    ]


@pytest.mark.parametrize(
    ("params", "use"),
    [
        ({"model": "gpt-4o"}, "openai/gpt-4o"),
        ({"model": "text-embedding-3-small"}, "openai/text-embedding-3-small"),
        ({"model": "llama", "api_base": "http://x/v1"}, "openai/llama"),
        ({"model": "llama", "custom_llm_provider": "openai"}, "openai/llama"),
        ({"model": "openai/llama", "custom_llm_provider": "openai"}, "openai/llama"),
        ({"model": "hosted_vllm/org/llama", "api_base": "http://x/v1"}, "openai/org/llama"),
        ({"model": "hosted_vllm/llama"}, "hosted_vllm/llama"),
        ({"model": "claude-3"}, "claude-3/claude-3"),
        ({"model": "h"}, "h/h"),
        ({"model": "h/a/b:c"}, "h/a/b:c"),
        ({"model": "ollama/llama3:8b"}, "http/ollama"),
        ({"model": "hf.h"}, "hf.h/hf.h"),
        ({"model": "hf:h"}, "hf:h/hf:h"),
    ],
)
def test_a_model_is_a_provider_and_a_name(read: Any, params: dict[str, Any], use: str) -> None:
    settings = read({"model_list": [{"model_name": "m", "litellm_params": params}], "litellm_settings": HANDLERS})
    assert settings.models["m"].use == use


def test_no_model_of_litellms_is_an_import_path(read: Any, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise AssertionError('executed')")
    names = ["evil:x", "evil.x", "./evil.py:x", "evil.py:x"]
    settings = read({"model_list": [entry(name, name) for name in names]})
    for [source] in sources_of(settings).values():
        with pytest.raises(Exception, match="there is no provider"):
            source.model_for("chat")


def test_a_providers_own_model_may_be_called_by_an_ollama_entry(read: Any) -> None:
    settings = read({"model_list": [entry("m", "ollama_chat/llama3", api_base="http://o:1", temperature=0)]})
    model: Any = only(settings, "m").model_for("chat")
    assert (model.url, model.model, model.defaults) == ("http://o:1/api/chat", "llama3", {"temperature": 0})


@pytest.mark.parametrize(
    ("name", "model", "names"),
    [
        ("openai/*", "openai/*", {"openai/*": "openai/*"}),
        ("wild/*", "h/full/*", {"wild/*": "h/full/*"}),
        ("gpt-*", "gpt-*", {"gpt-*": "openai/gpt-*"}),
        ("*", "openai/*", {"*": "openai/*"}),
        ("*", "*", {"h/*": "h/*", "openai/*": "openai/*", "*": "openai/*"}),
        ("*", "h/one", {"*": "h/one"}),
    ],
)
def test_wildcards_are_filled_with_what_is_asked_for(read: Any, name: str, model: str, names: dict[str, str]) -> None:
    settings = read({"model_list": [entry(name, model)], "litellm_settings": HANDLERS})
    assert {own: one.use for own, one in settings.models.items()} == names
    sources_of(settings)


@pytest.mark.parametrize(("name", "model"), [("*-*", "h/*"), ("m", "h/*"), ("a*", "h/*-*")])
def test_a_wildcard_that_means_nothing_is_left_out(read: Any, warnings: Any, name: str, model: str) -> None:
    settings = read({"model_list": [entry(name, model), entry("ok", "h/x")], "litellm_settings": HANDLERS})
    assert list(settings.models) == ["ok"]
    assert "wildcards like this are not known here" in warnings()[0]


@pytest.mark.parametrize("model", ["bedrock/anthropic.claude:0", "anthropic/claude-3", "azure/*"])
def test_a_provider_that_is_not_here_stops_nothing(read: Any, warnings: Any, model: str) -> None:
    name = "azure/*" if "*" in model else "m"
    settings = read({"model_list": [entry(name, model, api_key="os.environ/NOT_SET", aws_region_name="x")]})
    source = only(settings, name)
    if source.is_wildcard:
        source = source.with_model("x")
    with pytest.raises(Exception, match="there is no provider") as caught:
        source.model_for("chat")
    assert getattr(caught.value, "status_code", None) == 404
    assert any("the environment variable 'NOT_SET' is not set" in line for line in warnings())
    assert any("requests for it are answered with 404" in line for line in warnings())


def test_a_model_whose_address_is_not_set_is_not_asked_elsewhere(read: Any, warnings: Any) -> None:
    settings = read({"model_list": [entry("m", "openai/x", api_base="os.environ/NOT_SET", api_key=SECRET)]})
    with pytest.raises(Exception, match="its address is the environment variable 'NOT_SET'") as caught:
        only(settings, "m").model_for("chat")
    assert getattr(caught.value, "status_code", None) == 500
    assert warnings() == ["model_list[0].litellm_params.api_base: the environment variable 'NOT_SET' is not set"]


def test_values_come_from_the_environment(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", SECRET)
    monkeypatch.setenv("A_BASE", "http://x/v1")
    params = {"api_key": "os.environ/A_KEY", "api_base": "${A_BASE}", "prompt": "costs $${A_BASE} ${NOT_SET}"}
    settings = read({"model_list": [entry("m", "openai/x", **params)]})
    own = settings.models["m"].params
    assert (own["api_key"], own["base_url"]) == (SECRET, "http://x/v1")
    assert own["defaults"] == {"prompt": "costs $${A_BASE} ${NOT_SET}"}, "LiteLLM reads no ${…}"


def test_environment_variables_are_set_first(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FROM_CONFIG", "COPIED"):
        monkeypatch.setenv(variable, "before")
    monkeypatch.setenv("A_KEY", SECRET)
    settings = read(
        {
            "environment_variables": {"FROM_CONFIG": 5, "COPIED": "os.environ/A_KEY"},
            "model_list": [entry("m", "h/x", key="os.environ/COPIED", n="os.environ/FROM_CONFIG")],
            "litellm_settings": HANDLERS,
        }
    )
    assert (os.environ["FROM_CONFIG"], os.environ["COPIED"]) == ("5", SECRET)
    assert settings.models["m"].params["defaults"] == {"key": SECRET, "n": "5"}
    assert SECRET in settings.scrubber()


def test_included_files_add_their_models(read: Any, tmp_path: Path) -> None:
    more = {"model_list": [entry("b", "h/b")], "litellm_settings": HANDLERS}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(more))
    settings = read({"include": ["more.yaml"], "model_list": [entry("a", "h/a")]})
    assert settings.included == {tmp_path / "more.yaml"}  # which --reload watches, too
    assert (list(settings.models), list(settings.handlers)) == (["a", "b"], ["h"])
    with pytest.raises(InputError, match=r"there is no config file 'gone\.yaml'"):
        read({"include": ["gone.yaml"], "model_list": []})
    with pytest.raises(InputError, match="cannot be read"):
        read({"include": ["\0"], "model_list": []})


def test_a_mocked_entry_calls_nobody(read: Any) -> None:
    settings = read({"model_list": [entry("m", "gpt-4", mock_response="hello", api_key="os.environ/NOT_SET")]})
    assert only(settings, "m").model_for("chat").invoke("x").text == "hello"


def test_handlers_are_classes_or_instances_and_the_last_of_a_name_counts(read: Any) -> None:
    entries = [{"provider": "h", "custom_handler": "gone.x"}, {"provider": "h", "custom_handler": "hf.H"}]
    settings = read({"model_list": [entry("m", "h/x", a=1)], "litellm_settings": {"custom_provider_map": entries}})
    source = only(settings, "m")
    provider: Any = source.provider
    assert (source.defaults, type(provider.handler).__name__) == ({"a": 1}, "H")


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("hf.x", "litellm_settings.custom_provider_map: h: 'hf' has no 'x'"),
        ("gone.x", "litellm_settings.custom_provider_map: h: there is no module 'gone'"),
        ("broken.x", "ZeroDivisionError"),
    ],
)
def test_a_handler_that_cannot_be_loaded_stops_the_start(read: Any, tmp_path: Path, handler: str, said: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    settings = read({"litellm_settings": {"custom_provider_map": [{"provider": "h", "custom_handler": handler}]}})
    with pytest.raises(LoadError) as caught:
        sources_of(settings)
    assert said in str(caught.value)


def test_a_handler_may_have_the_name_of_one_of_litellms_providers(read: Any) -> None:
    names = ["ollama", "hosted_vllm", "openai", "mock"]
    settings = read(
        {
            "model_list": [entry(name, f"{name}/x", api_base="http://x/v1", a=1) for name in names],
            "litellm_settings": {
                "custom_provider_map": [{"provider": name, "custom_handler": "hf.h"} for name in names]
            },
        }
    )
    for name, [source] in sources_of(settings).items():
        assert (source.label, source.api_base, source.defaults) == (f"{name}/x", "http://x/v1", {"a": 1})
        assert source.provider.is_handler
