"""One call of a mock: its answer in tokens, its waits, its failure."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import AIMessage, AIMessageChunk
from modelport.values.status_errors import APIStatusError, error_of_status

if TYPE_CHECKING:
    from modelport.providers.mock import Mock

FAILURE_STATUS = 503
"""The status of a failure that nobody gave one."""

asleep = asyncio.sleep
"""Waits on the running loop; tests put another in its place."""


class MockCall:
    """Is one call of a mock; the same number and seed always give the same one."""

    def __init__(self, mock: Mock, number: int, given: Any) -> None:
        self._mock = mock
        self._dice = random.Random(f"{mock.seed}:{number}")  # noqa: S311 - nothing secret depends on it
        failed = self._dice.random() < mock.failure_rate
        status = mock.failures.get(number, mock.failure_status if failed else None)
        self._failure: Exception | None = None
        if isinstance(given, Exception):
            self._failure, given = given, ""
        elif status is not None:
            self._failure = _failure(status, number)
        self._given: str | AIMessage = given

    async def whole(self) -> Generation | AIMessage:
        """Return the answer after the time that all of its tokens take.

        Raises:
            Exception: The call fails.
        """
        tokens = self._tokens()
        await self._wait(self._mock.time_to_first_token_seconds)
        self._fail()
        for _ in tokens[1:]:
            await self._wait(self._mock.inter_token_seconds)
        if isinstance(self._given, AIMessage):
            return self._given
        return Generation(self._given, self._mock.finish_reason)

    async def pieces(self) -> AsyncGenerator[Any, None]:
        """Yield the answer, some tokens at a time; raises as `whole` does, when as many tokens are out."""
        tokens, size = self._tokens(), self._mock.tokens_per_chunk
        limit = self._mock.fail_after_tokens or 0
        await self._wait(self._mock.time_to_first_token_seconds)
        if self._failure is not None:
            tokens = tokens[:limit]
        for start in range(0, len(tokens), size):
            for position in range(start, min(start + size, len(tokens))):
                if position:
                    await self._wait(self._mock.inter_token_seconds)
            yield "".join(tokens[start : start + size])
        self._fail()
        if isinstance(self._given, AIMessage):
            yield _without_text(self._given)
        elif self._mock.finish_reason is not None:
            yield GenerationChunk("", self._mock.finish_reason)

    def _tokens(self) -> list[str]:
        from modelport.providers.mock import TOKEN

        return TOKEN.findall(self._given if isinstance(self._given, str) else self._given.text)

    def _fail(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _wait(self, seconds: float) -> None:
        jitter = self._mock.jitter
        if seconds:
            await asleep(seconds * (1 + self._dice.uniform(-jitter, jitter)) if jitter else seconds)


def _failure(status: int, number: int) -> APIStatusError:
    return error_of_status(status, f"the mock was told to fail call {number} with status {status}")


def _without_text(message: AIMessage) -> AIMessageChunk:
    """Return what a message has beside its text, as the last piece of its stream."""
    return AIMessageChunk(
        "",
        additional_kwargs=message.additional_kwargs,
        tool_calls=message.tool_calls,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
    )
