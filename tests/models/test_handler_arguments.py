"""What the methods of a handler are given, and who else sees it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import modelport
from modelport import AIMessage, CustomLLM, HumanMessage
from modelport.testing import RecordingHandler

SOON = 10.0
HI = [{"role": "user", "content": "hi"}]
pytestmark = pytest.mark.usefixtures("own_names")


class Seeing(CustomLLM):
    """Keeps what its methods were given."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def completion(self, *args: Any, **kwargs: Any) -> Any:
        assert not args, "everything is a keyword"
        self.seen.append(kwargs)
        return "ok"


def test_a_handler_is_given_what_litellm_gives_it() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    client = object()
    modelport.completion(
        "h/a/b", HI, api_key="key", api_base="http://x", headers={"a": "1"}, extra_headers={"b": "2"}, client=client,
        temperature=0.5, my_own="x", metadata={"who": "me"}, max_completion_tokens=9, stop="END", user="u",
    )  # fmt: skip
    [seen] = handler.seen
    assert seen["model"] == "a/b"
    assert seen["messages"] == HI
    assert (seen["api_key"], seen["api_base"]) == ("key", "http://x")
    assert seen["headers"] == {"a": "1", "b": "2"}
    assert seen["client"] is client
    assert seen["acompletion"] is False
    assert seen["litellm_params"] == {"metadata": {"who": "me"}}
    assert seen["optional_params"] == {
        "temperature": 0.5,
        "my_own": "x",
        "max_completion_tokens": 9,
        "stop": "END",
        "user": "u",
    }
    assert (seen["custom_prompt_dict"], seen["encoding"], seen["logger_fn"]) == ({}, None, None)
    seen["print_verbose"]("text")
    seen["logging_obj"].pre_call(input="x", api_key="y")
    seen["logging_obj"].post_call(original_response="x")


def test_the_given_model_response_is_fresh_for_each_call() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    modelport.completion("h/x", HI)
    modelport.completion("h/x", HI)
    first, second = (one["model_response"] for one in handler.seen)
    assert first is not second
    assert first.id != second.id
    [choice] = first.choices
    assert (choice.index, choice.message.role, choice.message.content, choice.finish_reason) == (
        0, "assistant", None, "stop",
    )  # fmt: skip
    assert (first.usage.prompt_tokens, first.usage.completion_tokens, first.usage.total_tokens) == (0, 0, 0)


def test_what_a_handler_does_with_its_arguments_is_seen_by_no_other_call() -> None:
    class Wild(CustomLLM):
        def completion(self, messages, optional_params, headers):
            messages.append("more")
            optional_params["more"] = True
            headers["more"] = "x"
            return ""

    modelport.register("h", Wild())
    messages, headers = list(HI), {"a": "b"}
    modelport.completion("h/x", messages, headers=headers)
    assert (messages, headers) == (HI, {"a": "b"})


def test_nothing_is_injected_into_optional_params() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    modelport.completion("h/x", timeout=30, num_retries=1, drop_params=True, n=None)
    assert [one["optional_params"] for one in handler.seen] == [{}]
    assert handler.seen[0]["messages"] == []


@pytest.mark.parametrize(
    "messages",
    [
        "hello",
        [HumanMessage("hello")],
        (HumanMessage("hello"),),
        [("human", "hello")],
        [SimpleNamespace(type="human", content="hello")],
        modelport.ChatPromptValue([HumanMessage("hello")]),
    ],
    ids=["text", "list", "tuple", "pair", "foreign", "value"],
)
def test_messages_reach_a_handler_as_dicts_whatever_they_were(messages: Any) -> None:
    handler = Seeing()
    modelport.register("h", handler)
    modelport.completion("h/x", messages)
    assert handler.seen[0]["messages"] == [{"role": "user", "content": "hello"}]


def test_dicts_stay_as_the_caller_wrote_them() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    special = {"role": "user", "content": "a", "cache_control": {"type": "ephemeral"}}
    modelport.completion("h/x", [special, AIMessage("b")])
    assert handler.seen[0]["messages"] == [special, {"role": "assistant", "content": "b"}]


def test_a_method_gets_only_the_keywords_that_it_names() -> None:
    class Small(CustomLLM):
        def completion(self, model, messages):
            return f"{model} {len(messages)}"

        async def aimage_generation(self, prompt):
            return {"created": 1, "data": [{"url": "https://example.com/a.png"}]}

        def embedding(self, input):
            return [[1.0]] * len(input)

    modelport.register("h", Small())
    assert modelport.completion("h/x", HI, api_key="k").choices[0].message.content == "x 1"
    assert modelport.image_generation("p", "h/x").data[0].url == "https://example.com/a.png"
    assert len(modelport.embedding("h/x", "hello").data) == 1


def test_events_carry_a_handlers_parameters_and_no_key() -> None:
    handler, recorder = Seeing(), RecordingHandler()
    modelport.register("h", handler)
    modelport.completion("h/x", HI, api_key="key-0123456789", temperature=0.1, config={"callbacks": [recorder]})
    assert "key-0123456789" not in repr(recorder.events)
    [params] = [event for event in recorder.events if "start" in repr(event)][:1]
    assert "temperature" in repr(params)


def test_the_cache_of_a_handler_tells_requests_apart() -> None:
    handler = Seeing()
    modelport.register("h", handler, cache=True)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("h/x", {}), ("h/x", {}), ("h/y", {}), ("h/x", {"heat": 1}), ("h/x", {"api_key": "k"}),
    ]  # fmt: skip
    for model, given in calls:
        modelport.completion(model, HI, **given)
    assert len(handler.seen) == 4
    modelport.register("other", Seeing(), cache=True)
    modelport.completion("other/x", HI)
    assert len(handler.seen) == 4


def test_max_batch_size_holds_for_a_handlers_embeddings() -> None:
    sizes: list[int] = []

    class Handler(CustomLLM):
        def embedding(self, input):
            sizes.append(len(input))
            return [[float(len(text))] for text in input]

    modelport.register("h", Handler(), max_batch_size=2)
    response = modelport.embedding("h/x", ["a", "bb", "ccc", "dddd", "eeeee"])
    assert [one.embedding for one in response.data] == [[1.0], [2.0], [3.0], [4.0], [5.0]]
    assert sum(sizes) == 5
    assert max(sizes) == 2
