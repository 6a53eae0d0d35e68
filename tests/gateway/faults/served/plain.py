"""One model of each kind that answers whatever it is asked."""

import time
from collections.abc import AsyncIterator
from typing import Any

from modelport import LLM, ChatModel, CustomLLM, EmbeddingModel, ImageModel

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718e366"
    "0000000049454e44ae426082"
)


class Echo(LLM):
    chat_template: str | None = "last"

    async def _acall(self, prompt: str, **kwargs: Any) -> str:
        return prompt[:100]


class Chat(ChatModel):
    supports = frozenset({"tools", "response_format"})

    async def _astream(self, messages: Any, **kwargs: Any) -> AsyncIterator[str]:
        yield "hello"
        yield " world"


class Vectors(EmbeddingModel):
    async def _aembed(self, texts: Any, **kwargs: Any) -> list[list[float]]:
        return [[1.0, 2.0] for _ in texts]


class Pictures(ImageModel):
    async def _agenerate_images(self, prompt: Any, n: int = 1, **kwargs: Any) -> list[bytes]:
        return [PIXEL] * n

    async def _aedit_images(self, images: Any, prompt: Any, n: int = 1, **kwargs: Any) -> list[bytes]:
        return [PIXEL] * n


class Handler(CustomLLM):
    def completion(self, *args: Any, **kwargs: Any) -> Any:
        return "hello"

    async def astreaming(self, *args: Any, **kwargs: Any) -> Any:
        yield "hello"


class Ranking(CustomLLM):
    async def _arerank(self, query: Any, documents: Any, **kwargs: Any) -> Any:
        return [(index, 1.0) for index in range(len(documents))]


class Slow(LLM):
    chat_template: str | None = "last"

    def _call(self, prompt: str) -> str:
        time.sleep(0.05)
        return prompt
