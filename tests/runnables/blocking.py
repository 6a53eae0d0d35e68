"""What blocks at a gate, and keeps to no deadline by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from modelport import (
    LLM,
    Runnable,
    RunnableLambda,
    StrOutputParser,
)
from modelport.testing.gates import Gate


class Own(Runnable[str, str]):
    """Is a runnable of somebody else's, with an `invoke` that blocks."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        self.gate.wait(30)
        return input.upper()


class OwnBatch(Own):
    """Has a batch of its own, too."""

    def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
        self.gate.wait(30)
        return [value.upper() for value in inputs]

    async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
        await self.gate.wait_async(30)
        return [value.upper() for value in inputs]


class OwnStream(Own):
    """Streams, too: blocks before its first piece or after it."""

    def __init__(self, gate: Gate, *, after_first: bool = False) -> None:
        super().__init__(gate)
        self.after_first = after_first

    def stream(self, input: str, config: Any = None, **kwargs: Any) -> Iterator[str]:
        if self.after_first:
            yield input[:1].upper()
        self.gate.wait(30)
        yield input[self.after_first :].upper()

    async def astream(self, input: str, config: Any = None, **kwargs: Any) -> AsyncIterator[str]:
        if self.after_first:
            yield input[:1].upper()
        await self.gate.wait_async(30)
        yield input[self.after_first :].upper()

    async def ainvoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        await self.gate.wait_async(30)
        return input.upper()


class Blocking(LLM):
    gate: Any

    def _call(self, prompt: str) -> str:
        self.gate.wait(30)
        return prompt.upper()


class BlockingStream(LLM):
    gate: Any

    def _stream(self, prompt: str) -> Iterator[str]:
        self.gate.wait(30)
        yield prompt.upper()


class BlockingBatch(LLM):
    gate: Any

    def _batch(self, prompts: list[str]) -> list[str]:
        self.gate.wait(30)
        return [prompt.upper() for prompt in prompts]


class AsyncBlocking(LLM):
    gate: Any

    async def _acall(self, prompt: str) -> str:
        await self.gate.wait_async(30)
        return prompt.upper()


class AsyncBlockingStream(LLM):
    gate: Any

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        await self.gate.wait_async(30)
        yield prompt.upper()


def blocking_function(gate: Gate) -> Any:
    def blocks(value: str) -> str:
        gate.wait(30)
        return value.upper()

    return RunnableLambda(blocks)


def async_function(gate: Gate) -> Any:
    async def blocks(value: str) -> str:
        await gate.wait_async(30)
        return value.upper()

    return RunnableLambda(blocks)


def generator_function(gate: Gate) -> Any:
    def blocks(value: str) -> Iterator[str]:
        gate.wait(30)
        yield value.upper()

    return RunnableLambda(blocks)


BLOCKING: dict[str, Callable[[Gate], Any]] = {
    "function": blocking_function,
    "async-function": async_function,
    "generator-function": generator_function,
    "own": Own,
    "own-batch": OwnBatch,
    "own-stream": OwnStream,
    "own-in-a-chain": lambda gate: RunnableLambda(str.lower) | Own(gate),
    "bound-own": lambda gate: Own(gate).bind(),
    "llm-call": lambda gate: Blocking(gate=gate),
    "llm-stream": lambda gate: BlockingStream(gate=gate),
    "llm-batch": lambda gate: BlockingBatch(gate=gate),
    "llm-acall": lambda gate: AsyncBlocking(gate=gate),
    "llm-astream": lambda gate: AsyncBlockingStream(gate=gate),
    "chain": lambda gate: RunnableLambda(str.lower) | Blocking(gate=gate) | StrOutputParser(),
    "retried": lambda gate: Own(gate).with_retry(),
    "with-fallbacks": lambda gate: Own(gate).with_fallbacks([RunnableLambda(str.lower)]),
}
