"""LiteLLM as a client of an OpenAI-compatible server, with all that it sends home switched off."""

# Its packages are not installed where the tests run.
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

import litellm
from scenarios import INPUTS, KEY, URL, errors, failure, run, scenario

litellm.telemetry = False
litellm.suppress_debug_info = True
HERE: dict[str, Any] = {"api_base": URL, "api_key": KEY, "max_retries": 0}


def says(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def completion(name: str, text: str, **more: Any) -> Any:
    return litellm.completion(model=f"openai/{name}", messages=says(text), **{**HERE, **more})


async def acompletion(name: str, text: str, **more: Any) -> Any:
    return await litellm.acompletion(model=f"openai/{name}", messages=says(text), **HERE, **more)


def asked(what: str) -> Any:
    return completion("witness", what).choices[0].message.content


def calls_of(message: Any) -> list[Any]:
    return [[call.id, call.function.name, call.function.arguments] for call in message.tool_calls]


def told(chunks: list[Any]) -> dict[str, Any]:
    texts: dict[int, str] = {}
    choices = [choice for chunk in chunks for choice in chunk.choices]
    for choice in choices:
        texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    return {
        "texts": list(texts.values()),
        "usages": sum(getattr(chunk, "usage", None) is not None for chunk in chunks),
        "finish_reasons": [choice.finish_reason for choice in choices if choice.finish_reason],
        "roles": sum(choice.delta.role is not None for choice in choices),
    }


@scenario
def models() -> Any:
    names = litellm.get_valid_models(
        check_provider_endpoint=True, custom_llm_provider="openai", api_key=KEY, api_base=URL
    )
    return [name.removeprefix("openai/") for name in names][:3]


@scenario
async def chat() -> Any:
    answer = await acompletion("team/echo:1", "hello")
    [choice] = answer.choices
    usage = answer.usage
    return {
        "text": choice.message.content,
        "role": choice.message.role,
        "finish_reason": choice.finish_reason,
        "model": answer.model,
        "usage": usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0,
        "request_id": True,
    }


@scenario
async def stream() -> Any:
    chunks = await acompletion("team/echo:1", "hello", stream=True, stream_options={"include_usage": True})
    return told([chunk async for chunk in chunks])


@scenario
def two_choices() -> Any:
    return [choice.message.content for choice in completion("echo", "hi", n=2).choices]


@scenario
def two_choices_in_a_stream() -> Any:
    return told(list(completion("echo", "hi", n=2, stream=True, stream_options={"include_usage": True})))


@scenario
def stop() -> Any:
    return completion("echo", "one two three", stop=[" three", " two"]).choices[0].message.content


@scenario
def tools() -> Any:
    [choice] = completion("tools", "x", tools=INPUTS["tools"]).choices
    return [calls_of(choice.message), choice.finish_reason]


@scenario
def tools_in_a_stream() -> Any:
    chunks = list(completion("tools-in-pieces", "x", tools=INPUTS["tools"], stream=True))
    whole: Any = litellm.stream_chunk_builder(chunks)
    return [calls_of(whole.choices[0].message), whole.choices[0].finish_reason]


@scenario
def tool_results() -> Any:
    message = completion("tools", "x", tools=INPUTS["tools"]).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": call.function.name} for call in message.tool_calls]
    messages: Any = [*says("x"), message, *results]
    answer: Any = litellm.completion(model="openai/tools", messages=messages, tools=INPUTS["tools"], **HERE)
    return answer.choices[0].message.content


@scenario
def embeddings() -> Any:
    answer = litellm.embedding(model="openai/embedder", input=["one", "three"], **HERE)
    return [one["embedding"] for one in answer.data]


@scenario
def embeddings_as_numbers() -> Any:
    answer = litellm.embedding(model="openai/embedder", input=["one", "three"], encoding_format="float", **HERE)
    return [one["embedding"] for one in answer.data]


@scenario
def images() -> Any:
    answer: Any = litellm.image_generation(model="openai/painter", prompt="an otter", n=2, **HERE)
    return [base64.b64decode(one.b64_json).decode("latin-1") for one in answer.data]


@scenario
def edited_images() -> Any:
    image = io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"an otter")
    image.name = "otter.png"
    answer: Any = litellm.image_edit(model="openai/painter", image=image, prompt="with a hat", **HERE)
    return [base64.b64decode(one.b64_json).decode("latin-1") for one in answer.data]


@scenario
def completions() -> Any:
    answer: Any = litellm.text_completion(
        model="text-completion-openai/echo", prompt="one two three", stop=" three", **HERE
    )
    return answer.choices[0].text


@scenario
def completions_in_a_stream() -> Any:
    chunks: Any = litellm.text_completion(
        model="text-completion-openai/echo", prompt=INPUTS["odd_texts"][0], stream=True, **HERE
    )
    return "".join(chunk.choices[0].text or "" for chunk in chunks)


@scenario
def odd_texts() -> Any:
    return [completion("echo", text).choices[0].message.content for text in INPUTS["odd_texts"]]


@scenario
def odd_texts_in_streams() -> Any:
    return [told(list(completion("echo", text, stream=True)))["texts"][0] for text in INPUTS["odd_texts"]]


@scenario
def errors_of_chats() -> Any:
    return errors(lambda status: completion("failing", str(status)))


@scenario
def errors_of_streams() -> Any:
    return errors(lambda status: list(completion("failing", str(status), stream=True)))


@scenario
def error_in_a_stream() -> Any:
    text = ""
    try:
        for chunk in completion("failing", "late", stream=True):
            text += chunk.choices[0].delta.content or ""
    except Exception as error:  # noqa: BLE001 - that one comes is what is asked for
        return [text, "bad luck" in str(error)]
    return "nothing was raised"


@scenario
def busy() -> Any:
    answer = completion("failing", "busy litellm", max_retries=2)
    return [answer.choices[0].message.content, asked("calls of busy litellm")]


@scenario
def wrong_key() -> Any:
    return failure(lambda: completion("echo", "x", api_key="sk-wrong"))


@scenario
def unknown_model() -> Any:
    return failure(lambda: completion("ecko", "x"))


@scenario
def timeout() -> Any:
    raised = failure(lambda: completion("waiting", "x", timeout=0.3))
    return [raised[0], asked("sync running"), asked("sync stopped")]


@scenario
def cancel_sync() -> Any:
    chunks = completion("waiting", "x", stream=True)
    while next(chunks).choices[0].delta.content != "first":
        pass
    running = asked("sync running")
    chunks.completion_stream.close()
    return [running, asked("sync stopped")]


@scenario
async def cancel_async() -> Any:
    seen = asyncio.Event()

    async def read() -> None:
        chunks: Any = await acompletion("waiting-async", "x", stream=True)
        async for chunk in chunks:
            if chunk.choices[0].delta.content == "first":
                seen.set()

    reading = asyncio.create_task(read())
    await seen.wait()
    running = await acompletion("witness", "async running")
    reading.cancel()
    await asyncio.wait([reading])
    stopped = await acompletion("witness", "async stopped")
    return [answer.choices[0].message.content for answer in (running, stopped)]


run()
