"""LangChain's text models as ours: batches, streams, keywords, usage, errors, secrets."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.outputs import GenerationChunk
from langchain_core.runnables import RunnableLambda
from pydantic import PrivateAttr, SecretStr

import modelport
from modelport.integrations.langchain import from_langchain, to_langchain
from modelport.testing import RecordingHandler
from modelport.values.errors import InputError, KeywordError
from modelport.values.status_errors import APIStatusError
from tests.integrations.langchain.conftest import Register
from tests.integrations.langchain.foreign_models import (
    Echo,
    Lengths,
    ManyAtOnce,
    Meeting,
    StatusError,
    Streaming,
    Strict,
)


def test_a_batch_runs_at_once() -> None:
    assert from_langchain(Meeting(parties=4)).batch(["a", "b", "c", "d"]) == ["a", "b", "c", "d"]


async def test_an_async_batch_runs_at_once_and_a_failure_stays_in_its_slot() -> None:
    model = from_langchain(Meeting(parties=3))
    first, failed, last = await model.abatch(["a", "bad", "c"], return_exceptions=True)
    assert (first, last) == ("a", "c")
    assert isinstance(failed, StatusError)


def test_an_exceptions_status_is_kept(register: Register) -> None:
    register("meeting", Meeting(parties=1))
    with pytest.raises(APIStatusError) as raised:
        modelport.text_completion(model="meeting/x", prompt="bad")
    assert raised.value.status_code == 429
    assert isinstance(raised.value.__cause__, StatusError)


def test_keywords_reach_the_class() -> None:
    model = Echo()
    assert from_langchain(model).invoke("x", temperature=1, max_tokens=3) == "x"
    assert model._seen == [{"stop": None, "temperature": 1, "max_tokens": 3}]


def test_bound_keywords_reach_the_class_and_a_bound_stop_holds() -> None:
    model = Echo()
    bound = from_langchain(model.bind(top_k=2, stop=["b"]))
    assert bound.invoke("abc", top_p=3) == "ab"
    assert model._seen == [{"stop": ["b"], "top_k": 2, "top_p": 3}]
    assert list(bound.stream("abc")) == ["ab"]


def test_a_keyword_that_the_class_does_not_take_is_refused_by_name() -> None:
    model = from_langchain(Strict())
    assert model.invoke("x", temperature=1) == "x 1"
    with pytest.raises(KeywordError, match=r"temprature.*did you mean 'temperature'"):
        model.invoke("x", temprature=1)


async def test_a_stop_that_is_not_implemented_holds() -> None:
    model = from_langchain(Strict())
    assert model.invoke("abcd", stop=["b"]) == "ab"
    assert await model.ainvoke("abcd", stop="b") == "ab"


def test_max_tokens_holds_where_the_class_knows_nothing_of_it() -> None:
    answer = from_langchain(Strict()).generate(["abcdefghijkl"], max_tokens=2).generations[0][0]
    assert (answer.text, answer.finish_reason) == ("abcdefgh", "length")


def test_tokens_are_counted_by_the_tokenizer_that_the_object_was_given() -> None:
    def words(text: str) -> list[int]:
        return [len(word) for word in text.split()]

    answer = from_langchain(Echo(custom_get_token_ids=words)).generate(["a bc def"]).generations[0][0]
    assert (answer.usage.completion_tokens, answer.usage.estimated) == (3, False)
    assert from_langchain(Echo()).generate(["a bc def"]).generations[0][0].usage.estimated


def test_a_streams_usage_and_finish_reason_are_the_classs(register: Register) -> None:
    register("streaming", Streaming())
    options: Any = {"stream": True, "stream_options": {"include_usage": True}}
    chunks: list[Any] = list(modelport.text_completion(model="streaming/x", prompt="abc", **options))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "abc"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 7


async def test_a_stream_that_is_left_closes_the_classs_generator_at_once() -> None:
    foreign = Streaming()
    model = from_langchain(foreign)
    stream = model.stream("abc")
    assert next(stream) == "a"
    stream.close()
    assert foreign._closed == ["sync"]
    tokens = model.astream("abc")
    assert await anext(tokens) == "a"
    await tokens.aclose()
    assert foreign._closed == ["sync", "async"]
    assert [token async for token in model.astream("abcdef", stop=["b"])] == ["a", "b"]
    assert foreign._closed == ["sync", "async", "async"]


async def test_a_cancelled_stream_closes_the_classs_generator() -> None:
    waiting, closed = asyncio.Event(), asyncio.Event()

    class Waiting(Streaming):
        async def _astream(self, prompt: str, *args: Any, **kwargs: Any) -> AsyncIterator[GenerationChunk]:
            try:
                yield GenerationChunk(text="a")
                waiting.set()
                await asyncio.Event().wait()
            finally:
                closed.set()

    task = asyncio.create_task(from_langchain(Waiting()).ainvoke("x"))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()


async def test_a_class_with_one_native_way_is_called_by_it() -> None:
    class OnLoop(Echo):
        async def _acall(self, prompt: str, *args: Any, **kwargs: Any) -> str:
            return f"on {type(asyncio.get_running_loop()).__name__[:4] and 'a loop'}"

    model = from_langchain(OnLoop())
    assert await model.ainvoke("x") == "on a loop"
    assert model.invoke("x") == "x"


def test_the_usage_of_generate_is_read_and_max_batch_size_gives_many_prompts_at_once() -> None:
    foreign = ManyAtOnce()
    answer = from_langchain(foreign).generate(["abc"]).generations[0][0]
    assert (answer.text, answer.finish_reason, answer.usage.total_tokens) == ("cba", "length", 7)
    foreign._calls.clear()
    model = from_langchain(foreign, max_batch_size=2)
    assert model.batch(["ab", "cd", "ef"]) == ["ba", "dc", "fe"]
    assert sorted(foreign._calls) == [["ab", "cd"], ["ef"]]


def test_a_failing_native_batch_fails_the_bad_prompt_only() -> None:
    first, failed, last = from_langchain(ManyAtOnce(), max_batch_size=8).batch(
        ["ab", "bad", "cd"], return_exceptions=True
    )
    assert (first, last) == ("ba", "dc")
    assert isinstance(failed, StatusError)


def test_several_choices_are_several_answers() -> None:
    found = from_langchain(ManyAtOnce()).generate(["ab"], n=2, choices=2).generations[0]
    assert [one.text for one in found] == ["ba", "ba"]


class Heard(BaseCallbackHandler):
    """Writes down the model's events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_llm_start(self, *args: Any, **kwargs: Any) -> None:
        self.events.append("start")

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.events.append(f"end {response.generations[0][0].text}")

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.events.append(f"error {type(error).__name__}")


class AsyncHeard(AsyncCallbackHandler):
    """Writes down how many tokens came."""

    def __init__(self) -> None:
        self.tokens = 0

    async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.tokens = len(response.generations[0][0].text)


async def test_callbacks_that_the_object_has_hear_of_every_way_to_call() -> None:
    heard, counted = Heard(), AsyncHeard()
    model = from_langchain(Streaming(callbacks=[heard, counted]))
    assert "".join(model.stream("abc")) == "abc"
    assert heard.events == ["start", "end abc"]
    assert "".join([token async for token in model.astream("abcd")]) == "abcd"
    assert heard.events[2:] == ["start", "end abcd"]
    assert counted.tokens == 4
    stream = model.stream("abc")
    next(stream)
    stream.close()
    assert heard.events[4:] == ["start", "error GeneratorExit"]


async def test_a_model_of_ours_appears_once_among_the_runs() -> None:
    heard = Heard()
    model = from_langchain(Echo())
    model.invoke("x", {"callbacks": [heard]})
    await RunnableLambda(model.ainvoke).ainvoke("y", {"callbacks": [heard]})
    assert heard.events == ["start", "end x", "start", "end y"]


async def test_tokens_that_a_class_tells_while_it_answers_are_heard() -> None:
    class Telling(Echo):
        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            for word in prompt.split():
                run_manager.on_llm_new_token(word)
            return prompt

        async def _acall(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            for word in prompt.split():
                await run_manager.on_llm_new_token(word)
            return prompt

    recorder = RecordingHandler()
    model = from_langchain(Telling())
    assert model.invoke("a b", {"callbacks": [recorder]}) == "a b"
    assert await model.ainvoke("c d", {"callbacks": [recorder]}) == "c d"
    assert [event.payload for event in recorder.named("on_llm_new_token")] == ["a", "b", "c", "d"]


def test_secrets_are_shown_nowhere(register: Register) -> None:
    class Leaking(Echo):
        def _call(self, prompt: str, *args: Any, **kwargs: Any) -> str:
            raise RuntimeError(f"bad key {self.api_key.get_secret_value()}")

    model = from_langchain(Leaking())
    assert "secret" not in repr(model) + str(model)
    register("leaking", model)
    with pytest.raises(modelport.ModelportError) as raised:
        modelport.text_completion(model="leaking/x", prompt="hi")
    assert "very-secret" not in str(raised.value)


def test_secrets_outside_of_fields_are_known() -> None:
    class Plain(Lengths):
        def __init__(self) -> None:
            self.key = SecretStr("plain-secret")

    class Private(Echo):
        _key: SecretStr = PrivateAttr(default=SecretStr("private-secret"))

    assert from_langchain(Plain()).scrub("a plain-secret") == "a ***"
    assert from_langchain(Private()).scrub("a private-secret and sk-very-secret-key") == "a *** and ***"


def test_identity_is_the_objects() -> None:
    model = from_langchain(Echo(loud=True, name="shouter", tags=["a"], metadata={"b": 1}).with_config(tags=["c"]))
    assert repr(model) == "Echo(api_key=SecretStr('**********'), loud=True)"
    assert model.llm_type() == "echo"
    assert model.identity()["loud"] is True
    assert (model.get_name(), model.tags, model.metadata) == ("shouter", ["a", "c"], {"b": 1})


def test_a_model_is_pickled_and_copied_with_its_object() -> None:
    model = from_langchain(Echo(loud=True), max_concurrency=3)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert twin.invoke("x") == "X"
        assert twin.max_concurrency == 3


def test_what_was_ours_is_ours_again() -> None:
    class Ours(modelport.LLM):
        def _call(self, prompt: str) -> str:
            return prompt

    model = Ours()
    assert from_langchain(to_langchain(model)) is model
    assert from_langchain(to_langchain(model), max_concurrency=2).max_concurrency == 2


def test_what_was_langchains_is_langchains_again() -> None:
    foreign = Echo()
    assert to_langchain(from_langchain(foreign)) is foreign


def test_equal_calls_of_a_cached_model_are_answered_once() -> None:
    foreign = Echo()
    model = from_langchain(foreign, cache=True)
    assert (model.invoke("a cached prompt"), model.invoke("a cached prompt")) == ("a cached prompt",) * 2
    assert len(foreign._seen) == 1


@pytest.mark.parametrize("wrong", [3, "text", Echo, object()])
def test_what_is_no_model_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="from_langchain takes"):
        from_langchain(wrong)


def test_a_wrong_field_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"max_concurency.*max_concurrency"):
        from_langchain(Echo(), max_concurency=2)
