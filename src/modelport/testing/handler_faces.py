"""The SDK's functions as the checks of handlers call them: by a name that is registered for one call."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from typing import Any, NamedTuple

from modelport import sdk
from modelport.registry.providers import register, unregister
from modelport.testing.gates import Gate, in_thread
from modelport.testing.handler_subject import MethodCall
from modelport.values.usage import Usage

MODEL = "the-model"
"""The name after the provider's, under which handlers are called."""


@contextmanager
def registered(handler: Any) -> Generator[str, None, None]:
    """Give the full name by which the SDK finds a handler, until the block ends."""
    provider = f"modelport-check-{uuid.uuid4().hex}"
    register(provider, handler)
    try:
        yield f"{provider}/{MODEL}"
    finally:
        unregister(provider)


class ChatFace(NamedTuple):
    """Is one way to call a chat by the SDK."""

    is_async: bool
    """Whether it is called on an event loop."""
    streams: bool
    """Whether it gives chunks."""
    way: str
    """The way to call a model that the same method answers."""


CHAT_FACES = {
    "completion": ChatFace(False, False, "invoke"),
    "acompletion": ChatFace(True, False, "ainvoke"),
    "completion-stream": ChatFace(False, True, "stream"),
    "acompletion-stream": ChatFace(True, True, "astream"),
}
"""All four, by the name that ids have."""
STREAM_FACES = ("completion-stream", "acompletion-stream")
"""Those that give chunks."""


class Seen(NamedTuple):
    """Is what a caller of the SDK saw of one answer."""

    texts: list[str]
    """The text of each choice."""
    finish_reasons: list[str | None]
    """Why each ended."""
    usage: Usage
    """The tokens of all."""
    chunks: list[Any]
    """The chunks, when it was streamed."""

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return self.texts[0]


async def ask(face: str, handler: Any, messages: list[Any], **given: Any) -> Seen:
    """Call a handler by the SDK; sync functions run in a thread of their own."""
    kind = CHAT_FACES[face]
    with registered(handler) as name:
        if not kind.streams:
            if kind.is_async:
                return _seen(await sdk.acompletion(name, messages, **given))
            return _seen(await in_thread(functools.partial(sdk.completion, name, messages, **given)))
        given = {"stream_options": {"include_usage": True}, **given}
        if kind.is_async:
            stream = await sdk.acompletion(name, messages, stream=True, **given)
            async with aclosing(stream):
                return _joined([chunk async for chunk in stream])

        def read() -> list[Any]:
            with closing(sdk.completion(name, messages, stream=True, **given)) as stream:
                return list(stream)

        return _joined(await in_thread(read))


def _seen(response: Any) -> Seen:
    choices = sorted(response.choices, key=lambda choice: choice.index)
    texts = [choice.message.content or "" for choice in choices]
    return Seen(texts, [choice.finish_reason for choice in choices], _usage(response.usage), [])


def _joined(chunks: list[Any]) -> Seen:
    texts: dict[int, str] = {}
    reasons: dict[int, str | None] = {}
    usage = Usage()
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            reasons[choice.index] = choice.finish_reason or reasons.get(choice.index)
        if chunk.get("usage") is not None:
            usage = _usage(chunk.usage)
    order = sorted(texts)
    return Seen([texts[index] for index in order], [reasons[index] for index in order], usage, chunks)


def _usage(value: Any) -> Usage:
    if value is None:
        return Usage()
    return Usage(value.prompt_tokens, value.completion_tokens, value.total_tokens)


async def call_function(name: str, handler: Any, **given: Any) -> Any:
    """Call one of the SDK's other functions, whose `model` is a handler."""
    function: Callable[..., Any] = getattr(sdk, name)
    with registered(handler) as model:
        if name.startswith("a"):
            return await function(model=model, **given)

        def call() -> Any:
            return function(model=model, **given)

        return await in_thread(call)


def scripted(call: MethodCall, pieces: list[Any]) -> Any:
    """Return some pieces as a chat method does: joined, or one by one."""
    if call.name.endswith("completion"):
        return "".join(pieces)
    return aiterate(pieces) if call.name == "astreaming" else iter(pieces)


def held(call: MethodCall, gate: Gate) -> Any:
    """Return an answer as a chat method does, once a gate is open."""
    if call.name == "completion":
        gate.wait()
        return "late"
    if call.name == "acompletion":
        return _late(gate)
    return _late_pieces(gate) if call.name == "streaming" else _alate_pieces(gate)


async def aiterate(pieces: list[Any]) -> AsyncIterator[Any]:
    """Yield pieces to an async consumer."""
    for piece in pieces:
        yield piece


async def _late(gate: Gate) -> str:
    await gate.wait_async()
    return "late"


def _late_pieces(gate: Gate) -> Iterator[str]:
    gate.wait()
    yield "late"


async def _alate_pieces(gate: Gate) -> AsyncIterator[str]:
    await gate.wait_async()
    yield "late"
