"""The models and the recorder that users test their own code with."""

from __future__ import annotations

import asyncio

import pytest

from modelport.testing import EchoChatModel, EchoLLM, FailingLLM, RecordingHandler, ScriptedLLM, SlowLLM


def test_the_echo_streams_in_pieces_of_a_size():
    assert list(EchoLLM(size=2).stream("hello")) == ["he", "ll", "o"]


def test_the_chat_echo_answers_the_last_message():
    assert EchoChatModel().invoke([("system", "be brief"), ("human", "hello")]).text == "hello"


def test_the_script_is_answered_in_turn():
    model = ScriptedLLM(answers=["one", ["t", "wo"]])
    assert [model.invoke("a"), list(model.stream("b")), model.invoke("c")] == ["one", ["t", "wo"], "one"]
    assert model.prompts == ["a", "b", "c"]


def test_the_failure_comes_after_its_pieces():
    failure, seen = ValueError("no"), list[str]()
    with pytest.raises(ValueError, match="no") as caught:
        seen.extend(FailingLLM(error=failure, pieces=["one"]).stream("x"))
    assert caught.value is failure


async def test_the_slow_model_waits_until_it_is_released():
    model = SlowLLM(pieces=["one ", "two"])
    task = asyncio.create_task(model.ainvoke("x"))
    await model.wait_until_called()
    assert not task.done()
    model.release()
    assert await task == "one two"


def test_the_recorder_hears_a_run():
    record = RecordingHandler()
    EchoLLM().invoke("hi", {"callbacks": [record], "tags": ["mine"]})
    assert [event.name for event in record.events] == [
        "on_llm_start",
        "on_llm_new_token",
        "on_llm_new_token",
        "on_llm_end",
    ]
    assert record.tokens == ["h", "i"]
    assert record.starts[0].facts["tags"] == ["mine"]
    assert record.tokens_of(record.ends[0].run_id) == "hi"
