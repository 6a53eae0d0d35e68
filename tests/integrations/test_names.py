"""Every name that custom handlers import of LiteLLM is there, and what is not there says what to use."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import modelport.sdk
from modelport.integrations import litellm
from modelport.integrations.litellm.absent import NotOfferedError
from modelport.integrations.litellm.names import SUBMODULES
from modelport.registry.builtin import BUILTIN
from modelport.registry.loader import load_object
from modelport.sdk.settings import settings
from modelport.values.errors import LoadError
from modelport.wire.completion import ChatCompletion, Choice, CompletionUsage, ResponseMessage, ToolCall
from modelport.wire.completion_chunk import ChatCompletionChunk, StreamingChoice

pytestmark = pytest.mark.usefixtures("without_litellm")

NAMES = {
    "litellm": (
        "CustomLLM ModelResponse ModelResponseStream GenericStreamingChunk ChatCompletionDeltaChunk "
        "ChatCompletionUsageBlock Choices Message Usage StreamingChoices EmbeddingResponse ImageResponse ImageObject "
        "HTTPHandler AsyncHTTPHandler completion acompletion embedding aembedding image_generation aimage_generation "
        "image_edit aimage_edit text_completion atext_completion rerank arerank get_llm_provider "
        "get_supported_openai_params token_counter stream_chunk_builder mock_completion Router CustomStreamWrapper "
        "LiteLLMParamsTypedDict custom_provider_map provider_list _custom_providers model_list_set drop_params "
        "set_verbose suppress_debug_info callbacks success_callback model_cost exceptions types utils llms "
        "RateLimitError BadRequestError APIError Timeout AuthenticationError NotFoundError PermissionDeniedError "
        "InternalServerError ServiceUnavailableError BadGatewayError APIConnectionError UnprocessableEntityError "
        "ContextWindowExceededError ContentPolicyViolationError UnsupportedParamsError verbose_logger"
    ),
    "litellm.types.utils": (
        "GenericStreamingChunk ModelResponse ModelResponseStream StreamingChoices Delta Usage Choices Message "
        "ImageResponse ImageObject EmbeddingResponse Embedding TextCompletionResponse ChatCompletionMessageToolCall "
        "Function"
    ),
    "litellm.llms.custom_llm": "CustomLLM CustomLLMError",
    "litellm.llms.base": "BaseLLM",
    "litellm.llms.custom_httpx.http_handler": "HTTPHandler AsyncHTTPHandler",
    "litellm.utils": (
        "ModelResponse EmbeddingResponse ImageResponse Choices Message Usage ModelResponseIterator "
        "CustomStreamWrapper custom_llm_setup token_counter"
    ),
    "litellm.types.llms.openai": (
        "ChatCompletionToolCallChunk ChatCompletionToolCallFunctionChunk ChatCompletionUsageBlock"
    ),
    "litellm.types.llms.custom_llm": "CustomLLMItem",
    "litellm.exceptions": "RateLimitError Timeout BadRequestError APIError",
    "litellm.litellm_core_utils.litellm_logging": "Logging",
    "litellm._logging": "verbose_logger verbose_proxy_logger",
    "litellm.integrations.custom_logger": "CustomLogger",
    "litellm.proxy.proxy_server": "UserAPIKeyAuth DualCache",
    "litellm.proxy._types": "UserAPIKeyAuth",
    "litellm.caching.caching": "DualCache",
}
"""What about thirty public handler modules import."""

NAMESPACE = "modelport.integrations.litellm"


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES.items() for name in names.split()]
)
def test_a_name_that_handlers_import_is_there(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module.replace("litellm", NAMESPACE, 1)), name)


@pytest.mark.parametrize("module", NAMES)
def test_a_file_imports_all_names_of_a_module_from_litellm(tmp_path: Path, module: str) -> None:
    names = ", ".join(NAMES[module].split())
    (tmp_path / "importing.py").write_text(f"import {module}\nfrom {module} import {names}\n")
    first = NAMES[module].split()[0]
    namespace = importlib.import_module(module.replace("litellm", NAMESPACE, 1))
    assert load_object(f"importing.{first}", tmp_path) is getattr(namespace, first)
    assert sys.modules[module] is namespace


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("ModelResponse", ChatCompletion),
        ("Choices", Choice),
        ("Message", ResponseMessage),
        ("Usage", CompletionUsage),
        ("ModelResponseStream", ChatCompletionChunk),
        ("StreamingChoices", StreamingChoice),
        ("ChatCompletionMessageToolCall", ToolCall),
    ],
)
def test_types_are_the_wires(name: str, ours: type) -> None:
    assert getattr(litellm, name) is ours


def test_functions_are_the_sdks() -> None:
    for name in ["completion", "acompletion", "aembedding", "image_edit", "atext_completion", "rerank"]:
        assert getattr(litellm, name) is getattr(modelport.sdk, name)


def test_all_submodules_are_there_without_imports_of_their_own() -> None:
    code = (
        "from modelport.integrations import litellm\n"
        "for path in {paths!r}:\n"
        "    place = litellm\n"
        "    for step in path.split('.'):\n"
        "        place = getattr(place, step)\n"
        "    assert place.__name__.endswith(path), path\n"
    )
    paths = sorted(path.removeprefix(f"{NAMESPACE}.") for path in SUBMODULES)
    run = subprocess.run([sys.executable, "-c", code.format(paths=paths)], check=False, timeout=60)
    assert run.returncode == 0


def test_importing_the_namespace_stays_light() -> None:
    heavy = "{'pydantic', 'httpx', 'aiohttp', 'msgspec', 'asyncio', 'modelport.models'}"
    code = f"import sys; from modelport.integrations import litellm; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_handler_can_be_written_without_pydantic_or_httpx() -> None:
    code = (
        "import sys; from modelport.integrations.litellm import CustomLLM, HTTPHandler, ModelResponse, RateLimitError\n"
        "class H(CustomLLM): ...\n"
        "sys.exit(bool({'pydantic', 'httpx', 'aiohttp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_provider_list_names_the_providers_that_come_with_modelport() -> None:
    assert litellm.provider_list == list(BUILTIN)


@pytest.mark.parametrize("name", ["Router", "BudgetManager", "Cache"])
def test_a_class_that_is_not_offered_can_be_imported_and_says_so_when_it_is_made(name: str) -> None:
    with pytest.raises(NotOfferedError, match=rf"litellm\.{name} is not offered .*; (give|there)"):
        getattr(litellm, name)(model_list=[])


@pytest.mark.parametrize("name", ["batch_completion", "completion_cost", "transcription", "responses"])
def test_a_function_that_is_not_offered_says_what_to_use_when_it_is_called(name: str) -> None:
    function: Any = getattr(litellm, name)
    with pytest.raises(NotImplementedError, match=rf"litellm\.{name} is not offered") as caught:
        function(model="a/b")
    assert caught.value.status_code == 501  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("module", "name", "near"),
    [
        ("", "ModelRespons", "ModelResponse"),
        ("", "acompletions", "acompletion"),
        (".types.utils", "GenericStreamChunk", "GenericStreamingChunk"),
        (".exceptions", "RateLimitErr", "RateLimitError"),
        (".utils", "token_count", "token_counter"),
    ],
)
def test_an_unknown_name_says_which_is_near(module: str, name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"stand-in for litellm{module} has no '{name}'; did you mean '{near}'"):
        getattr(importlib.import_module(f"{NAMESPACE}{module}"), name)


def test_a_name_like_nothing_says_where_to_find_it() -> None:
    with pytest.raises(AttributeError, match="install LiteLLM"):
        litellm.zzz  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018


def test_a_file_that_imports_an_unknown_name_is_told_which_is_near(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("from litellm import ModelRespons\n")
    with pytest.raises(LoadError, match=r"cannot import name 'ModelRespons'.*did you mean 'ModelResponse'\?.*line 1"):
        load_object("wrong.ModelRespons", tmp_path)


def test_hasattr_and_getattr_with_a_default_work() -> None:
    assert not hasattr(litellm, "no_such_thing")
    assert getattr(litellm, "no_such_thing", 5) == 5


def test_names_are_found_in_other_modules_of_litellm_too() -> None:
    utils = importlib.import_module(f"{NAMESPACE}.types.utils")
    assert utils.CustomLLM is litellm.CustomLLM


def test_drop_params_is_the_sdks_setting() -> None:
    litellm.drop_params = True
    assert settings.drop_params is True
    settings.drop_params = False
    assert litellm.drop_params is False


@pytest.mark.parametrize("name", ["callbacks", "success_callback"])
def test_a_setting_without_effect_is_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    setattr(litellm, name, [print])
    assert f"litellm.{name} has no effect" in caplog.text


def test_settings_of_no_consequence_can_be_set(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    for name, value in {"set_verbose": True, "suppress_debug_info": True, "telemetry": False}.items():
        monkeypatch.setattr(litellm, name, value)
        assert getattr(litellm, name) is value
    litellm.model_list_set.add("my-model")
    litellm.model_cost["my-model"] = {"input_cost_per_token": 0}
    litellm.model_cost.clear()
    litellm.model_list_set.clear()
    assert caplog.text == ""


def test_a_handler_file_turns_drop_params_on_for_the_process(tmp_path: Path) -> None:
    (tmp_path / "dropping.py").write_text("import litellm\nlitellm.drop_params = True\nvalue = 1\n")
    load_object("dropping.value", tmp_path)
    assert settings.drop_params is True
