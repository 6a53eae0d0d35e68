"""What is enforced holds for every kind of model, in every way to ask."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from pydantic import PrivateAttr

import modelport
from modelport import LLM, ChatModel, CustomLLM, ModelTimeoutError

WAYS = ("completion", "acompletion", "stream", "astream")
WORDS = ["one ", "two ", "three ", "four"]
TEXT = "".join(WORDS)

ask_anything: Any = modelport.completion


class CallLLM(LLM):
    def _call(self, prompt):
        return TEXT


class StreamLLM(LLM):
    def _stream(self, prompt):
        yield from WORDS


class AsyncStreamLLM(LLM):
    async def _astream(self, prompt):
        for word in WORDS:
            yield word


class AsyncChat(ChatModel):
    async def _acall(self, messages):
        return TEXT


class BatchChat(ChatModel):
    def _batch(self, messages):
        return [TEXT for _ in messages]


class Completing(CustomLLM):
    def completion(self, model_response):
        model_response.choices[0].message.content = TEXT
        return model_response


class CompletingAsync(CustomLLM):
    async def acompletion(self, **kwargs):
        return {"choices": [{"message": {"content": TEXT}}]}


class Streaming(CustomLLM):
    def streaming(self, *args, **kwargs):
        for place, word in enumerate(WORDS):
            last = place == len(WORDS) - 1
            yield {"text": word, "is_finished": last, "finish_reason": "stop" if last else "", "usage": None}


class StreamingAsync(CustomLLM):
    async def astreaming(self, *args, **kwargs):
        for word in WORDS:
            yield {"choices": [{"index": 0, "delta": {"content": word}}]}


class DuckTyped:
    def completion(self, messages):
        return TEXT


KINDS = (
    CallLLM,
    StreamLLM,
    AsyncStreamLLM,
    AsyncChat,
    BatchChat,
    Completing,
    CompletingAsync,
    Streaming,
    StreamingAsync,
    DuckTyped,
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
every_way = pytest.mark.parametrize("way", WAYS)


@every_kind
@every_way
def test_any_one_method_answers_in_every_way(kind: Any, way: str, ask: Any) -> None:
    modelport.register("m", kind())
    answer = ask(way, "m/x")
    assert (answer.texts, answer.reasons) == ([TEXT], ["stop"])


@every_kind
@every_way
def test_a_stop_string_ends_the_answer_and_is_not_in_it(kind: Any, way: str, ask: Any) -> None:
    modelport.register("m", kind())
    answer = ask(way, "m/x", stop=["nothing", " three"])
    assert (answer.texts, answer.reasons) == (["one two"], ["stop"])


@every_kind
@every_way
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_has_no_more_tokens_than_asked_for(kind: Any, way: str, name: str, ask: Any) -> None:
    modelport.register("m", kind())
    answer = ask(way, "m/x", **{name: 2})  # of four bytes each, as nobody counts them
    assert (answer.texts, answer.reasons) == (["one two "], ["length"])
    assert answer.usage.completion_tokens == 2


@every_kind
@every_way
def test_n_choices_are_given_each_with_its_own_end(kind: Any, way: str, ask: Any) -> None:
    modelport.register("m", kind())
    answer = ask(way, "m/x", n=3, stop=" four")
    assert answer.texts == ["one two three"] * 3
    assert answer.reasons == ["stop"] * 3


@every_kind
@every_way
def test_usage_is_always_there_and_adds_up(kind: Any, way: str, ask: Any) -> None:
    modelport.register("m", kind())
    usage = ask(way, "m/x", [{"role": "user", "content": "x" * 40}], n=2).usage
    assert usage.prompt_tokens >= 10
    assert usage.completion_tokens == 2 * ((len(TEXT) + 3) // 4)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


class Stuck:
    """Makes models that wait until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def models(self) -> dict[str, Any]:
        go = self.go

        class StuckCall(LLM):
            def _call(self, prompt):
                go.wait()
                return "late"

        class StuckStream(ChatModel):
            def _stream(self, messages):
                yield "soon"
                go.wait()

        class StuckAsync(ChatModel):
            async def _acall(self, messages):
                await asyncio.Event().wait()

        class StuckAsyncStream(LLM):
            async def _astream(self, prompt):
                yield "soon"
                await asyncio.Event().wait()

        class StuckCompletion(CustomLLM):
            def completion(self):
                go.wait()

        class BlockingAcompletion(CustomLLM):
            async def acompletion(self):
                go.wait()

        class StuckStreaming(CustomLLM):
            def streaming(self):
                yield "soon"
                go.wait()

        class StuckAstreaming(CustomLLM):
            async def astreaming(self):
                yield "soon"
                await asyncio.Event().wait()

        return {name: made for name, made in vars().items() if isinstance(made, type)}


@every_way
@pytest.mark.parametrize("kind", sorted(Stuck().models()))
def test_a_call_ends_at_its_timeout_whatever_the_model_does(kind: str, way: str, ask: Any) -> None:
    stuck = Stuck()
    modelport.register("m", stuck.models()[kind]())
    try:
        with pytest.raises(ModelTimeoutError) as failure:
            ask(way, "m/x", timeout=0.05)
    finally:
        stuck.go.set()
    assert failure.value.status_code == failure.value.status == 504


class Timeouts:
    """Is what an HTTP client's timeout object looks like."""

    connect = 60.0
    read = 0.05


def test_an_http_clients_timeout_counts_by_its_time_to_read_and_reaches_the_handler_as_it_is(ask: Any) -> None:
    given: list[Any] = []
    stuck = threading.Event()

    class Handler(CustomLLM):
        def completion(self, timeout):
            given.append(timeout)
            stuck.wait()

    modelport.register("m", Handler())
    whole = Timeouts()
    try:
        with pytest.raises(ModelTimeoutError):
            modelport.completion("m/x", timeout=whole)
    finally:
        stuck.set()
    assert given == [whole]


@every_way
def test_a_handler_is_given_no_timeout_unless_its_caller_gives_one(way: str, ask: Any) -> None:
    given: list[Any] = []

    class Handler(CustomLLM):
        def completion(self, timeout):
            given.append(timeout)
            return ""

    modelport.register("m", Handler())
    ask(way, "m/x")
    ask(way, "m/x", timeout=30)
    assert given == [None, 30]


class Counting(ChatModel):
    """Counts its tokens itself: one per word."""

    _calls: list[Any] = PrivateAttr(default_factory=list)

    def _call(self, messages, max_tokens=None):
        self._calls.append(max_tokens)
        return "a b c d"

    def _count_tokens(self, text):
        return len(text.split())


@every_way
def test_a_models_own_tokens_are_what_counts(way: str, ask: Any) -> None:
    modelport.register("m", Counting())
    answer = ask(way, "m/x", "p q r", max_tokens=3)
    assert (answer.texts, answer.reasons) == (["a b c "], ["length"])
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 3)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": "5"}, "max_tokens"),
        ({"stop": [""]}, "stop"),
        ({"stream_options": True, "stream": True}, "stream_options"),
        ({"timeout": -1}, "timeout"),
        ({"num_retries": -1}, "num_retries"),
        ({"fallbacks": "a/b"}, "fallbacks"),
        ({"fallbacks": [3]}, "fallbacks"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [CallLLM, Completing])
def test_a_wrong_value_is_the_callers_400(kind: Any, given: dict[str, Any], param: str | None) -> None:
    modelport.register("m", kind())
    with pytest.raises(modelport.ModelportError) as failure:
        ask_anything("m/x", **{"messages": "hi", **given})
    assert failure.value.status_code == 400
    assert failure.value.param == param
