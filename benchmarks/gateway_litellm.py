"""The models of the gateway benchmark as a handler of LiteLLM's proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litellm import CustomLLM

from gateway_tokens import DELAYS_SECONDS, paced


class Echo(CustomLLM):
    """Answers with the last message, or with as many tokens as it says."""

    async def acompletion(self, *args: Any, **kwargs: Any) -> Any:
        """One answer."""
        response = kwargs["model_response"]
        response.choices[0].message.content = kwargs["messages"][-1]["content"]
        return response

    async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The answer, token by token."""
        text = kwargs["messages"][-1]["content"]
        delay = DELAYS_SECONDS.get(kwargs["model"])
        if delay is None:
            for token in text:
                yield _chunk(token)
        else:
            async for token in paced(int(text), delay):
                yield _chunk(token)
        yield _chunk("", "stop")


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
