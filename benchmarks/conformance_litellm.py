"""The same models as a handler of LiteLLM's proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litellm import CustomLLM


class Echo(CustomLLM):
    """Answers with the last message, and texts with vectors, as LiteLLM's guide of custom handlers shows it."""

    async def acompletion(self, *args: Any, **kwargs: Any) -> Any:
        """One answer."""
        response = kwargs["model_response"]
        response.choices[0].message.content = _text_of(kwargs["messages"])
        return response

    async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The answer, piece by piece."""
        text = _text_of(kwargs["messages"])
        for start in range(0, len(text), 3):
            yield _chunk(text[start : start + 3])
        yield _chunk("", "stop")

    async def aembedding(self, *args: Any, **kwargs: Any) -> Any:
        """A vector for each text."""
        response = kwargs["model_response"]
        texts = kwargs["input"]
        response.data = [
            {"object": "embedding", "index": index, "embedding": [float(len(text)), 1.0, 0.5, 0.25]}
            for index, text in enumerate(texts if isinstance(texts, list) else [texts])
        ]
        return response


def _text_of(messages: Any) -> str:
    content = messages[-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _chunk(text: str, finish_reason: str = "") -> dict[str, Any]:
    return {
        "finish_reason": finish_reason,
        "index": 0,
        "is_finished": bool(finish_reason),
        "text": text,
        "tool_use": None,
        "usage": {"completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0},
    }


echo = Echo()
