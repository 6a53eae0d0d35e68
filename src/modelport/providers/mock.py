"""`MockModel` and `MockLLM`: models that answer what they are told, as fast or as badly as they are told.

For tests, and for load: a gateway, a chain or a client can be tried without a model, with its latencies and failures.
"""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, field_validator

from modelport.models.base import AuthoredModel
from modelport.models.chat import ChatModel
from modelport.models.llm import LLM
from modelport.providers.mock_calls import FAILURE_STATUS, MockCall
from modelport.values.errors import InputError
from modelport.values.messages import AIMessage, Message
from modelport.values.prompt_values import message_from

TOKEN = re.compile(r"\s*\S+|\s+\Z")
"""What counts as a token: a word with the white space before it."""
_lock = threading.Lock()
"""Held while a call gets its number: calls come from several threads and loops."""


class Mock(AuthoredModel):
    """Is the part that chat and text mocks share. Each call is numbered from 1; seed and number decide its dice."""

    model: str = "mock"
    """The name that answers carry."""
    answer: str | None = None
    """What every call is answered with; None, and no `answers`: the echo of its last message, or of its prompt."""
    answers: list[Any] | None = None
    """A script: the first call gets the first one, and so on. Each is a text, an assistant message (also as OpenAI's
    dict, with tool calls), or an exception to raise."""
    repeat: bool = True
    """Whether a script starts again after its end; False: further calls fail."""
    time_to_first_token_seconds: float = Field(default=0, ge=0)
    """How long an answer takes to begin."""
    inter_token_seconds: float = Field(default=0, ge=0)
    """How long each further token takes."""
    jitter: float = Field(default=0, ge=0, le=1)
    """By which part of itself each of these times varies at random, up and down."""
    tokens_per_chunk: int = Field(default=1, ge=1)
    """How many tokens a streamed piece has."""
    failure_rate: float = Field(default=0, ge=0, le=1)
    """Which part of the calls fails at random, before the first token."""
    failures: dict[int, int] = Field(default={})
    """Which calls fail, by their number, with which status."""
    failure_status: int = Field(default=FAILURE_STATUS, ge=400, le=599)
    """The status of failures at random."""
    fail_after_tokens: int | None = Field(default=None, ge=0)
    """After how many tokens the calls that fail do so; None: before the first, as soon as they are called."""
    finish_reason: Literal["stop", "length", "content_filter"] | None = None
    """Why answers end; None: as the framework finds ("stop", "tool_calls")."""
    seed: int = 0
    """What the dice are thrown with: models with one seed and equal calls behave alike."""
    _calls: int = PrivateAttr(default=0)

    @field_validator("answers")
    @classmethod
    def _answerable(cls, value: list[Any] | None) -> list[Any] | None:
        if value is None:
            return None
        if not value:
            raise ValueError("is empty; give at least one answer, or none at all for an echo")
        return [_checked(place, given) for place, given in enumerate(value)]

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}

    def _count_tokens(self, text: str) -> int:
        return len(TOKEN.findall(text))

    def _next_call(self, echo: str) -> MockCall:
        """Return the next call: what it answers, when, and whether it fails.

        Raises:
            InputError: The script has ended.
        """
        with _lock:
            number = self._calls = self._calls + 1
        given: Any = self.answer if self.answer is not None else echo
        if self.answers is not None:
            if number > len(self.answers) and not self.repeat:
                raise InputError(f"the mock's script has {len(self.answers)} answers, and this is call {number}")
            given = self.answers[(number - 1) % len(self.answers)]
        return MockCall(self, number, given)


def _checked(place: int, given: Any) -> Any:
    if isinstance(given, dict):
        given = message_from(given)  # pyright: ignore[reportUnknownArgumentType]
    if not isinstance(given, (str, AIMessage, Exception)):
        kind = type(given).__name__
        raise ValueError(f"[{place}] is a {kind}; give a text, an assistant message or an exception")  # noqa: TRY004 - pydantic reads it
    return given


class MockModel(Mock, ChatModel):
    """Is a chat model that answers what it is told."""

    supports: ClassVar[frozenset[str]] = frozenset({"tools", "response_format"})

    async def _acall(self, messages: list[Message], **kwargs: Any) -> Any:
        return await self._next_call(messages[-1].text).whole()

    def _astream(self, messages: list[Message], **kwargs: Any) -> AsyncIterator[Any]:
        return self._next_call(messages[-1].text).pieces()


class MockLLM(Mock, LLM):
    """Is a text model that answers what it is told."""

    async def _acall(self, prompt: str, stop: Sequence[str] | None = None, **kwargs: Any) -> Any:
        return await self._next_call(prompt).whole()

    def _astream(self, prompt: str, stop: Sequence[str] | None = None, **kwargs: Any) -> AsyncIterator[Any]:
        return self._next_call(prompt).pieces()
