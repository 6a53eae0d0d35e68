"""Text and chat models to test your own code with: an echo, a script, one that fails, one that waits until you say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar

from pydantic import PrivateAttr

from modelport.models.chat import ChatModel
from modelport.models.llm import LLM
from modelport.testing.gates import Gate
from modelport.values.generations import GenerationChunk
from modelport.values.messages import AIMessage, AIMessageChunk, Message


class EchoLLM(LLM):
    """Answers with the prompt itself, in pieces of `size` characters."""

    size: int = 1
    """Characters of one piece."""

    def _stream(self, prompt: str) -> Iterator[GenerationChunk]:
        for start in range(0, len(prompt), self.size):
            yield GenerationChunk(text=prompt[start : start + self.size])


class EchoChatModel(ChatModel):
    """Answers with the last message's text, in pieces of `size` characters."""

    size: int = 1
    """Characters of one piece."""

    async def _astream(self, messages: list[Message]) -> AsyncIterator[AIMessageChunk]:
        text = messages[-1].text
        for start in range(0, len(text), self.size):
            yield AIMessageChunk(content=text[start : start + self.size])


class ScriptedLLM(LLM):
    """Gives its answers in turn, and starts anew after the last; each answer is a text or a list of pieces."""

    answers: list[str | list[str]]
    """What is answered to the first call, the second, …"""
    deterministic: ClassVar[bool] = False

    _prompts: list[str] = PrivateAttr(default_factory=list[str])

    @property
    def prompts(self) -> list[str]:
        """What the model was asked so far."""
        return self._prompts

    def _stream(self, prompt: str) -> Iterator[str]:
        answer = self.answers[len(self._prompts) % len(self.answers)]
        self._prompts.append(prompt)
        yield from [answer] if isinstance(answer, str) else answer


class ScriptedChatModel(ChatModel):
    """Gives its answers in turn, and starts anew after the last; each is a text, a list of pieces, or a message."""

    answers: list[str | list[str] | AIMessage]
    """What is answered to the first call, the second, …; a message may have tool calls."""
    deterministic: ClassVar[bool] = False

    _asked: list[list[Message]] = PrivateAttr(default_factory=list[list[Message]])

    @property
    def asked(self) -> list[list[Message]]:
        """What the model was asked so far: the messages of each call."""
        return self._asked

    def _stream(self, messages: list[Message], tools: Any = None) -> Iterator[str | AIMessage]:
        answer = self.answers[len(self._asked) % len(self.answers)]
        self._asked.append(messages)
        yield from answer if isinstance(answer, list) else [answer]


class FailingLLM(LLM):
    """Raises `error`, after some pieces when there are any."""

    error: Exception
    """What is raised."""
    pieces: Sequence[str] = ()
    """What comes before the failure."""

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from self.pieces
        raise self.error


class SlowLLM(LLM):
    """Waits before each piece until `release()` is called; no clock is involved."""

    pieces: list[str]
    """What is answered, in the end."""

    _gate: Gate = PrivateAttr(default_factory=Gate)
    _started: Gate = PrivateAttr(default_factory=Gate)

    def release(self) -> None:
        """Let this and all later calls go on."""
        self._gate.open()

    async def wait_until_called(self) -> None:
        """Wait until the model was called at least once."""
        await self._started.wait_async()

    def _stream(self, prompt: str, run_manager: Any = None) -> Iterator[str]:
        self._started.open()
        for piece in self.pieces:
            self._gate.wait()
            yield piece
