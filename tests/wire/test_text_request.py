"""What a text completion request may look like, and what is said of a wrong one."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.values.errors import InputError
from modelport.wire.text_request import TextRequest, decode_text_request, encode_text_request


def decoded(**fields: Any) -> TextRequest:
    return decode_text_request(json.dumps({"model": "m", "prompt": "hello", **fields}).encode())


token_ids = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)
texts = st.text(st.characters(codec=None, exclude_categories=()))
requests = st.builds(
    TextRequest,
    model=st.text(min_size=1),
    prompts=st.lists(texts, min_size=1, max_size=3) | st.lists(token_ids, min_size=1, max_size=3),
    stream=st.booleans(),
    include_usage=st.booleans(),
    n=st.integers(1, 128),
    stop=st.none() | st.lists(st.text(min_size=1), min_size=1, max_size=4),
    max_tokens=st.none() | st.integers(1, 10**6),
    echo=st.booleans(),
    options=st.fixed_dictionaries(
        {}, optional={"temperature": st.floats(0, 2), "suffix": st.text(), "top_k": st.just(1)}
    ),
)


@given(requests)
def test_a_request_sent_and_read_is_the_same(conforms: Any, request: TextRequest) -> None:
    raw = encode_text_request(request)
    conforms(raw, "CreateCompletionRequest")
    read = decode_text_request(raw)
    assert msgspec.structs.replace(read, given={}) == request
    assert read.given == json.loads(raw)


def test_a_minimal_request_asks_for_one_answer_of_any_length() -> None:
    assert decoded() == TextRequest("m", ["hello"], given={"model": "m", "prompt": "hello"})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("", [""]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
def test_a_prompt_is_a_text_or_token_ids_or_a_list_of_either(given: Any, meant: Any) -> None:
    assert decoded(prompt=given).prompts == meant


def test_an_explicit_null_is_the_same_as_an_absent_field() -> None:
    names = ("stream", "stream_options", "n", "best_of", "stop", "max_tokens", "echo", "logprobs", "suffix", "user")
    assert decoded(**dict.fromkeys(names)) == decoded()


def test_log_probabilities_reach_the_hook_as_chat_requests_have_them() -> None:
    request = decoded(logprobs=3)
    assert (request.logprobs, request.options) == (3, {"logprobs": True, "top_logprobs": 3})
    assert decoded(logprobs=0).options == {"logprobs": True, "top_logprobs": 0}
    assert json.loads(encode_text_request(request))["logprobs"] == 3
    assert "top_logprobs" not in json.loads(encode_text_request(request))


def test_the_best_of_as_many_as_are_wanted_is_no_ranking() -> None:
    assert (decoded(best_of=1).n, decoded(best_of=1).options) == (1, {})
    assert decoded(best_of=2, n=2).n == 2
    with pytest.raises(InputError, match="answers are not ranked"):
        decoded(best_of=3)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [1.5]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [[1], []]}, "prompt[1]"),
        ({"prompt": ["x"] * 2049}, "prompt"),
        ({"n": 0}, "n"),
        ({"best_of": 21}, "best_of"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"echo": 1}, "echo"),
        ({"stop": ""}, "stop"),
        ({"suffix": 5}, "suffix"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(**fields)
    assert (caught.value.status_code, caught.value.param) == (400, param)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["prompt", "n", "stop", "logprobs", "best_of", "stream_options"]), json_values))
def test_any_json_is_read_or_refused_as_the_clients_mistake(body: dict[str, Any]) -> None:
    with suppress(InputError):
        decoded(**body)
