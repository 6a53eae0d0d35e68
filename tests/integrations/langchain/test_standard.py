"""LangChain's own standard tests, unit and integration, of a chat model that `to_langchain` made."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="LangChain's standard tests are not installed")

from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from modelport.integrations.langchain import to_langchain
from tests.integrations.langchain.standard_model import ChatStandard

# What they test is partly deprecated, or not finished, in LangChain's own eyes.
pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
    # Its test of speed measures what a cassette of HTTP requests answers; there are none to record.
    pytest.mark.filterwarnings("ignore:Benchmark fixture was not used"),
]


class _Shared:
    @property
    def chat_model_class(self) -> type[Any]:
        return type(to_langchain(ChatStandard()))

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "standard-1"}

    @property
    def supports_json_mode(self) -> bool:
        return True


class TestChatStandardUnit(_Shared, ChatModelUnitTests):
    @pytest.fixture(autouse=True)
    def listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """List the class where LangChain lists those of published packages: `load` refuses others by default."""
        path = tuple(self.chat_model_class.lc_id())
        loading: Any = import_module("langchain_core.load.load")
        monkeypatch.setitem(loading.ALL_SERIALIZABLE_MAPPINGS, path, path)
        monkeypatch.setattr(loading, "_default_class_paths_cache", {})

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"API_KEY": "key-of-env"}, {"model": "standard-1"}, {"api_key": "key-of-env"}


class TestChatStandardIntegration(_Shared, ChatModelIntegrationTests):
    @property
    def model_override_value(self) -> str:
        return "standard-2"

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def enable_vcr_tests(self) -> bool:
        return True
