"""`num_retries` and `fallbacks` of every SDK function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import modelport
from modelport import CustomLLM, CustomLLMError, ModelTimeoutError
from modelport.runnables import backoff

WAYS = ("completion", "acompletion", "stream", "astream")
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return what would have been waited, in seconds."""
    waited: list[float] = []

    async def asleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(backoff, "sleep", waited.append)
    monkeypatch.setattr(backoff, "asleep", asleep)
    monkeypatch.setattr(backoff, "jitter", lambda: 0.0)
    return waited


class Failing(CustomLLM):
    """Fails a number of times, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.left = list(failures)
        self.calls: list[dict[str, Any]] = []

    def _try(self, **kwargs: Any) -> str:
        self.calls.append(kwargs)
        if self.left:
            raise self.left.pop(0)
        return "fine"

    def completion(self, **kwargs: Any) -> Any:
        return self._try(**kwargs)

    def embedding(self, **kwargs: Any) -> Any:
        self._try(**kwargs)
        return [[1.0]] * len(kwargs["input"])

    def image_generation(self, **kwargs: Any) -> Any:
        self._try(**kwargs)
        return "https://example.com/x.png"

    def image_edit(self, **kwargs: Any) -> Any:
        return self.image_generation(**kwargs)

    def _rerank(self, query: str, **kwargs: Any) -> Any:
        self._try(**kwargs)
        return [(0, 1.0)]


def again(status: int = 503) -> CustomLLMError:
    return CustomLLMError(status, "come back")


@every_way
def test_nothing_is_tried_again_unless_asked(way: str, ask: Any, waits: list[float]) -> None:
    model = Failing(again())
    modelport.register("m", model)
    with pytest.raises(modelport.ModelportError) as failure:
        ask(way, "m/x")
    assert failure.value.status_code == 503
    assert len(model.calls) == 1


@every_way
def test_a_failure_is_tried_again_as_often_as_asked(way: str, ask: Any, waits: list[float]) -> None:
    model = Failing(again(), again())
    modelport.register("m", model)
    assert ask(way, "m/x", num_retries=2).texts == ["fine"]
    assert len(model.calls) == 3
    assert waits == [1.0, 2.0]
    assert all(not call["optional_params"] for call in model.calls if way in ("completion", "acompletion"))


@every_way
def test_the_last_failure_is_raised(way: str, ask: Any) -> None:
    modelport.register("m", Failing(again(503), again(529), again(503)))
    with pytest.raises(modelport.ModelportError) as failure:
        ask(way, "m/x", num_retries=1)
    assert failure.value.status_code == 529


@every_way
def test_a_callers_mistake_is_not_tried_again(way: str, ask: Any) -> None:
    model = Failing(again(400))
    modelport.register("m", model)
    with pytest.raises(modelport.ModelportError):
        ask(way, "m/x", num_retries=5)
    assert len(model.calls) == 1


@every_way
def test_fallbacks_are_tried_in_order(way: str, ask: Any) -> None:
    first, second, third = Failing(again()), Failing(again(400)), Failing()
    for name, model in (("a", first), ("b", second), ("c", third)):
        modelport.register(name, model)
    answer = ask(way, "a/x", heat=1, fallbacks=["b/y", {"model": "c/z", "heat": 2}])
    assert answer.texts == ["fine"]
    assert [model.calls[0]["model"] for model in (first, second, third)] == ["x", "y", "z"]
    assert [model.calls[0]["optional_params"] for model in (first, second, third)] == [
        {"heat": 1},
        {"heat": 1},
        {"heat": 2},
    ]


@every_way
def test_when_all_fail_the_first_failure_is_raised(way: str, ask: Any) -> None:
    modelport.register("a", Failing(again(529)))
    modelport.register("b", Failing(again(503)))
    with pytest.raises(modelport.ModelportError) as failure:
        ask(way, "a/x", fallbacks=["b/x", "nobody/x"])
    assert failure.value.status_code == 529
    assert len(failure.value.__notes__) == 2


def test_a_key_goes_only_to_the_provider_that_it_is_for() -> None:
    first, same, other, own = Failing(again()), Failing(again()), Failing(again()), Failing()
    for name, model in (("a", first), ("b", other), ("c", own)):
        modelport.register(name, model)
    first.left.append(again())
    modelport.completion(
        "a/x",
        api_key="key-of-a",
        api_base="http://a",
        headers={"authorization": "a"},
        fallbacks=["a/y", "b/z", {"model": "c/z", "api_key": "key-of-c"}],
    )
    assert [call["api_key"] for call in first.calls] == ["key-of-a", "key-of-a"]
    assert (other.calls[0]["api_key"], other.calls[0]["api_base"], other.calls[0]["headers"]) == (None, None, {})
    assert own.calls[0]["api_key"] == "key-of-c"
    del same


def test_all_attempts_share_one_timeout_and_a_handler_is_told_it() -> None:
    class Stuck(CustomLLM):
        def __init__(self) -> None:
            self.timeouts: list[Any] = []

        async def acompletion(self, timeout):
            self.timeouts.append(timeout)
            await asyncio.Event().wait()

    model = Stuck()
    modelport.register("m", model)
    with pytest.raises(ModelTimeoutError):
        modelport.completion("m/x", timeout=0.05, num_retries=5, fallbacks=["m/y"])
    assert model.timeouts == [0.05]


def test_a_stream_that_has_begun_is_not_tried_again() -> None:
    class Breaking(CustomLLM):
        calls = 0

        def streaming(self, **kwargs):
            Breaking.calls += 1
            yield "begun"
            raise again()

    modelport.register("m", Breaking())
    stream = modelport.completion("m/x", stream=True, num_retries=3)
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "begun"]
    with pytest.raises(modelport.ModelportError):
        next(stream)
    assert Breaking.calls == 1


PNG = b"\x89PNG\r\n\x1a\n0000"
OTHERS: dict[str, Any] = {
    "completion": (modelport.completion, modelport.acompletion, {"messages": []}),
    "text_completion": (modelport.text_completion, modelport.atext_completion, {"prompt": "p"}),
    "embedding": (modelport.embedding, modelport.aembedding, {"input": "a"}),
    "image_generation": (modelport.image_generation, modelport.aimage_generation, {"prompt": "p"}),
    "image_edit": (modelport.image_edit, modelport.aimage_edit, {"image": PNG, "prompt": "p"}),
    "rerank": (modelport.rerank, modelport.arerank, {"query": "q", "documents": ["d"]}),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_every_function_has_retries_and_fallbacks(name: str, is_async: bool) -> None:
    way, async_way, given = OTHERS[name]

    def call(**more: Any) -> Any:
        return asyncio.run(async_way(**given, **more)) if is_async else way(**given, **more)

    first, second = Failing(again(), again(), again()), Failing()
    modelport.register("a", first)
    modelport.register("b", second)
    assert call(model="a/x", num_retries=1, fallbacks=["b/y"]) is not None
    assert (len(first.calls), len(second.calls)) == (2, 1)
    assert call(model="a/x", num_retries=1) is not None
    assert len(first.calls) == 4


DIFFERENT: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], Any], Any]] = {
    "completion": ({"messages": [{"role": "user", "content": "q"}]}, lambda call: call["messages"][0]["content"], "q"),
    "text_completion": ({"prompt": "q"}, lambda call: call["messages"][0]["content"], "q"),
    "embedding": ({"input": "q", "encoding_format": "base64"}, lambda call: call["input"], ["q"]),
    "image_generation": (
        {"prompt": "q", "n": 1},
        lambda call: (call["prompt"], call["optional_params"]["n"]),
        ("q", 1),
    ),
    "image_edit": ({"prompt": "q", "mask": PNG}, lambda call: (call["prompt"], "mask" in call), ("q", True)),
    "rerank": ({"query": "q", "top_n": 1}, lambda call: call["top_n"], 1),
}


@pytest.mark.parametrize("name", DIFFERENT)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_fallback_may_be_asked_something_else(name: str, is_async: bool) -> None:
    way, async_way, given = OTHERS[name]
    different, said, expected = DIFFERENT[name]
    second = Failing()
    modelport.register("a", Failing(again()))
    modelport.register("b", second)
    more: dict[str, Any] = {"model": "a/x", "fallbacks": [{"model": "b/y", **different}]}
    assert (asyncio.run(async_way(**given, **more)) if is_async else way(**given, **more)) is not None
    assert [said(call) for call in second.calls] == [expected]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_text_stream_falls_back_too(is_async: bool) -> None:
    modelport.register("a", Failing(again()))
    modelport.register("b", Failing())

    async def chunks() -> list[Any]:
        stream = await modelport.atext_completion("p", "a/x", stream=True, fallbacks=["b/y"])
        return [chunk async for chunk in stream]

    if is_async:
        got = asyncio.run(chunks())
    else:
        got = list(modelport.text_completion("p", "a/x", stream=True, fallbacks=["b/y"]))
    assert "".join(chunk.choices[0].text for chunk in got) == "fine"
