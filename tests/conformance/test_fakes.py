"""The models and the recorder that users test their own code with."""

from __future__ import annotations

import asyncio

import pytest

from modelport import AIMessage, completion, register
from modelport.registry.providers import unregister
from modelport.testing import (
    EchoChatModel,
    EchoEmbeddingModel,
    EchoHandler,
    EchoImageModel,
    EchoLLM,
    FailingLLM,
    RecordingHandler,
    ScriptedChatModel,
    ScriptedLLM,
    SlowLLM,
)


def test_the_echo_streams_in_pieces_of_a_size():
    assert list(EchoLLM(size=2).stream("hello")) == ["he", "ll", "o"]


def test_the_chat_echo_answers_the_last_message():
    assert EchoChatModel().invoke([("system", "be brief"), ("human", "hello")]).text == "hello"


def test_the_script_is_answered_in_turn():
    model = ScriptedLLM(answers=["one", ["t", "wo"]])
    assert [model.invoke("a"), list(model.stream("b")), model.invoke("c")] == ["one", ["t", "wo"], "one"]
    assert model.prompts == ["a", "b", "c"]


def test_the_chat_script_gives_texts_pieces_and_messages_with_tool_calls():
    call = {"name": "look", "args": {"at": "it"}, "id": "1", "type": "tool_call"}
    model = ScriptedChatModel(answers=["one", ["t", "wo"], AIMessage("", tool_calls=[call])])
    assert model.invoke("a").text == "one"
    assert [piece.text for piece in model.stream("b")][:2] == ["t", "wo"]
    assert model.invoke("c").tool_calls[0]["args"] == {"at": "it"}
    assert [messages[-1].text for messages in model.asked] == ["a", "b", "c"]


def test_the_echo_of_embeddings_gives_equal_texts_equal_vectors_of_length_one():
    one, same, other = EchoEmbeddingModel(size=4).embed_documents(["a", "a", "b"])
    assert one == same != other
    assert len(one) == 4
    assert sum(number * number for number in one) == pytest.approx(1)


def test_the_echo_of_images_holds_its_prompt():
    first, second = EchoImageModel().generate_images("a cat", n=2).images
    assert [bytes(one.data or b"")[-7:] for one in (first, second)] == [b"a cat 0", b"a cat 1"]


def test_the_echo_handler_answers_by_the_sdk():
    register("echo-of-the-tests", EchoHandler())
    try:
        answer = completion("echo-of-the-tests/x", [{"role": "user", "content": "hello"}])
    finally:
        unregister("echo-of-the-tests")
    assert answer.choices[0].message.content == "hello"


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
