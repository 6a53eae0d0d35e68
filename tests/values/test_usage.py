"""Usage, generations and results."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelport import Generation, GenerationChunk, LLMResult, Usage
from modelport.values.usage import usage_from


def test_usages_add_up_and_an_estimate_stays_one() -> None:
    assert Usage(1, 2, 3) + Usage(10, 20, 30) == Usage(11, 22, 33)
    assert (Usage(1, 2, 3) + Usage(1, 1, 2, estimated=True)).estimated


def test_usage_is_written_in_openais_and_langchains_names() -> None:
    assert Usage(1, 2, 3).to_token_usage() == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
    }
    assert Usage(1, 2, 3, estimated=True).to_token_usage()["estimated"] is True
    assert Usage(1, 2, 3).to_usage_metadata() == {
        "input_tokens": 1,
        "output_tokens": 2,
        "total_tokens": 3,
    }


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        (None, None),
        (Usage(1, 2, 3), Usage(1, 2, 3)),
        ({"prompt_tokens": 1, "completion_tokens": 2}, Usage(1, 2, 3)),
        ({"input_tokens": 1, "output_tokens": 2, "total_tokens": 9}, Usage(1, 2, 9)),
        (SimpleNamespace(prompt_tokens=1, completion_tokens=2, total_tokens=3), Usage(1, 2, 3)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({}, None),
        ({"total_tokens": 4}, Usage(0, 0, 4)),
    ],
)
def test_an_authors_usage_is_read(given: Any, usage: Usage | None) -> None:
    assert usage_from(given) == usage


def test_chunks_add_up() -> None:
    call = {"name": "f", "args": {}, "id": "c"}
    whole = (
        GenerationChunk("a", generation_info={"x": 1}, tool_calls=[call])
        + GenerationChunk("b", finish_reason="length", logprobs={"content": []})
        + GenerationChunk("c", usage=Usage(1, 2, 3), generation_info={"y": 2})
    )
    assert whole == GenerationChunk(
        "abc",
        finish_reason="length",
        usage=Usage(1, 2, 3),
        logprobs={"content": []},
        tool_calls=[call],
        generation_info={"x": 1, "y": 2},
    )
    assert GenerationChunk("a") + GenerationChunk("b") == GenerationChunk("ab")


def test_generations_print_without_defaults() -> None:
    assert repr(Generation("hi")) == "Generation(text='hi')"
    assert repr(GenerationChunk(text="h")) == "GenerationChunk(text='h')"
    assert repr(LLMResult([[Generation("a")]])) == ("LLMResult(generations=[[Generation(text='a')]])")


def test_a_result_adds_up_the_usage_of_its_generations() -> None:
    result = LLMResult([[Generation("a", usage=Usage(1, 1, 2)), Generation("b")], []])
    assert result.usage == Usage(1, 1, 2)
