"""`CustomLLM` and duck-typed handlers as models: missing methods, the Python faces, fields and copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import modelport
from modelport import CustomLLM, CustomLLMError

HI = [{"role": "user", "content": "hi"}]
pytestmark = pytest.mark.usefixtures("own_names")


def test_a_handler_without_a_method_says_that_it_is_not_implemented_yet() -> None:
    modelport.register("h", CustomLLM())
    calls: list[Any] = [
        lambda: modelport.completion("h/x", HI),
        lambda: modelport.text_completion("p", "h/x"),
        lambda: modelport.embedding("h/x", "a"),
        lambda: modelport.image_generation("p", "h/x"),
        lambda: modelport.rerank("h/x", "q", ["d"]),
    ]
    for call in calls:
        with pytest.raises(modelport.ModelportError, match="Not implemented yet!") as failure:
            call()
        assert failure.value.status_code == 500
        assert isinstance(failure.value.__cause__, CustomLLMError)
    with pytest.raises(CustomLLMError, match="Not implemented yet!"):
        CustomLLM().invoke("hi")


def test_a_proxy_handler_whose_methods_are_made_on_demand_works() -> None:
    class Proxy:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    class Inner:
        def completion(self, messages):
            return "inner"

    modelport.register("h", Proxy(Inner()))
    assert modelport.completion("h/x", HI).choices[0].message.content == "inner"


def test_a_handler_with_slots_works() -> None:
    class Slotted:
        __slots__ = ("text",)

        def __init__(self) -> None:
            self.text = "slots"

        async def acompletion(self):
            return self.text

    modelport.register("h", Slotted())
    assert modelport.completion("h/x", HI).choices[0].message.content == "slots"


class Odd(CustomLLM):
    """Has attributes with the framework's names."""

    def __init__(self) -> None:  # no super().__init__()
        self.name = 3
        self.cache = True
        self.max_concurrency = "none"
        self.callbacks = "x"
        self.tags = {"a": 1}
        vars(self)["supports"] = "everything"

    def completion(self):
        return "fine"


def test_attributes_of_a_handler_are_never_the_frameworks() -> None:
    modelport.register("h", Odd())
    assert modelport.completion("h/x", HI).choices[0].message.content == "fine"
    assert Odd().invoke("hi").content == "fine"


# ── the Python faces ────────────────────────────────────────────────────────────────────────────────────────────────


class Words(CustomLLM):
    def streaming(self, messages, optional_params):
        yield from ("a ", "b ", str(optional_params))


async def test_a_handler_is_invoked_streamed_batched_and_composed_like_any_model() -> None:
    handler = Words()
    assert handler.invoke("hi", heat=1).content == "a b {'heat': 1}"
    assert (await handler.ainvoke([("human", "hi")])).content == "a b {}"
    assert [chunk.content for chunk in handler.stream("hi")][:2] == ["a ", "b "]
    assert [chunk.content async for chunk in handler.astream("hi")][:2] == ["a ", "b "]
    assert [one.content for one in handler.batch(["x", "y"])] == ["a b {}"] * 2
    assert [one.content for one in await handler.abatch(["x", "y"])] == ["a b {}"] * 2
    chain = modelport.PromptTemplate.from_template("{q}") | handler | modelport.StrOutputParser()
    assert chain.invoke({"q": "hi"}) == "a b {}"
    assert handler.invoke("hi", stop=["b"]).text.startswith("a b")
    events = [event["event"] async for event in handler.astream_events("hi", version="v2")]
    assert events[0] == "on_chat_model_start"
    assert events[-1] == "on_chat_model_end"


# ── framework fields, copies ────────────────────────────────────────────────────────────────────────────────────────


class Kept(CustomLLM):
    def __init__(self, text: str) -> None:
        self.text = text

    def completion(self):
        return self.text


def test_a_handler_is_copied_and_pickled_with_its_own_attributes_only() -> None:
    handler = Kept("first")
    assert handler.invoke("hi").content == "first"
    for other in (copy.copy(handler), copy.deepcopy(handler), pickle.loads(pickle.dumps(handler))):
        other.text = "other"
        assert other.invoke("hi").content == "other"
        assert vars(other).keys() == {"text", "_modelport_models"}
    assert handler.invoke("hi").content == "first"


def test_a_handler_that_raises_not_implemented_for_stop_is_called_again_without() -> None:
    seen: list[Any] = []

    class Handler(CustomLLM):
        def completion(self, optional_params):
            seen.append(optional_params)
            if "stop" in optional_params:
                raise NotImplementedError
            return "one two three"

    modelport.register("h", Handler())
    assert modelport.completion("h/x", HI, stop=[" two"]).choices[0].message.content == "one"
    assert seen == [{"stop": [" two"]}, {}]
