"""The inner things of compositions: functions and models, sync and async, whole and in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from modelport import (
    LLM,
    Runnable,
    RunnableLambda,
)
from modelport.testing.gates import Gate
from tests.runnables.failing import DownError


@dataclass
class Plan:
    """Says how a hook behaves, and notes its calls."""

    fails: int = 0
    """How often each prompt fails."""
    after: int = 0
    """How many pieces a stream gives before it fails."""
    gate: Gate | None = None
    """What a hook waits at."""
    entered: list[None] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        return len(self.entered)

    def enter(self) -> None:
        self.entered.append(None)
        if self.gate is not None:
            self.gate.wait()

    async def aenter(self) -> None:
        self.entered.append(None)
        if self.gate is not None:
            await self.gate.wait_async()

    def is_bad(self, prompt: str) -> bool:
        """Tell whether this call fails for this prompt, and count it."""
        self.failed[prompt] = self.failed.get(prompt, 0) + 1
        return self.failed[prompt] <= self.fails

    def answer(self, prompt: str) -> str:
        if self.is_bad(prompt):
            raise DownError(prompt)
        return prompt.upper()

    def answers(self, prompts: list[str]) -> list[Any]:
        return [DownError(prompt) if self.is_bad(prompt) else prompt.upper() for prompt in prompts]

    def pieces(self, prompt: str) -> Iterator[str]:
        bad = self.is_bad(prompt)
        yield from prompt.upper()[: self.after if bad else None]
        if bad:
            raise DownError(prompt)


class Call(LLM):
    plan: Any

    def _call(self, prompt: str) -> str:
        self.plan.enter()
        return self.plan.answer(prompt)


class Stream(LLM):
    plan: Any

    def _stream(self, prompt: str) -> Iterator[str]:
        self.plan.enter()
        yield from self.plan.pieces(prompt)


class AsyncCall(LLM):
    plan: Any

    async def _acall(self, prompt: str) -> str:
        await self.plan.aenter()
        return self.plan.answer(prompt)


class AsyncStream(LLM):
    plan: Any

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        await self.plan.aenter()
        for piece in self.plan.pieces(prompt):
            yield piece


class Batch(LLM):
    plan: Any

    def _batch(self, prompts: list[str]) -> list[Any]:
        self.plan.enter()
        return self.plan.answers(prompts)


class AsyncBatch(LLM):
    plan: Any

    async def _abatch(self, prompts: list[str]) -> list[Any]:
        await self.plan.aenter()
        return self.plan.answers(prompts)


def function(plan: Plan) -> Runnable[str, str]:
    def work(value: str) -> str:
        plan.enter()
        return plan.answer(value)

    return RunnableLambda(work)


def async_function(plan: Plan) -> Runnable[str, str]:
    async def work(value: str) -> str:
        await plan.aenter()
        return plan.answer(value)

    return RunnableLambda(work)


def generator_function(plan: Plan) -> Runnable[str, str]:
    def work(value: str) -> Iterator[str]:
        plan.enter()
        yield from plan.pieces(value)

    return RunnableLambda(work)


class Kind(NamedTuple):
    """Is one kind of inner thing."""

    make: Callable[[Plan], Runnable[str, str]]
    streams: bool = False
    together: bool = False
    """Whether one hook call answers many prompts."""


KINDS = {
    "function": Kind(function),
    "async_function": Kind(async_function),
    "generator_function": Kind(generator_function, streams=True),
    "llm_call": Kind(lambda plan: Call(plan=plan)),
    "llm_stream": Kind(lambda plan: Stream(plan=plan), streams=True),
    "llm_acall": Kind(lambda plan: AsyncCall(plan=plan)),
    "llm_astream": Kind(lambda plan: AsyncStream(plan=plan), streams=True),
    "llm_batch": Kind(lambda plan: Batch(plan=plan), together=True),
    "llm_abatch": Kind(lambda plan: AsyncBatch(plan=plan), together=True),
}
