"""The models that the clients talk to, in a process of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from modelport import (
    LLM,
    AIMessageChunk,
    CallbackManagerForLLMRun,
    ChatModel,
    CustomLLMError,
    EmbeddingModel,
    Generation,
    ImageModel,
    ToolMessage,
)
from modelport.values.status_errors import RateLimitError

WAIT_SECONDS = 20


class Flags:
    """What a waiting model says about itself: the witness tells it to the test."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.stopped = threading.Event()


FLAGS = {"sync": Flags(), "async": Flags()}
CALLS: list[str] = []


class Echo(LLM):
    chat_template: str | None = "last"

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from prompt


class AsyncEcho(LLM):
    chat_template: str | None = "last"

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for char in prompt:
            yield char


async_echo = AsyncEcho()


class Failing(LLM):
    """Fails as the prompt says: a status, `late` after two pieces, `busy` the first time, else a plain exception."""

    chat_template: str | None = "last"
    password: str = "hunter2-hunter2"

    def _stream(self, prompt: str) -> Iterator[str]:
        CALLS.append(prompt)
        if prompt.isdigit():
            raise CustomLLMError(int(prompt), f"status {prompt}")
        if prompt.startswith("busy"):
            if CALLS.count(prompt) == 1:
                raise RateLimitError("ask again in a moment", retry_after=0.01)
            yield "free"
            return
        if prompt == "late":
            yield "one "
            yield "two "
        raise ValueError(f"bad luck with {self.password} in /srv/models/w.bin")


class Tools(ChatModel):
    """Calls every tool that it is given; when it has their results, it says them."""

    def _call(self, messages: Any, tools: Any = None) -> str | Generation:
        if results := [message.content for message in messages if isinstance(message, ToolMessage)]:
            return ", ".join(map(str, results))
        calls = [
            {"name": tool["function"]["name"], "args": {"place": "Ulm"}, "id": f"call-{index}"}
            for index, tool in enumerate(tools)
        ]
        return Generation(tool_calls=calls)


class ToolsInPieces(ChatModel):
    """Calls every tool that it is given, the arguments in several pieces."""

    def _stream(self, messages: Any, tools: Any) -> Iterator[AIMessageChunk]:
        for index, tool in enumerate(tools):
            name = tool["function"]["name"]
            yield AIMessageChunk(tool_call_chunks=[{"name": name, "args": "", "id": f"call-{index}", "index": index}])
            for piece in ('{"pla', 'ce": "U', 'lm"}'):
                yield AIMessageChunk(tool_call_chunks=[{"name": None, "args": piece, "id": None, "index": index}])


class Embedder(EmbeddingModel):
    """Gives vectors whose numbers are the same in 32 bits: the text's length, and two that never change."""

    def _embed(self, texts: list[str], dimensions: int = 3) -> list[list[float]]:
        return [[float(len(text)), 0.5, -1.25, 2.0][:dimensions] for text in texts]


class Painter(ImageModel):
    """Makes images whose bytes are a signature and the prompt; an edit adds the prompt to the image's bytes."""

    def _generate_images(self, prompt: str, n: int = 1) -> list[bytes]:
        return [b"\x89PNG\r\n\x1a\n" + f"{prompt} {index}".encode() for index in range(n)]

    def _edit_images(self, images: list[Any], prompt: str) -> list[bytes]:
        return [image.data + f", {prompt}".encode() for image in images]


class Waiting(LLM):
    """Gives one piece and then waits until it is told to stop."""

    def _stream(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> Iterator[str]:
        yield "first"
        FLAGS["sync"].running.set()
        while not run_manager.cancelled:
            threading.Event().wait(0.001)
        FLAGS["sync"].stopped.set()


class WaitingAsync(LLM):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        try:
            yield "first"
            FLAGS["async"].running.set()
            await asyncio.Event().wait()
        finally:
            FLAGS["async"].stopped.set()


class Witness(LLM):
    """Says what became of a waiting model, as soon as it is so: `sync running`, `async stopped`; or how many calls."""

    chat_template: str | None = "last"

    def _call(self, prompt: str) -> str:
        if prompt.startswith("calls of "):
            return str(CALLS.count(prompt.removeprefix("calls of ")))
        name, _, what = prompt.partition(" ")
        event: threading.Event = getattr(FLAGS[name], what)
        seen = event.wait(WAIT_SECONDS)
        event.clear()
        return "yes" if seen else "no"
