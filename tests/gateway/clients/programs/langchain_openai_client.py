"""langchain-openai: chats, continuations and vectors, called as LangChain's users call them."""

# Its packages are not installed where the tests run.
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from scenarios import INPUTS, KEY, URL, errors, failure, run, scenario

HERE: dict[str, Any] = {"base_url": URL, "api_key": KEY, "max_retries": 0}


def chat_model(name: str, **more: Any) -> Any:
    return ChatOpenAI(model=name, **{**HERE, **more})


def asked(what: str) -> Any:
    return chat_model("witness").invoke(what).content


def calls_of(message: Any) -> list[Any]:
    return [[call["id"], call["name"], call["args"]] for call in message.tool_calls]


@scenario
async def chat() -> Any:
    answer = await chat_model("team/echo:1").ainvoke("hello")
    usage = answer.usage_metadata
    return {
        "text": answer.content,
        "role": {"ai": "assistant"}[answer.type],
        "finish_reason": answer.response_metadata["finish_reason"],
        "model": answer.response_metadata["model_name"],
        "usage": usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0,
        "request_id": True,
    }


@scenario
async def stream() -> Any:
    chunks = [chunk async for chunk in chat_model("team/echo:1", stream_usage=True).astream("hello")]
    reasons = [chunk.response_metadata.get("finish_reason") for chunk in chunks]
    return {
        "texts": ["".join(chunk.content for chunk in chunks)],
        "usages": sum(chunk.usage_metadata is not None for chunk in chunks),
        "finish_reasons": [reason for reason in reasons if reason],
        "roles": 1,
    }


@scenario
def two_choices() -> Any:
    [choices] = chat_model("echo", n=2).generate([[HumanMessage("hi")]]).generations
    return [choice.text for choice in choices]


@scenario
def stop() -> Any:
    return chat_model("echo").invoke("one two three", stop=[" three", " two"]).content


@scenario
def tools() -> Any:
    answer = chat_model("tools").bind_tools(INPUTS["tools"]).invoke("x")
    return [calls_of(answer), answer.response_metadata["finish_reason"]]


@scenario
def tools_in_a_stream() -> Any:
    first, *others = chat_model("tools-in-pieces").bind_tools(INPUTS["tools"]).stream("x")
    for other in others:
        first += other
    return [calls_of(first), first.response_metadata["finish_reason"]]


@scenario
def tool_results() -> Any:
    model = chat_model("tools").bind_tools(INPUTS["tools"])
    answer = model.invoke("x")
    results = [ToolMessage(call["name"], tool_call_id=call["id"]) for call in answer.tool_calls]
    assert isinstance(answer, AIMessage)
    return model.invoke([HumanMessage("x"), answer, *results]).content


@scenario
def embeddings() -> Any:
    model = OpenAIEmbeddings(model="embedder", check_embedding_ctx_length=False, **HERE)
    return model.embed_documents(["one", "three"])


@scenario
async def embeddings_as_numbers() -> Any:
    more: dict[str, Any] = {"check_embedding_ctx_length": False, "model_kwargs": {"encoding_format": "float"}}
    return await OpenAIEmbeddings(model="embedder", **more, **HERE).aembed_documents(["one", "three"])


@scenario
def completions() -> Any:
    return OpenAI(model="echo", **HERE).invoke("one two three", stop=[" three"])


@scenario
def completions_in_a_stream() -> Any:
    return "".join(OpenAI(model="echo", **HERE).stream(INPUTS["odd_texts"][0]))


@scenario
def odd_texts() -> Any:
    return [answer.content for answer in chat_model("echo").batch(INPUTS["odd_texts"])]


@scenario
def odd_texts_in_streams() -> Any:
    model = chat_model("echo")
    return ["".join(chunk.content for chunk in model.stream(text)) for text in INPUTS["odd_texts"]]


@scenario
def errors_of_chats() -> Any:
    return errors(lambda status: chat_model("failing").invoke(str(status)))


@scenario
def errors_of_streams() -> Any:
    return errors(lambda status: list(chat_model("failing").stream(str(status))))


@scenario
def error_in_a_stream() -> Any:
    text = ""
    try:
        for chunk in chat_model("failing").stream("late"):
            text += chunk.content
    except Exception as error:  # noqa: BLE001 - that one comes is what is asked for
        return [text, "bad luck" in str(error)]
    return "nothing was raised"


@scenario
def busy() -> Any:
    answer = chat_model("failing", max_retries=2).invoke("busy langchain")
    return [answer.content, asked("calls of busy langchain")]


@scenario
def wrong_key() -> Any:
    return failure(lambda: chat_model("echo", api_key="sk-wrong").invoke("x"))


@scenario
def unknown_model() -> Any:
    return failure(lambda: chat_model("ecko").invoke("x"))


@scenario
def timeout() -> Any:
    raised = failure(lambda: chat_model("waiting", timeout=0.3).invoke("x"))
    return [raised[0], asked("sync running"), asked("sync stopped")]


@scenario
def cancel_sync() -> Any:
    pieces = chat_model("waiting").stream("x")
    while next(pieces).content != "first":
        pass
    running = asked("sync running")
    pieces.close()
    return [running, asked("sync stopped")]


@scenario
async def cancel_async() -> Any:
    seen = asyncio.Event()

    async def read() -> None:
        async for piece in chat_model("waiting-async").astream("x"):
            if piece.content == "first":
                seen.set()

    reading = asyncio.create_task(read())
    await seen.wait()
    running = await chat_model("witness").ainvoke("async running")
    reading.cancel()
    await asyncio.wait([reading])
    return [running.content, (await chat_model("witness").ainvoke("async stopped")).content]


run()
