"""Models of ours as handlers that the config of LiteLLM's proxy names, which executes this file for each of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from modelport import LLM, AIMessage, ChatModel, CustomLLMError, EmbeddingModel, ImageModel
from modelport.integrations.litellm import to_litellm
from modelport.values.images import Image

WAIT_SECONDS = 30
TOGETHER = threading.Barrier(3)
STOPPED = threading.Event()


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
    """Knows how long a text is."""

    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in texts]


class Pictures(ImageModel):
    """Makes images that are their prompts."""

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


class Blocking(LLM):
    """Answers when three calls are there: calls one after the other would never be."""

    def _call(self, prompt: str) -> str:
        TOGETHER.wait(WAIT_SECONDS)
        return "together"


class Endless(LLM):
    """Counts until nobody listens, and says afterwards whether it was stopped."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        if "stopped" in prompt:
            yield "yes" if await asyncio.to_thread(STOPPED.wait, WAIT_SECONDS) else "no"
            return
        try:
            number = 0
            while True:
                number += 1
                yield f"{number} "
                await asyncio.sleep(0.001)
        finally:
            STOPPED.set()


upper = to_litellm(Upper())
calling = to_litellm(Calling)
vectors = to_litellm(Vectors())
pictures = to_litellm(Pictures())
failing = to_litellm(Failing())
blocking = to_litellm(Blocking())
endless = to_litellm(Endless())
