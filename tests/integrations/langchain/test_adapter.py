"""LangChain's classes and objects where models are named: config, register, create_app, and no import without need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import modelport
from modelport.gateway.config import load_settings
from modelport.gateway.model_source import sources_of
from modelport.registry.made import made_provider
from modelport.values.errors import LoadError
from modelport.values.foreign import adapter_for
from tests.integrations.langchain.conftest import Register
from tests.integrations.langchain.foreign_models import GUIDE, Echo, Lengths, ToolChat, guides_class


def model_of(found: Any, params: dict[str, Any] | None = None) -> Any:
    return made_provider(found, params or {}, "it").model_for("chat", "x", api_key=None, api_base=None)


def test_a_class_gets_its_own_params_and_the_model_ours() -> None:
    model = model_of(guides_class(), {"n": 3, "max_concurrency": 2, "chat_template": "last"})
    assert (model.langchain_model.n, model.max_concurrency, model.invoke([("human", "hello")])) == (3, 2, "hel")


def test_an_instance_gets_our_params_only() -> None:
    assert model_of(Echo(), {"max_concurrency": 2}).max_concurrency == 2
    with pytest.raises(LoadError, match="is an instance and takes no params"):
        model_of(Echo(), {"loud": True})


def test_a_param_that_langchain_would_drop_is_refused_by_name() -> None:
    with pytest.raises(LoadError, match="Echo has no field 'lout'; did you mean 'loud'"):
        model_of(Echo, {"lout": True})


def test_a_wrong_param_is_named_and_not_shown() -> None:
    with pytest.raises(LoadError, match="field 'n' is missing"):
        model_of(guides_class())
    with pytest.raises(LoadError, match="field 'n'") as raised:
        model_of(guides_class(), {"n": "sk-very-secret"})
    assert "sk-very-secret" not in str(raised.value) + str(raised.value.__cause__)


def test_a_class_that_is_no_model_is_refused() -> None:
    from langchain_core.documents import Document

    with pytest.raises(LoadError, match="Document, not a model"):
        made_provider(Document, {}, "it")
    with pytest.raises(LoadError, match=r"no provider|not a model"):
        made_provider(Document(page_content="x"), {}, "it")


def test_a_config_names_a_class_an_instance_or_a_chain(tmp_path: Path) -> None:
    (tmp_path / "lc_models.py").write_text(
        f"{GUIDE.read_text('ascii')}\n\nfrom langchain_core.runnables import RunnableLambda\n"
        "instance = CustomLLM(n=4)\nchain = CustomLLM(n=20) | RunnableLambda(str.upper)\n"
    )
    (tmp_path / "config.yaml").write_text(
        "models:\n  cls: {use: lc_models:CustomLLM, params: {n: 2}}\n  instance: {use: lc_models.py:instance}\n"
        "  chain: {use: lc_models:chain}\n"
    )
    sources = sources_of(load_settings(tmp_path / "config.yaml"))
    answers = {name: one[0].model_for("chat").invoke("hello you") for name, one in sources.items()}
    assert answers == {"cls": "he", "instance": "hell", "chain": "HELLO YOU"}


async def test_an_app_is_made_of_them(register: Register) -> None:
    app = modelport.create_app({"echo": Echo(), "chat": ToolChat, "lengths": Lengths()})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi you"}]}
        echo = await client.post("/v1/chat/completions", json={"model": "echo", **body, "stop": "y"})
        chat = await client.post("/v1/chat/completions", json={"model": "chat", **body})
        vectors = await client.post("/v1/embeddings", json={"model": "lengths", "input": "abc"})
    assert echo.json()["choices"][0]["message"]["content"] == "Human: hi "
    assert chat.json()["choices"][0]["message"]["content"] == "hi you"
    assert vectors.json()["data"][0]["embedding"] == [3.0, 1.0]


def test_the_command_line_serves_a_class(tmp_path: Path) -> None:
    text = GUIDE.read_text("ascii").replace("    n: int\n", "    n: int = 3\n")
    (tmp_path / "guides.py").write_text(text)
    program = (sys.executable, "-m", "modelport", "serve", "guides:CustomLLM", "--port", "0")
    with subprocess.Popen(program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().split()[2]
            answer = httpx.post(f"{url}/completions", json={"model": "CustomLLM", "prompt": "hello"}, timeout=20)
        finally:
            server.terminate()
            server.communicate()
    assert answer.json()["choices"][0]["text"] == "hel"


def test_langchain_is_imported_only_for_its_own_objects() -> None:
    code = (
        "import sys, modelport\n"
        "from modelport import ChatPromptTemplate, LLM, completion, create_app, register\n"
        "from modelport.testing import RecordingHandler\n"
        "class Mine(LLM):\n"
        "    def _call(self, prompt): return prompt\n"
        "register('mine', Mine())\n"
        "completion(model='mine/x', messages=[('human', 'hi')])\n"
        "(ChatPromptTemplate.from_messages([('human', '{q}')]) | Mine() | str.upper).invoke(\n"
        "    {'q': 'x'}, {'callbacks': [RecordingHandler()]})\n"
        "create_app({'mine': Mine()})\n"
        "import modelport.integrations.langchain\n"
        "sys.exit(any(name.startswith('langchain') for name in sys.modules))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_only_langchains_objects_have_an_adapter() -> None:
    assert adapter_for(Echo()) is adapter_for(Echo) is not None
    assert adapter_for("text") is None
    assert adapter_for(modelport.LLM) is None
