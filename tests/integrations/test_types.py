"""LiteLLM's types behave as handlers' code expects: built of dicts, written by attribute and item, dumped."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from modelport.integrations import litellm
from modelport.integrations.litellm.types.utils import (
    CompletionTokensDetailsWrapper,
    Delta,
    Embedding,
    Function,
    PromptTokensDetailsWrapper,
)

POSITIONAL: Any = litellm
"""The constructors by position, which no type checker knows of."""
HELLO = [{"role": "user", "content": "Hello"}]


def answer_of(response: Any) -> Any:
    """Return what comes of a handler that returns this."""

    class Returning(litellm.CustomLLM):
        def completion(self, *args: Any, **kwargs: Any) -> Any:
            return response

    litellm.custom_provider_map = [{"provider": "returning", "custom_handler": Returning()}]
    return litellm.completion(model="returning/x", messages=HELLO)


def test_a_fresh_response_has_one_empty_choice() -> None:
    response = litellm.ModelResponse()
    assert response.object == "chat.completion"
    assert response.id.startswith("chatcmpl-")
    [choice] = response.choices
    assert (choice.index, choice.finish_reason) == (0, "stop")
    assert (choice.message.role, choice.message.content) == ("assistant", None)


@pytest.mark.parametrize(
    "choices",
    [
        [{"message": {"content": "Hi!", "role": "assistant"}, "finish_reason": "length", "index": 0}],
        [litellm.Choices(message=litellm.Message(content="Hi!"), finish_reason="length")],
        [litellm.Choices(message=POSITIONAL.Message("Hi!", "assistant"), finish_reason="length", index=0)],
    ],
)
def test_a_response_is_built_of_dicts_or_objects(choices: Any) -> None:
    usage: Any = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    answer = answer_of(litellm.ModelResponse(choices=choices, usage=usage, model="m"))
    assert answer["choices"][0]["message"]["content"] == "Hi!"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == 3


def test_a_response_is_filled_in_place_by_attribute_and_item() -> None:
    response = litellm.ModelResponse()
    response.choices[0].message.content = "by attribute"
    response["choices"][0]["finish_reason"] = "length"
    response.usage = POSITIONAL.Usage(1, 2, 3)
    response._hidden_params["my_cost"] = 1  # pyright: ignore[reportAttributeAccessIssue]
    response.my_own = "kept"  # pyright: ignore[reportAttributeAccessIssue]
    answer = answer_of(response)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("by attribute", "length")
    dumped = response.model_dump()
    assert dumped["my_own"] == "kept"
    assert "_hidden_params" not in dumped
    assert dumped["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def test_tool_calls_are_passed_on() -> None:
    call = litellm.ChatCompletionMessageToolCall(
        id="call_1", type="function", function=Function(name="f", arguments='{"a": 1}')
    )
    response = litellm.ModelResponse(
        choices=[litellm.Choices(finish_reason="tool_calls", message=litellm.Message(content=None, tool_calls=[call]))]
    )
    [made] = answer_of(response).choices[0].message.tool_calls
    assert (made.id, made.function.name, json.loads(made.function.arguments)) == ("call_1", "f", {"a": 1})


def test_usage_takes_details_and_adds_nothing_up() -> None:
    details: dict[str, Any] = {
        "prompt_tokens_details": PromptTokensDetailsWrapper(cached_tokens=2),  # pyright: ignore[reportCallIssue]
        "completion_tokens_details": CompletionTokensDetailsWrapper(reasoning_tokens=1),  # pyright: ignore[reportCallIssue]
    }
    usage = litellm.Usage(prompt_tokens=3, completion_tokens=4, **details)
    assert usage.total_tokens == 0
    assert usage.model_dump()["prompt_tokens_details"] == {"cached_tokens": 2}


def test_a_chunk_is_built_as_litellm_builds_it() -> None:
    class Streaming(litellm.CustomLLM):
        def streaming(self, *args: Any, **kwargs: Any) -> Any:
            for text in ("Hi", "!"):
                delta = Delta(content=text, role="assistant")
                yield litellm.ModelResponseStream(choices=[litellm.StreamingChoices(index=0, delta=delta)])
            yield litellm.ModelResponseStream(choices=[litellm.StreamingChoices(finish_reason="length")])

    litellm.custom_provider_map = [{"provider": "streaming", "custom_handler": Streaming()}]
    answer = litellm.completion(model="streaming/x", messages=HELLO)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hi!", "length")


def test_embeddings_and_images_are_built_as_litellm_builds_them() -> None:
    class Others(litellm.CustomLLM):
        def embedding(self, model: str, input: list[Any], model_response: Any, **kwargs: Any) -> Any:
            model_response.data = [Embedding(embedding=[float(len(one))], index=n) for n, one in enumerate(input)]
            model_response.usage = litellm.Usage(prompt_tokens=2, total_tokens=2)
            return model_response

        def image_generation(self, prompt: str, model_response: Any, **kwargs: Any) -> Any:
            model_response.data = [litellm.ImageObject(b64_json="aGk=", revised_prompt=prompt)]
            return model_response

    litellm.custom_provider_map = [{"provider": "others", "custom_handler": Others()}]
    vectors = litellm.embedding(model="others/x", input=["a", "bc"])
    assert [one["embedding"] for one in vectors.data] == [[1.0], [2.0]]
    assert vectors.usage.prompt_tokens == 2
    image = litellm.image_generation(model="others/x", prompt="an otter").data[0]
    assert (image.b64_json, image.revised_prompt) == ("aGk=", "an otter")


def test_answers_are_copied_pickled_and_written_as_json() -> None:
    answer = litellm.mock_completion("m", HELLO, mock_response="Hi!")
    assert copy.deepcopy(answer) == pickle.loads(pickle.dumps(answer)) == answer
    assert json.loads(answer.model_dump_json()) == answer.model_dump() == answer.json() == answer.dict()
    assert answer.get("nothing", 5) == 5
    assert "choices" in answer


def test_typed_dicts_say_what_a_generic_chunk_has() -> None:
    from modelport.integrations.litellm.types.llms.openai import ChatCompletionToolCallChunk, ChatCompletionUsageBlock

    assert litellm.GenericStreamingChunk.__required_keys__ == {"text", "is_finished", "finish_reason", "usage"}
    assert litellm.GenericStreamingChunk.__optional_keys__ == {"tool_use", "index", "provider_specific_fields"}
    assert ChatCompletionToolCallChunk.__required_keys__ == {"id", "type", "function", "index"}
    assert ChatCompletionUsageBlock.__required_keys__ == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert set(litellm.CustomLLMItem.__annotations__) == {"provider", "custom_handler"}
    assert litellm.LlmProviders.OPENAI == "openai"
