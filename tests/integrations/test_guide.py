"""The custom handler guide: every code block but its last, which is a specification, runs.

Each runs as library code, `import litellm` replaced by the drop-in namespace, and unchanged, as a file that the loader
executes where LiteLLM is not installed. The blocks are in `guide/`, as the guide has them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from modelport.integrations import litellm
from modelport.registry.loader import load_object

pytestmark = pytest.mark.usefixtures("without_litellm")

GUIDE = Path(__file__).parent / "guide"
HELLO = [{"role": "user", "content": "Hello world!"}]

Run = Callable[[str], Any]
"""Runs a block of the guide, and gives what its names are."""


def as_library(block: str) -> Any:
    """Run a block with its imports changed, as somebody does who moves to the library."""
    source = (GUIDE / f"{block}.txt").read_text("ascii")
    source = source.replace("import litellm\n", "from modelport.integrations import litellm\n")
    source = source.replace("from litellm", "from modelport.integrations.litellm")
    assert "from modelport.integrations" in source
    module = ModuleType(block)
    exec(compile(source, f"{block}.py", "exec"), vars(module))
    return module


@pytest.fixture(params=["as a library", "as a file"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run a block in one of the two ways."""
    if request.param == "as a library":
        return as_library

    def as_file(block: str) -> Any:
        (tmp_path / "custom_handler.py").write_bytes((GUIDE / f"{block}.txt").read_bytes())
        load_object("custom_handler.CustomLLM", tmp_path)
        return sys.modules["custom_handler"]

    return as_file


def registered(provider: str, handler: Any) -> None:
    litellm.custom_provider_map = [{"provider": provider, "custom_handler": handler}]


def is_now(text: str) -> bool:
    return abs(int(text) - time.time()) < 60


def test_quick_start_says_hi(run: Run) -> None:
    block = run("quick_start")  # it asserts itself, too
    assert block.resp.choices[0].message.content == "Hi!"
    assert block.resp["choices"][0]["message"]["content"] == "Hi!"
    assert block.resp.choices[0].finish_reason == "stop"
    assert isinstance(block.resp, litellm.ModelResponse)


def test_the_map_of_the_file_is_the_map_of_the_namespace(run: Run) -> None:
    block = run("quick_start")
    assert litellm.custom_provider_map == [{"provider": "my-custom-llm", "custom_handler": block.my_custom_llm}]
    answer = litellm.completion(model="my-custom-llm/other", messages=HELLO)
    assert answer.choices[0].message.content == "Hi!"


def test_get_llm_provider_knows_the_guides_handler(run: Run) -> None:
    run("quick_start")
    assert litellm.get_llm_provider("my-custom-llm/my-fake-model") == ("my-fake-model", "my-custom-llm", None, None)


async def test_the_proxys_handler_answers_sync_and_async(run: Run) -> None:
    registered("my-custom-llm", run("proxy_handler").my_custom_llm)
    answer = await litellm.acompletion(model="my-custom-llm/my-model", messages=HELLO)
    assert answer.choices[0].message.content == "Hi!"
    assert litellm.completion(model="my-custom-llm/my-model", messages=HELLO).choices[0].message.content == "Hi!"


def test_the_proxys_handler_streams_though_it_has_no_method_for_it(run: Run) -> None:
    registered("my-custom-llm", run("proxy_handler").my_custom_llm)
    chunks = list(litellm.completion(model="my-custom-llm/my-model", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi!"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_unix_time_completes(run: Run) -> None:
    registered("unixtime", run("streaming_handler").unixtime)
    answer = litellm.completion(model="unixtime/now", messages=HELLO)
    assert is_now(answer.choices[0].message.content or "")


async def test_unix_time_completes_async(run: Run) -> None:
    registered("unixtime", run("streaming_handler").unixtime)
    answer = await litellm.acompletion(model="unixtime/now", messages=HELLO)
    assert is_now(answer.choices[0].message.content or "")


def test_unix_time_streams_the_one_chunk_that_it_returns(run: Run) -> None:
    registered("unixtime", run("streaming_handler").unixtime)
    chunks = list(litellm.completion(model="unixtime/now", messages=HELLO, stream=True))
    assert is_now("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert [chunk.choices[0].delta.role for chunk in chunks].count("assistant") == 1


async def test_unix_time_streams_async(run: Run) -> None:
    registered("unixtime", run("streaming_handler").unixtime)
    stream = await litellm.acompletion(model="unixtime/now", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert is_now("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_whole_unix_time_is_that_of_its_stream(run: Run) -> None:
    registered("unixtime", run("streaming_handler").unixtime)
    whole = litellm.stream_chunk_builder(list(litellm.completion(model="unixtime/now", messages=HELLO, stream=True)))
    assert whole is not None
    assert is_now(whole.choices[0].message.content or "")
    # The handler says 0/0/0, which is what nobody counted.
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 0


async def test_the_image_handler_that_takes_no_key_makes_an_image(run: Run) -> None:
    registered("my-custom-llm", run("image_handler").my_custom_llm)
    for response in (
        await litellm.aimage_generation(model="my-custom-llm/my-model", prompt="A cute baby sea otter"),
        litellm.image_generation(model="my-custom-llm/my-model", prompt="A cute baby sea otter", api_key="sk-unused"),
    ):
        assert response.data[0].url == "https://example.com/image.png"
        assert is_now(str(response.created))


def test_extra_parameters_arrive_exactly_as_they_were_given(run: Run) -> None:
    block = run("extra_params")  # the handler asserts what it got
    assert block.resp.choices[0].message.content == "Hi!"


@pytest.mark.parametrize("block", ["proxy_handler", "image_handler"])
def test_the_configs_handler_is_found_beside_the_config(tmp_path: Path, block: str) -> None:
    (tmp_path / "custom_handler.py").write_bytes((GUIDE / f"{block}.txt").read_bytes())
    config = yaml.safe_load((GUIDE / "config.txt").read_text("ascii"))
    [entry] = config["litellm_settings"]["custom_provider_map"]
    handler = load_object(entry["custom_handler"], tmp_path)
    assert isinstance(handler, litellm.CustomLLM)
    assert type(handler).__name__ == "MyCustomLLM"


def test_the_fixtures_are_whole() -> None:
    names = {file.stem for file in GUIDE.iterdir()}
    assert names == {
        "quick_start", "proxy_handler", "config", "streaming_handler", "image_handler", "extra_params"
    }  # fmt: skip
