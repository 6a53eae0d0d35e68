"""The models of the gateway benchmark as modelport's: config.yaml names these classes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from gateway_tokens import paced
from modelport import LLM


class Echo(LLM):
    """Answers with the prompt, on the event loop."""

    chat_template: str | None = "last"

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        return prompt

    async def _acall(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        return prompt

    async def _astream(
        self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[str]:
        for token in prompt:
            yield token


class SyncEcho(LLM):
    """Answers with the prompt, on a thread."""

    chat_template: str | None = "last"

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        return prompt

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[str]:
        yield from prompt


class Paced(LLM):
    """Gives as many tokens as the prompt says, one at a time."""

    chat_template: str | None = "last"
    delay_seconds: float
    """The seconds between two tokens."""

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        return prompt

    async def _astream(
        self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[str]:
        async for token in paced(int(prompt), self.delay_seconds):
            yield token
