"""The custom LLM guide's class, written for LangChain and unchanged: under from_langchain, and behind a real server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from modelport.integrations.langchain import from_langchain
from modelport.testing import run_checks
from tests.integrations.langchain.foreign_models import GUIDE, guides_class

CONFIG = """
models:
  custom: {use: "file.py:CustomLLM", params: {n: 9, max_concurrency: 4}}
"""


@pytest.fixture
def guides() -> Any:
    return from_langchain(guides_class()(n=5))


async def test_the_guides_calls_answer_as_in_the_guide(guides: Any) -> None:
    assert str(guides) == "CustomLLM\nParams: {'model_name': 'CustomChatModel'}"
    assert guides.invoke("This is a foobar thing") == "This "
    assert await guides.ainvoke("world") == "world"
    assert guides.batch(["woof woof woof", "meow meow meow"]) == ["woof ", "meow "]
    assert await guides.abatch(["woof woof woof", "meow meow meow"]) == ["woof ", "meow "]
    assert [token async for token in guides.astream("hello")] == list("hello")


async def test_a_stop_that_the_class_refuses_or_ignores_holds(guides: Any) -> None:
    assert guides.invoke("abcdef", stop=["c"]) == "abc"
    assert await guides.ainvoke("abcdef", stop=["c"], include_stop=False) == "ab"
    assert list(guides.stream("abcdef", stop=["bc"])) == ["a", "bc"]
    assert [token async for token in guides.astream("abcdef", stop=["b"])] == ["a", "b"]
    assert guides.batch(["abcdef", "xyzabc"], stop=["c", "z"]) == ["abc", "xyz"]


def test_usage_and_finish_reason_are_there(guides: Any) -> None:
    answer = guides.generate(["abcdefgh"], stop=["b"]).generations[0][0]
    assert (answer.finish_reason, answer.usage.completion_tokens, answer.usage.estimated) == ("stop", 1, True)


def test_another_exception_of_a_call_with_stop_is_the_callers() -> None:
    class Broken(guides_class()):  # type: ignore[misc]
        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            raise ValueError("nobody knows why")

    with pytest.raises(ValueError, match="nobody knows why"):
        from_langchain(Broken(n=1)).invoke("x", stop=["y"])


@pytest.mark.timeout(120)
def test_it_passes_the_conformance_kit() -> None:
    cls = guides_class()
    results = run_checks(lambda: from_langchain(cls(n=60)))
    assert [(one.id, one.seen) for one in results if one.outcome == "fail"] == []
    assert sum(one.outcome == "pass" for one in results) > 300


def test_a_server_answers_with_it(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_bytes(GUIDE.read_bytes())
    (tmp_path / "config.yaml").write_text(CONFIG)
    with serve(
        tmp_path / "config.yaml", "--port", "0", cwd=tmp_path, program=(str(Path(sys.executable).parent / "modelport"),)
    ) as url:
        with openai.OpenAI(base_url=url, api_key="none") as client:
            _hold_it_to_openais_rules(client)
        asyncio.run(_call_at_once(url))


def _hold_it_to_openais_rules(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="custom", messages=[{"role": "user", "content": "hello"}], stop=["an"])
    assert whole.choices[0].message.content == "Hum"  # of "Human: hello"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (3, 1, 4)
    stream = client.completions.create(
        model="custom", prompt="abcdefghijkl", stop=["fg"], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "abcde"
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [5]


async def _call_at_once(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        calls = [client.completions.create(model="custom", prompt=f"{place}abcdefghijkl") for place in range(8)]
        answers = await asyncio.gather(*calls)
    assert [answer.choices[0].text for answer in answers] == [f"{place}abcdefgh" for place in range(8)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("target", ["file.py:CustomLLM", "file.py:made"])
def test_the_command_line_checks_it_as_it_is(tmp_path: Path, target: str) -> None:
    (tmp_path / "file.py").write_text(f"{GUIDE.read_text()}\n\nmade = CustomLLM(n=60)\n")
    command = [sys.executable, "-m", "modelport", "check", target, "--json", "--only", "stop"]
    params = ["--param", "n=60"] if target.endswith("CustomLLM") else []
    done = subprocess.run([*command, *params], cwd=tmp_path, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert [one["id"] for one in report["results"] if one["outcome"] == "fail"] == []
    assert report["counts"]["passed"] > 10, done.stderr
