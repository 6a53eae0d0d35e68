"""What is measured: the guide's echo model and its native async twin.

They are written once; `Names` are the imports in which the two sides differ.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SLOW_SECONDS = 0.05
"""How long one call of the slow model blocks its thread."""
WIDE_CHARACTERS = 50
"""Length of a wide model's tokens."""
DEVICE_SECONDS = 0.004
"""How long the device answers one prompt."""
DEVICE_BATCH_SECONDS = 1.5 * DEVICE_SECONDS
"""How long it answers up to `DEVICE_BATCH` at once."""
DEVICE_BATCH = 16
"""How many prompts the device takes at once."""


def use_device(device: threading.Lock, prompts: list[str]) -> list[str]:
    """Answer prompts on a device that does one thing at a time."""
    with device:
        time.sleep(DEVICE_SECONDS if len(prompts) == 1 else DEVICE_BATCH_SECONDS)
    return prompts


class Model(Protocol):
    """The ways to call that both sides share; a chain has them too."""

    def invoke(self, input: Any, config: Any = None) -> Any:
        """One answer."""
        ...

    async def ainvoke(self, input: Any, config: Any = None) -> Any:
        """One answer, awaited."""
        ...

    def batch(self, inputs: list[Any]) -> list[Any]:
        """One answer for each input."""
        ...

    async def abatch(self, inputs: list[Any]) -> list[Any]:
        """One answer for each input, awaited."""
        ...

    def stream(self, input: Any, config: Any = None) -> Iterator[Any]:
        """The answer, token by token."""
        ...

    def astream(self, input: Any, config: Any = None) -> AsyncIterator[Any]:
        """The answer, token by token, for an async consumer."""
        ...

    def astream_events(self, input: Any, *, version: Any = "v2") -> AsyncIterator[Any]:
        """Everything that happens while the answer streams."""
        ...


class Counter(Protocol):
    """A handler that counts the tokens it is told."""

    tokens: int


@dataclass(frozen=True)
class Names:
    """The imports in which the two sides differ."""

    llm: Any
    generation_chunk: Any
    callback_handler: Any
    chat_prompt_template: Any
    runnable_parallel: Any
    cache: Any
    """Makes a cache in memory."""


@dataclass(frozen=True)
class Subject:
    """One side: its models, their chains, and a handler."""

    name: str
    """The distribution's name."""
    version: str
    """The installed version."""
    echo: Model
    """Sync hooks, one token for each character."""
    native: Model
    """The same with native async hooks."""
    wide: Model
    """Sync hooks, one token for every 50 characters."""
    native_wide: Model
    """The same with native async hooks."""
    slow: Model
    """Blocks its thread for 50 ms a call."""
    echo_chain: Model
    """`prompt | echo`."""
    native_chain: Model
    """`prompt | native`."""
    cached: Model
    """The echo model with a cache in memory."""
    native_cached: Model
    """The same with native async hooks."""
    parallel: Model
    """Two echo models at once, their answers joined."""
    native_parallel: Model
    """The same with native async hooks."""
    slow_parallel: Model
    """Eight models at once that block their thread for 50 ms, their answers joined."""
    device: Model
    """Answers on a device that does one thing at a time, one prompt after the other."""
    batching_device: Model
    """The same, and takes 16 prompts at once where the side has the means: for langchain-core the same as `device`."""
    counter: Counter
    """A sync callback handler."""

    async def at_once(self, model: Model, prompts: list[str]) -> list[str]:
        """Single calls of a model, all at once."""
        return await asyncio.gather(*(model.ainvoke(prompt) for prompt in prompts))

    @property
    def config(self) -> dict[str, Any]:
        """A call's config with the counter as its one handler."""
        return {"callbacks": [self.counter]}


def _sync_models(names: Names) -> tuple[type[Any], type[Any], type[Any]]:
    """The guide's class, the same with wide tokens, and a model that blocks."""
    generation_chunk = names.generation_chunk

    class Echo(names.llm):
        n: int

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            if stop is not None:
                raise ValueError("stop kwargs are not permitted.")
            return prompt[: self.n]

        def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
            for char in prompt[: self.n]:
                chunk = generation_chunk(text=char)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {"model_name": "CustomChatModel"}

        @property
        def _llm_type(self) -> str:
            return "custom"

    class Wide(Echo):
        def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
            for start in range(0, min(self.n, len(prompt)), WIDE_CHARACTERS):
                chunk = generation_chunk(text=prompt[start : start + WIDE_CHARACTERS])
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    class Slow(Echo):
        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            time.sleep(SLOW_SECONDS)
            return prompt[: self.n]

    return Echo, Wide, Slow


def _async_models(names: Names, echo: type[Any]) -> tuple[type[Any], type[Any]]:
    """The native async twins of the guide's class and of the wide one."""
    generation_chunk = names.generation_chunk

    class Native(echo):
        async def _acall(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            if stop is not None:
                raise ValueError("stop kwargs are not permitted.")
            return prompt[: self.n]

        async def _astream(
            self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> AsyncIterator[Any]:
            for char in prompt[: self.n]:
                chunk = generation_chunk(text=char)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    class NativeWide(Native):
        async def _astream(
            self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> AsyncIterator[Any]:
            for start in range(0, min(self.n, len(prompt)), WIDE_CHARACTERS):
                chunk = generation_chunk(text=prompt[start : start + WIDE_CHARACTERS])
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    return Native, NativeWide


def _device_models(names: Names) -> tuple[Any, Any]:
    """A model on a device without and with a batch hook."""
    device = threading.Lock()

    class Device(names.llm):
        @property
        def _llm_type(self) -> str:
            return "device"

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return use_device(device, [prompt])[0]

    class BatchingDevice(Device):
        def _batch(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> list[str]:
            return use_device(device, prompts)

    if "max_batch_size" not in names.llm.model_fields:
        return Device(), BatchingDevice()
    return Device(), BatchingDevice(max_batch_size=DEVICE_BATCH)


def _joined(answers: dict[str, str]) -> str:
    return "".join(answers.values())


def _subject(name: str, release: str, names: Names) -> Subject:
    class TokenCounter(names.callback_handler):
        tokens: int = 0

        def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            self.tokens += 1

    echo, wide, slow = _sync_models(names)
    native, native_wide = _async_models(names, echo)
    everything = 10_000_000
    prompt = names.chat_prompt_template.from_messages([("system", "you are a bot"), ("human", "{input}")])
    device, batching_device = _device_models(names)

    def at_once(model: Any, count: int) -> Any:
        return names.runnable_parallel({str(index): model for index in range(count)}) | _joined

    return Subject(
        name=name,
        version=release,
        echo=echo(n=everything),
        native=native(n=everything),
        wide=wide(n=everything),
        native_wide=native_wide(n=everything),
        slow=slow(n=everything),
        echo_chain=prompt | echo(n=everything),
        native_chain=prompt | native(n=everything),
        cached=echo(n=everything, cache=names.cache()),
        native_cached=native(n=everything, cache=names.cache()),
        parallel=at_once(echo(n=everything), 2),
        native_parallel=at_once(native(n=everything), 2),
        slow_parallel=at_once(slow(n=everything), 8),
        device=device,
        batching_device=batching_device,
        counter=TokenCounter(),
    )


def modelport_subject() -> Subject:
    """The models as a user of modelport writes them."""
    from modelport import (
        LLM,
        BaseCallbackHandler,
        ChatPromptTemplate,
        GenerationChunk,
        LRUCache,
        RunnableParallel,
        __version__,
    )

    return _subject(
        "modelport",
        __version__,
        Names(LLM, GenerationChunk, BaseCallbackHandler, ChatPromptTemplate, RunnableParallel, LRUCache),
    )


def langchain_subject() -> Subject:
    """The models as a user of langchain-core writes them."""
    from langchain_core.caches import InMemoryCache
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.language_models.llms import LLM
    from langchain_core.outputs import GenerationChunk
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnableParallel

    return _subject(
        "langchain-core",
        version("langchain-core"),
        Names(LLM, GenerationChunk, BaseCallbackHandler, ChatPromptTemplate, RunnableParallel, InMemoryCache),
    )
