"""Models of ours as providers of the real LiteLLM: its functions, its Router, and what it makes of their errors."""

# Its packages are not installed where the tests run.
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import litellm
from scenarios import INPUTS, errors, failure, run, scenario

import modelport
from modelport import LLM, AIMessage, ChatModel, CustomLLM, CustomLLMError, EmbeddingModel, ImageModel
from modelport.integrations.litellm import register_litellm, to_litellm
from modelport.values.images import Image
from modelport.values.status_errors import RateLimitError

litellm.telemetry = False
litellm.suppress_debug_info = True
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]


def says(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


class Upper(LLM):
    """Says the last message in capitals, word by word."""

    chat_template: Any = "last"

    def _stream(self, prompt: str) -> Iterator[str]:
        for place, word in enumerate(prompt.upper().split(" ")):
            yield f" {word}" if place else word

    def _count_tokens(self, text: str) -> int:
        return len(text.split())


class Calling(ChatModel):
    """Calls the tools that it is given."""

    def _call(self, messages: list[Any], tools: Any = None) -> AIMessage:
        calls = [
            {"name": tool["function"]["name"], "args": {"place": "Ulm"}, "id": f"call-{place}"}
            for place, tool in enumerate(tools)
        ]
        return AIMessage("", tool_calls=calls)


class Vectors(EmbeddingModel):
    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in texts]


class Pictures(ImageModel):
    def _generate_images(self, prompt: str, n: int = 1, size: str = "any") -> list[Image]:
        return [Image(data=f"{prompt} {size} {place}".encode()) for place in range(n)]

    def _edit_images(self, images: list[Image], prompt: str) -> list[Image]:
        return [Image(data=(images[0].data or b"") + prompt.encode())]


class Failing(LLM):
    """Fails with the status that it is asked for, or as its author did not foresee."""

    chat_template: Any = "last"

    def _call(self, prompt: str) -> str:
        if prompt.isdigit():
            raise CustomLLMError(int(prompt), "no")
        raise KeyError(prompt)


class Busy(LLM):
    """Is asked too often."""

    def _call(self, prompt: str) -> str:
        raise RateLimitError("later", retry_after=7)


class Blocking(LLM):
    """Answers when all of three calls are there: calls one after the other would wait for ever."""

    def _call(self, prompt: str) -> str:
        BARRIER.wait(60)
        return "together"


BARRIER = threading.Barrier(3)
STOPPED = threading.Event()


class Endless(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        try:
            number = 0
            while True:
                number += 1
                yield f"{number} "
                await asyncio.sleep(0)
        finally:
            STOPPED.set()


class Silent(LLM):
    async def _acall(self, prompt: str) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            STOPPED.set()
        return "never"


class OnlySync(CustomLLM):
    """Is a handler that LiteLLM itself could not call on a loop."""

    def completion(self, model: str, messages: list[Any], optional_params: dict[str, Any], **_: Any) -> str:
        return f"{model} {sorted(optional_params)}"


UPPER = register_litellm(Upper(), "my-llm")
for name, model in {
    "calling": Calling,
    "vectors": Vectors(),
    "pictures": Pictures(),
    "failing": Failing(),
    "busy": Busy(),
    "blocking": Blocking(),
    "endless": Endless(),
    "silent": Silent(),
    "handler": OnlySync(),
}.items():
    register_litellm(model, name)


def told(chunks: list[Any]) -> dict[str, Any]:
    texts: dict[int, str] = {}
    choices = [choice for chunk in chunks for choice in chunk.choices]
    for choice in choices:
        texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    usages = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None) is not None]
    return {
        "texts": [texts[index] for index in sorted(texts)],
        "usage": [[one.prompt_tokens, one.completion_tokens, one.total_tokens] for one in usages],
        "finish_reasons": sorted([choice.index, choice.finish_reason] for choice in choices if choice.finish_reason),
        "roles": sum(choice.delta.role is not None for choice in choices),
        "ids": len({chunk.id for chunk in chunks}),
        "models": sorted({chunk.model for chunk in chunks}),
    }


def calls_of(calls: Any) -> list[Any]:
    return [[call.id, call.function.name, call.function.arguments] for call in calls]


@scenario
def genuine() -> Any:
    entries = [entry["provider"] for entry in litellm.custom_provider_map]
    return [
        isinstance(UPPER, litellm.CustomLLM),
        isinstance(to_litellm(Upper), litellm.CustomLLM),
        entries.count("my-llm"),
        litellm.get_llm_provider("my-llm/x")[:2],
    ]


@scenario
def names() -> Any:
    register_litellm(Upper())
    before = len(litellm.custom_provider_map)
    register_litellm(Upper(), "upper")
    wrong = failure(lambda: register_litellm(Upper(), "openai"))
    return ["upper" in litellm.provider_list, len(litellm.custom_provider_map) - before, wrong]


@scenario
def answer() -> Any:
    given = litellm.ModelResponse()
    found = litellm.completion(model="my-llm/large", messages=says("one two three"))
    filled = UPPER.completion("x", says("hi"), model_response=given, optional_params={})
    usage = found.usage
    return {
        "type": isinstance(found, litellm.ModelResponse),
        "model": found.model,
        "text": found.choices[0].message.content,
        "finish_reason": found.choices[0].finish_reason,
        "usage": [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
        "filled": filled is given,
    }


@scenario
async def parameters() -> Any:
    """Holds `stop`, `max_tokens` and `n`; what the model does not take is dropped."""
    ask = {"model": "my-llm/x", "messages": says("one two three"), "temperature": 0.5, "my_own": 1}
    stopped = await litellm.acompletion(**ask, stop=["TWO"], n=2)
    cut = await litellm.acompletion(**ask, max_tokens=2)
    refused = failure(lambda: litellm.completion(**ask, response_format={"type": "json_object"}))
    return [
        [choice.message.content for choice in stopped.choices],
        [cut.choices[0].message.content, cut.choices[0].finish_reason],
        refused,
    ]


@scenario
def stream() -> Any:
    ask: Any = {"model": "my-llm/large", "messages": says("one two three"), "stream": True}
    return [
        told(list(litellm.completion(**ask))),
        told(list(litellm.completion(**ask, stream_options={"include_usage": True}))),
    ]


@scenario
async def async_stream() -> Any:
    ask: Any = {"model": "my-llm/large", "messages": says("one two three"), "stream": True, "n": 2, "stop": "THREE"}
    return told([chunk async for chunk in await litellm.acompletion(**ask)])


@scenario
def tools() -> Any:
    ask: Any = {"model": "calling/x", "messages": says("hi"), "tools": TOOLS}
    whole = litellm.completion(**ask).choices[0]
    chunks = list(litellm.completion(**ask, stream=True))
    built = litellm.stream_chunk_builder(chunks, messages=ask["messages"])
    assert built is not None
    return [
        [calls_of(whole.message.tool_calls), whole.finish_reason],
        [calls_of(built.choices[0].message.tool_calls), built.choices[0].finish_reason],  # pyright: ignore[reportAttributeAccessIssue]
    ]


@scenario
async def vectors() -> Any:
    many = litellm.embedding(model="vectors/x", input=["one", "three"])
    one = await litellm.aembedding(model="vectors/x", input="hello", encoding_format="base64", drop_params=True)
    return [
        [item["embedding"] for item in many.data],
        [item["embedding"] for item in one.data],
        many.usage.total_tokens > 0,
    ]


@scenario
async def pictures() -> Any:
    many = litellm.image_generation(prompt="sea", model="pictures/x", extra_body={"n": 2, "size": "big"})
    one = await litellm.aimage_generation(prompt="sea", model="pictures/x")
    edited = litellm.image_edit(image=b"\x89PNG ", prompt="sky", model="pictures/x")
    return [
        [base64.b64decode(image.b64_json or "").decode("latin-1") for image in found.data or ()]
        for found in (many, one, edited)
    ]


@scenario
def failures() -> Any:
    def asked(text: str) -> Any:
        return failure(lambda: litellm.completion(model="failing/x", messages=says(text), num_retries=0))

    return [errors(lambda status: litellm.completion(model="failing/x", messages=says(str(status)))), asked("words")]


@scenario
def failures_of_streams() -> Any:
    return errors(lambda status: list(litellm.completion(model="failing/x", messages=says(str(status)), stream=True)))


@scenario
def busy() -> Any:
    try:
        litellm.completion(model="busy/x", messages=says("hi"), num_retries=0)
    except litellm.RateLimitError as error:
        return error.response.headers["retry-after"]


@scenario
def other_kind() -> Any:
    return failure(lambda: litellm.embedding(model="my-llm/x", input=["one"]))


@scenario
async def blocking() -> Any:
    """Sync hooks run beside each other, and the loop has its turns: none of them blocks it."""
    asked = [litellm.acompletion(model="blocking/x", messages=says("hi")) for _ in range(3)]
    return [one.choices[0].message.content for one in await asyncio.gather(*asked)]


@scenario
async def timeout() -> Any:
    STOPPED.clear()
    try:
        await litellm.acompletion(model="silent/x", messages=says("hi"), timeout=0.05)
    except litellm.Timeout as error:
        return [error.status_code, STOPPED.is_set()]


@scenario
async def left_stream() -> Any:
    STOPPED.clear()
    chunks = await litellm.acompletion(model="endless/x", messages=says("hi"), stream=True)
    async for _ in chunks:
        break
    await chunks.aclose()
    return await asyncio.to_thread(STOPPED.wait, 30)


@scenario
async def handler() -> Any:
    found = await litellm.acompletion(model="handler/deep/x", messages=says("hi"), temperature=0.5, max_tokens=99)
    return found.choices[0].message.content


@scenario
async def router() -> Any:
    entries: Any = [
        {"model_name": "mine", "litellm_params": {"model": "my-llm/x"}},
        {"model_name": "broken", "litellm_params": {"model": "failing/x"}},
    ]
    routing = litellm.Router(model_list=entries, fallbacks=[{"broken": ["mine"]}], num_retries=0)
    whole = routing.completion("mine", messages=says("hi"))
    fallen = await routing.acompletion("broken", messages=says("503"))
    chunks = [chunk async for chunk in await routing.acompletion("mine", messages=says("one two"), stream=True)]
    return [whole.choices[0].message.content, fallen.choices[0].message.content, told(chunks)["texts"]]


@scenario
def readme() -> Any:
    """Does what the README says."""

    class Shout(LLM):
        def _call(self, prompt: str) -> str:
            return f"{prompt.upper()}!"

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(INPUTS["readme"], {"Shout": Shout, "hello": says("hello")})
    return printed.getvalue()


@scenario
def here_too() -> Any:
    """Our own SDK finds the model in LiteLLM's map, and goes no long way round."""
    found = modelport.completion("my-llm/x", says("hi"))
    return [type(found).__module__, found.choices[0].message.content]


if __name__ == "__main__":
    run()
