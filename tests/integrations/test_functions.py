"""LiteLLM's functions about models, tokens and chunks, by its names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelport import LLM, ChatModel
from modelport.integrations import litellm
from modelport.integrations.litellm.utils import ModelResponseIterator
from modelport.registry.providers import register, unregister

HELLO = [{"role": "user", "content": "Hello"}]


class Words(LLM):
    """Counts words."""

    def _call(self, prompt: str, temperature: float | None = None) -> str:
        return prompt

    def _count_tokens(self, text: str) -> int:
        return len(text.split())


class Open(ChatModel):
    """Takes every keyword."""

    def _call(self, messages: list[Any], **kwargs: Any) -> str:
        return "open"


class Handler(litellm.CustomLLM):
    def completion(self, *args: Any, **kwargs: Any) -> str:
        return "Hi!"


class Choosy(Handler):
    def get_supported_openai_params(self, model: str) -> list[str]:
        return ["temperature", model]


@pytest.fixture(autouse=True)
def models() -> Any:
    register("words", Words())
    register("open", Open())
    litellm.custom_provider_map = [
        {"provider": "handler", "custom_handler": Handler()},
        {"provider": "choosy", "custom_handler": Choosy()},
    ]
    yield
    unregister("words")
    unregister("open")


# ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_handler_takes_all_of_openais_parameters() -> None:
    params = litellm.get_supported_openai_params("handler/x") or []
    assert {"temperature", "tools", "response_format", "reasoning_effort", "stop", "n"} <= set(params)


def test_a_handlers_own_answer_counts() -> None:
    assert litellm.get_supported_openai_params("choosy/x") == ["temperature", "x"]


def test_of_a_model_those_are_given_that_its_hook_takes_or_the_framework_enforces() -> None:
    params = litellm.get_supported_openai_params("words/x") or []
    assert {"temperature", "stop", "max_tokens", "n", "stream"} <= set(params)
    assert not {"tools", "seed", "logit_bias"} & set(params)
    assert {"tools", "seed"} <= set(litellm.get_supported_openai_params("x", custom_llm_provider="open") or [])


def test_of_a_name_that_nobody_has_nothing_is_known() -> None:
    assert litellm.get_supported_openai_params("nobody/x") is None


def test_embedding_parameters_are_others() -> None:
    params = litellm.get_supported_openai_params("handler/x", request_type="embeddings") or []
    assert "dimensions" in params
    assert "temperature" not in params


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_models_own_count_is_used() -> None:
    assert litellm.token_counter(model="words/x", text="one two three") == 3


@pytest.mark.parametrize("model", ["gpt-4o", "handler/x", "open/x", ""])
def test_without_a_count_a_quarter_of_the_bytes_is_estimated(model: str) -> None:
    assert litellm.token_counter(model=model, text="x" * 41) == 11


def test_a_conversation_counts_what_its_usage_would() -> None:
    counted = litellm.token_counter(model="open/x", messages=HELLO)
    usage = litellm.completion(model="open/x", messages=HELLO).usage
    assert usage is not None
    assert counted == usage.prompt_tokens


def test_several_texts_and_tools_are_counted_together() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert litellm.token_counter(model="words/x", text=["one two", " three"]) == 3
    assert litellm.token_counter(model="words/x", text="one", tools=[tool]) == 2


@pytest.mark.parametrize("encoded", [[1, 2, 3], SimpleNamespace(ids=[1, 2, 3])])
def test_a_tokenizer_of_the_callers_wins(encoded: Any) -> None:
    tokenizer = SimpleNamespace(encode=lambda text: encoded)
    given = {"type": "huggingface_tokenizer", "tokenizer": tokenizer}
    assert litellm.token_counter(model="words/x", custom_tokenizer=given, text="whatever") == 3
    assert litellm.token_counter(model="words/x", custom_tokenizer=tokenizer, text="whatever") == 3


def test_counting_nothing_is_an_error_and_a_failing_count_has_its_default() -> None:
    with pytest.raises(litellm.BadRequestError, match="text= or messages="):
        litellm.token_counter(model="words/x")
    broken = SimpleNamespace(encode=lambda text: 1 / 0)
    assert litellm.token_counter(custom_tokenizer=broken, text="x", default_token_count=7) == 7
    with pytest.raises(ZeroDivisionError):
        litellm.token_counter(custom_tokenizer=broken, text="x")


# ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_chunks_of_a_stream_make_the_answer() -> None:
    chunks = list(litellm.completion(model="gpt-4o", messages=HELLO, mock_response="Hello world!", stream=True))
    whole = litellm.stream_chunk_builder(chunks, messages=HELLO)
    assert isinstance(whole, litellm.ModelResponse)
    assert whole.choices[0].message.content == "Hello world!"
    assert whole.choices[0].finish_reason == "stop"
    assert (whole.id, whole.model, whole.created) == (chunks[0].id, chunks[0].model, chunks[0].created)
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == whole.usage.total_tokens - whole.usage.completion_tokens > 0


def test_chunks_may_be_dicts_with_tool_calls_usage_and_several_choices() -> None:
    def chunk(index: int, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {"id": "c1", "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": reason}]}

    def call(arguments: str, **more: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, **more, "function": {"name": more.get("name"), "arguments": arguments}}]}

    whole = litellm.stream_chunk_builder(
        [
            chunk(0, {"role": "assistant", "content": "a"}),
            chunk(1, call('{"x"', id="call_1", name="f")),
            chunk(0, {"content": "b"}, "length"),
            chunk(1, call(": 1}"), "tool_calls"),
            {
                "id": "c1",
                "model": "m",
                "choices": [],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
            },
        ]
    )
    assert whole is not None
    first, second = whole.choices
    assert (first.message.content, first.finish_reason) == ("ab", "length")
    [made] = second.message.tool_calls or []
    assert made.id == "call_1"
    assert made.function is not None
    assert (made.function.name, made.function.arguments.replace(" ", "")) == ("f", '{"x":1}')
    assert second.finish_reason == "tool_calls"
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (3, 4, 7)


def test_generic_chunks_make_an_answer_too() -> None:
    chunks: list[litellm.GenericStreamingChunk] = [
        {"text": "Hi", "is_finished": False, "finish_reason": "", "usage": None},
        {"text": "!", "is_finished": True, "finish_reason": "stop", "usage": None},
    ]
    whole = litellm.stream_chunk_builder(chunks)
    assert whole is not None
    assert whole.choices[0].message.content == "Hi!"


def test_no_chunks_are_no_answer() -> None:
    assert litellm.stream_chunk_builder([]) is None


def test_a_whole_answer_is_iterated_once() -> None:
    answer = litellm.ModelResponse(model="m")
    assert list(ModelResponseIterator(answer)) == [answer]


async def test_a_whole_answer_is_a_stream_of_one_chunk() -> None:
    answer = litellm.mock_completion("m", HELLO, mock_response="Hi!")
    iterator = ModelResponseIterator(answer, convert_to_delta=True)
    [chunk] = [chunk async for chunk in iterator]
    assert isinstance(chunk, litellm.ModelResponseStream)
    assert (chunk.choices[0].delta.content, chunk.choices[0].finish_reason) == ("Hi!", "stop")
    assert chunk.id == answer.id
    assert [chunk async for chunk in iterator] == []


def test_a_handler_may_stream_by_a_model_response_iterator() -> None:
    class Whole(litellm.CustomLLM):
        def streaming(self, *args: Any, **kwargs: Any) -> Any:
            return ModelResponseIterator(litellm.mock_completion("m", mock_response="Hi!"), convert_to_delta=True)

    litellm.custom_provider_map = [{"provider": "whole", "custom_handler": Whole()}]
    assert litellm.completion(model="whole/x", messages=HELLO).choices[0].message.content == "Hi!"


def test_tool_calls_of_a_whole_answer_are_numbered() -> None:
    calls = [{"id": f"call_{n}", "function": {"name": "f", "arguments": "{}"}} for n in range(2)]
    choices: list[Any] = [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]
    answer = litellm.ModelResponse(choices=choices)
    [chunk] = list(ModelResponseIterator(answer, convert_to_delta=True))
    assert [call.index for call in chunk.choices[0].delta.tool_calls] == [0, 1]


# ── mocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mock_completion_says_what_litellms_says() -> None:
    answer = litellm.mock_completion("gpt-3.5-turbo", HELLO)
    assert answer.choices[0].message.content == "This is a mock request"
    assert answer.usage.total_tokens == 30


def test_mock_completion_streams() -> None:
    chunks = list(litellm.mock_completion("gpt-3.5-turbo", HELLO, stream=True, mock_response="Hi there!"))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi there!"
    assert isinstance(litellm.mock_completion("m", HELLO, stream=True), litellm.CustomStreamWrapper)


def test_an_inner_completion_with_a_mock_needs_no_network_and_no_provider() -> None:
    answer = litellm.completion(model="gpt-3.5-turbo", messages=HELLO, mock_response="Hi!")
    assert (answer.choices[0].message.content, answer.model) == ("Hi!", "gpt-3.5-turbo")
