"""`register_litellm` and `to_litellm` where LiteLLM is not installed, and by what names they register.

What the real one makes of it is tested beside it: tests/gateway/clients/test_litellm_provider.py.
"""

from __future__ import annotations

import enum
import importlib.metadata
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from modelport import LLM, completion
from modelport.integrations import litellm as stand_in
from modelport.integrations.litellm import register_litellm, to_litellm
from modelport.testing import EchoLLM
from modelport.values.errors import InputError, LoadError, MissingExtraError

both = pytest.mark.parametrize("make", [register_litellm, to_litellm])


class MyLLM(LLM):
    def _call(self, prompt: str) -> str:
        return "mine"


class HTTPServer2(MyLLM):
    pass


class Providers(enum.Enum):
    OPENAI = "openai"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install what looks like LiteLLM from outside: its registry."""
    package: Any = ModuleType("litellm")

    def custom_llm_setup() -> None:
        for entry in package.custom_provider_map:
            for names in (package.provider_list, package._custom_providers):
                if entry["provider"] not in names:
                    names.append(entry["provider"])

    package.CustomLLM = type("CustomLLM", (), {})
    package.LlmProviders = Providers
    package.custom_provider_map = []
    package.provider_list = ["openai", "ollama"]
    package._custom_providers = []
    package.utils = SimpleNamespace(custom_llm_setup=custom_llm_setup)
    monkeypatch.setitem(sys.modules, "litellm", package)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.106.2")
    return package


@both
def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'modelport\[litellm\]'"):
        make(MyLLM())


@both
def test_the_stand_in_is_not_taken_for_the_package(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    # So it is once a handler's file has said `import litellm`.
    monkeypatch.setitem(sys.modules, "litellm", stand_in)
    with pytest.raises(MissingExtraError):
        make(MyLLM())


@both
def test_a_release_that_is_too_old_is_refused(installed: Any, monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.44.9")
    with pytest.raises(LoadError, match=r"LiteLLM 1\.44 is installed; 1\.60 or newer is needed"):
        make(MyLLM())


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (MyLLM(), "my-llm"),
        (MyLLM, "my-llm"),
        (HTTPServer2(), "http-server2"),
        (MyLLM(name="Large one"), "large one"),
        ("mock/large", "mock"),
    ],
)
def test_a_provider_is_called_like_its_model(installed: Any, model: Any, name: str) -> None:
    handler = register_litellm(model)
    assert installed.custom_provider_map == [{"provider": name, "custom_handler": handler}]
    assert name in installed._custom_providers
    assert isinstance(handler, installed.CustomLLM)


def test_a_second_registration_takes_the_place_of_the_first(installed: Any, caplog: pytest.LogCaptureFixture) -> None:
    entries = installed.custom_provider_map
    register_litellm(MyLLM(), "mine")
    assert caplog.text == ""
    second = register_litellm(EchoLLM(), "mine")
    assert installed.custom_provider_map is entries
    assert [entry["custom_handler"] for entry in entries] == [second]
    assert "'mine' was registered with LiteLLM before" in caplog.text


@pytest.mark.parametrize("name", ["openai", "ollama"])
def test_a_name_of_litellms_own_is_refused(installed: Any, name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' is a provider of LiteLLM's own"):
        register_litellm(MyLLM(), name)
    assert installed.custom_provider_map == []


@pytest.mark.parametrize("name", ["", "a/b", 3])
def test_a_name_is_a_text_without_a_slash(installed: Any, name: Any) -> None:
    with pytest.raises(InputError, match="a provider's name is a text without a slash"):
        register_litellm(MyLLM(), name)


@both
def test_what_is_no_model_is_refused(installed: Any, make: Any) -> None:
    with pytest.raises(InputError, match="is no provider"):
        make(3)


def test_a_handler_alone_is_not_registered(installed: Any) -> None:
    assert isinstance(to_litellm(MyLLM), installed.CustomLLM)
    assert installed.custom_provider_map == []


def test_our_own_sdk_calls_what_is_registered_there(installed: Any) -> None:
    register_litellm(MyLLM())
    assert completion("my-llm/x", [{"role": "user", "content": "hi"}]).choices[0].message.content == "mine"
