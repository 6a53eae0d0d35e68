"""Reading what handlers return and yield: OpenAI's and LiteLLM's shapes, as engine answers and chunks."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import closing
from typing import Any

from msgspec.structs import astuple
from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.engine.reading import hint_for, shown
from modelport.values.errors import HookError
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import AIMessage
from modelport.values.usage import Usage, usage_from
from modelport.wire.completion import ChatCompletion, Choice, CompletionUsage, ResponseMessage
from modelport.wire.finish import FINISH_REASONS
from modelport.wire.received import BadResponseError, field_of
from modelport.wire.received_chunks import ReceivedChunks
from modelport.wire.received_messages import generations_of


def answer_of(value: Any, label: str) -> Any:
    """Return what `completion` returned as the engine reads it: text, a generation, or a list of several choices.

    Raises:
        HookError: It is nothing of the kind.
    """
    if value.__class__ is ChatCompletion and (plain := _plain_answer(value)) is not None:
        return plain
    if isinstance(value, (str, bytes, Generation)):
        return value
    if field_of(value, "choices") is None:
        if isinstance(value, Mapping) and "text" in value:
            chunk = ChunkReader(label).read(value)[0]  # LiteLLM's generic chunk, whole
            return Generation(chunk.text, chunk.finish_reason, chunk.usage, None, chunk.tool_calls)
        if value is None or isinstance(value, (Mapping, int, float)) or _is_generator(value):
            raise HookError(_no_answer(value, label))
        return value  # one of our results, or an error that the engine tells
    try:
        answers = generations_of(value)
    except BadResponseError as error:
        raise HookError(f"{label} returned a response that cannot be read: {error}") from error
    if not answers:
        raise HookError(f"{label} returned a response without choices")
    return answers[0] if len(answers) == 1 else answers


def _is_generator(value: Any) -> bool:
    """Tell whether a value is a generator, sync or async."""
    return inspect.isgenerator(value) or inspect.isasyncgen(value)


def _no_answer(value: Any, label: str) -> str:
    hint = "; a method that yields is `streaming` or `astreaming`" if _is_generator(value) else hint_for(value)
    return (
        f"{label} returned {shown(value)}; it must return a ModelResponse, such as the `model_response` that it gets, "
        f"a dict with 'choices' like OpenAI's, or a text{hint}"
    )


def _plain_answer(value: ChatCompletion) -> Generation | None:
    """Return the answer of a chat completion that is one choice of nothing but text, as most are; None of any other."""
    text = plain_text(value)
    if text is None:
        return None
    choice = value.choices[0]
    return Generation(text, choice.finish_reason, usage_in(value), choice.logprobs)


def plain_text(value: ChatCompletion) -> str | None:
    """Return the text of a chat completion that is one choice of nothing but text; None of any other."""
    choices = value.choices
    if len(choices) != 1 or (choice := choices[0]).__class__ is not Choice:
        return None
    message = choice.message
    if message.__class__ is not ResponseMessage or message.__dict__:
        return None
    _, content, refusal, reasoning, tool_calls, function_call = astuple(message)  # faster than one by one
    if content.__class__ is not str or refusal or reasoning or tool_calls or function_call:
        return None
    return content


def usage_in(value: ChatCompletion) -> Usage | None:
    """Return the usage that a handler has given; None when it is as it was, for nobody counted."""
    usage: Any = value.usage
    if usage is None or (usage.__class__ is CompletionUsage and not usage.total_tokens):
        return None
    return usage_from(usage)


def filled_text(value: ChatCompletion) -> str | None:
    """Return the text that was filled into a fresh completion; None when there is more to it than OpenAI's text."""
    text = plain_text(value)
    if text is None or value.system_fingerprint is not None or value.__dict__:
        return None
    choice = value.choices[0]
    if choice.finish_reason not in FINISH_REASONS or choice.logprobs is not None or choice.index or choice.__dict__:
        return None
    return text


def is_one_chunk(value: Any) -> bool:
    """Tell whether a streaming method returned a chunk itself, where an iterator is meant (the guide's does)."""
    if isinstance(value, (str, bytes, bytearray, Mapping, Generation, GenerationChunk, AIMessage)):
        return True
    return field_of(value, "choices") is not None and not hasattr(value, "__next__")


NO_TOKENS = {"completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0}
"""The usage that LiteLLM's chunks carry when nobody counted."""


class ChunkReader:
    """Turns one stream's chunks into the engine's; of several choices the first one is read."""

    __slots__ = ("_label", "_received")

    def __init__(self, label: str) -> None:
        self._label = label
        self._received = ReceivedChunks()

    def read(self, value: Any) -> list[Any]:
        """Return the engine's chunks of one of the handler's.

        Raises:
            HookError: It is none.
        """
        kind = value.__class__
        if kind is dict and not value.get("tool_use") and (text := value.get("text")).__class__ is str:
            usage = value.get("usage")
            if (usage is None or usage == NO_TOKENS) and not (value.get("finish_reason") or value.get("is_finished")):
                return [GenerationChunk(text)] if not value.get("index") else []
        elif kind is str:
            return [GenerationChunk(value)]
        elif isinstance(value, (bytes, bytearray, Generation, AIMessage)):
            return [value]  # the engine reads these itself
        try:
            return [chunk for index, chunk in self._received.read(value) if not index]
        except BadResponseError as error:
            raise HookError(f"{self._label} yielded a chunk that cannot be read: {error}") from error


class IndexedReader(ChunkReader):
    """Turns one stream's chunks into the engine's, each with the index of its choice."""

    __slots__ = ()

    @override
    def read(self, value: Any) -> list[Any]:
        if isinstance(value, (bytes, bytearray, Generation, AIMessage)):
            return [(0, value)]
        try:
            return list(self._received.read(value))
        except BadResponseError as error:
            raise HookError(f"{self._label} yielded a chunk that cannot be read: {error}") from error


def chunks_of(value: Any, label: str, *, indexed: bool = False) -> Generator[Any, None, None]:
    """Yield the chunks of what a sync streaming method returned; closing it closes the method's generator.

    Args:
        value: What it returned.
        label: `Class.method`, for the error.
        indexed: Whether each chunk comes with the index of its choice; else those of choice 0 come.

    Raises:
        HookError: It is no chunk, iterator or generator of chunks.
    """
    if inspect.iscoroutine(value):
        value.close()
        raise HookError(f"{label} is `async def`; name it {label.rpartition('.')[0]}.astreaming, or make it `def`")
    reader = IndexedReader(label) if indexed else ChunkReader(label)
    if is_one_chunk(value):
        yield from reader.read(value)
        return
    if not hasattr(value, "__iter__"):
        raise HookError(f"{label} returned {shown(value)}; it must yield chunks, or return an iterator of them")
    iterator = iter(value)
    try:
        for one in iterator:
            if one.__class__ is GenerationChunk and not indexed:
                yield one
            else:
                yield from reader.read(one)
    finally:
        close_quietly(iterator)


async def achunks_of(value: Any, label: str, *, indexed: bool = False) -> AsyncGenerator[Any, None]:
    """Yield the chunks of what an async streaming method returned, or its coroutine; the arguments are `chunks_of`'s.

    Raises:
        HookError: It is no chunk, iterator or generator of chunks.
    """
    if inspect.isawaitable(value):
        value = await value
    reader = IndexedReader(label) if indexed else ChunkReader(label)
    if not hasattr(value, "__aiter__"):
        # A sync iterator: it runs on the handler's own loop, where it holds up nobody else.
        with closing(chunks_of(value, label, indexed=indexed)) as chunks:
            for chunk in chunks:
                yield chunk
        return
    iterator = value.__aiter__()
    try:
        async for one in iterator:
            for chunk in reader.read(one):
                yield chunk
    finally:
        await aclose_quietly(iterator)


async def whole_of(value: Any, label: str) -> Any:
    """Return the answer of what an async method returned: awaited, when it is to be."""
    return answer_of(await value if inspect.isawaitable(value) else value, label)
