"""Asks a model of the command line, on a loop: one answer whole, in pieces, as vectors or as images."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from modelport.cli.addresses import Addressed
from modelport.values.errors import (
    InputError,
    KeywordError,
    LoadError,
    MissingExtraError,
    ModelNotFoundError,
    ModelportError,
)

if TYPE_CHECKING:
    from modelport.sdk.request import ChatRequest
    from modelport.wire.completion import ChatCompletion
    from modelport.wire.completion_chunk import ChatCompletionChunk

T = TypeVar("T")
Message = dict[str, str]
"""`role` and `content`, as OpenAI has them."""

ENDING_SECONDS = 2.0
"""How long a hook that was told to stop may go on before the command ends without it."""
_MISTAKES = (InputError, KeywordError, LoadError, MissingExtraError, ModelNotFoundError)
"""What is the user's to mend, and not the model's failure."""


def request_of(addressed: Addressed, messages: Sequence[Message], given: Mapping[str, Any]) -> ChatRequest:
    """Return what is asked of a model.

    A text model without a chat template is given a lone prompt as it is, as `model.invoke(prompt)` gives it.

    Args:
        addressed: The model.
        messages: The conversation.
        given: `stop`, `max_tokens` and the like, and parameters of the call.
    """
    from modelport.models.llm import LLM
    from modelport.sdk.failures import sdk_error
    from modelport.sdk.request import chat_request

    target, asked = addressed.target, {**addressed.params, **given}
    try:
        request = chat_request(target, messages, asked)
    except Exception as error:
        # A handler that has no method for it says so by an error of its own.
        failure = sdk_error(error, target.source, name=target.model, provider=target.provider, given=asked)
        if failure is error:
            raise
        raise failure from error
    is_prompt = len(messages) == 1 and messages[0]["role"] == "user"
    if is_prompt and isinstance(request.model, LLM) and request.model.chat_template is None:
        request.argument, request.made_call = messages[0]["content"], None
    return request


async def chunks_of(
    addressed: Addressed, messages: Sequence[Message], given: Mapping[str, Any]
) -> AsyncGenerator[ChatCompletionChunk, None]:
    """Stream an answer; the last chunk has the usage. Closing this stops the model."""
    from modelport.sdk.stream import CompletionStream

    asked = {**given, "stream_options": {"include_usage": True}}
    async with aclosing(CompletionStream(request_of(addressed, messages, asked), asked)) as chunks:
        async for chunk in chunks:
            yield chunk


async def answer_of(addressed: Addressed, messages: Sequence[Message], given: Mapping[str, Any]) -> ChatCompletion:
    """Return a whole answer."""
    from modelport.sdk.chat import aanswer

    return await aanswer(request_of(addressed, messages, given))


async def vectors_of(addressed: Addressed, texts: Sequence[str]) -> Any:
    """Return the embeddings of texts, as OpenAI's object."""
    from modelport.sdk.calling import ModelCall
    from modelport.sdk.request import handler_request, own_keywords
    from modelport.wire.embedding_response import embedding_response

    call = ModelCall("embedding", addressed.target.model, addressed.params, target=addressed.target)
    if call.target.source.is_handler:
        keywords: dict[str, Any] = {"request": handler_request(call.target, None, addressed.params)}
    else:
        keywords = own_keywords(call.model, addressed.params)
    result = await call.arun(lambda: call.model.aembed(list(texts), **keywords))
    return embedding_response(result, model=call.name, encoding_format="float")


async def images_of(addressed: Addressed, prompt: str) -> Any:
    """Return images of a prompt, as OpenAI's object: those that are here in base64, all others as addresses."""
    from modelport.sdk.calling import ModelCall
    from modelport.sdk.request import handler_request, own_keywords
    from modelport.wire.image_response import image_response

    call = ModelCall("image", addressed.target.model, addressed.params, target=addressed.target)
    if call.target.source.is_handler:
        keywords: dict[str, Any] = {"request": handler_request(call.target, None, addressed.params)}
    else:
        keywords = own_keywords(call.model, addressed.params)
    return image_response(await call.arun(lambda: call.model.agenerate_images(prompt, **keywords)))


async def unloading(addressed: Addressed, work: Coroutine[Any, Any, T]) -> T:
    """Do what calls a model, and unload it at the end, where it was loaded."""
    try:
        return await work
    finally:
        await unload(addressed)


async def unload(addressed: Addressed) -> None:
    """Let a model's hooks end that were told to stop, and run its `_unload`, where it has one and was loaded."""
    from modelport.registry.provider import HandlerProvider, ModelProvider

    # Those of other providers hold nothing, and are many.
    if not isinstance(addressed.target.source, (ModelProvider, HandlerProvider)):
        return
    for kind in ("chat", "embedding", "image"):
        with contextlib.suppress(Exception):  # it has none of that kind, or its hooks go on
            model = addressed.target.model_for(kind)
            await asyncio.to_thread(_let_hooks_end, model)
            await model.aunload()


def _let_hooks_end(model: Any) -> None:
    """Wait until no hook of a model's runs in a thread: a thread that is left alone at exit never cleans up.

    Raises:
        ModelTimeoutError: They go on for too long.
    """
    from modelport.engine.state import WORKER_LIMIT, state_of

    workers = state_of(model).workers
    if workers is None:
        return
    deadline = time.monotonic() + ENDING_SECONDS
    for _ in range(WORKER_LIMIT):
        workers.acquire(deadline)
    for _ in range(WORKER_LIMIT):
        workers.release()


def is_mistake(error: ModelportError) -> bool:
    """Tell whether an error is the user's to mend, and not a failure of the model."""
    return isinstance(error, _MISTAKES) and error.__cause__ is None


def failure_of(error: ModelportError) -> str:
    """Return what is said of an error, with the line of the author's code that raised it."""
    return str(error) if is_mistake(error) else f"the model failed: {error}{_place_of(error.__cause__)}"


def _place_of(cause: BaseException | None) -> str:
    from modelport.registry.loader import described

    place = re.search(r" \([^()]+, line \d+\)$", described(cause)) if cause is not None else None
    return place[0] if place is not None else ""
