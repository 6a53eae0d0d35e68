"""`text_completion` and `atext_completion`: OpenAI's older way to ask, one or several prompts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, Literal, cast, overload

from typing_extensions import override

from modelport.engine.call import Call
from modelport.engine.workers import call_in_worker
from modelport.models.token_ids import has_token_ids, texts_of
from modelport.sdk.calling import ModelCall, given_only
from modelport.sdk.continuation import Continuation
from modelport.sdk.mocks import mocked_model
from modelport.sdk.request import (
    FOR_MOCKS,
    count_of,
    handler_request,
    include_usage_in,
    limit_in,
    own_keywords,
    scope_in,
)
from modelport.sdk.resilience import Resilient, Ways, is_resilient, resilient
from modelport.sdk.stream import ChunkStream
from modelport.wire.request_fields import input_list
from modelport.wire.text_completion import TextCompletion

Prompt = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]
"""A text, texts, the token ids of one text, or of several."""
TextChunkStream = ChunkStream[TextCompletion]
"""What streams: its chunks are text completions with a piece of text."""


@overload
def text_completion(
    prompt: Prompt, model: str, *, stream: Literal[False] | None = False, **given: Any
) -> TextCompletion: ...
@overload
def text_completion(prompt: Prompt, model: str, *, stream: Literal[True], **given: Any) -> TextChunkStream: ...
@overload
def text_completion(
    prompt: Prompt, model: str, *, stream: bool | None, **given: Any
) -> TextCompletion | TextChunkStream: ...
def text_completion(
    prompt: Prompt, model: str, *, stream: bool | None = False, **given: Any
) -> TextCompletion | TextChunkStream:
    """Return a model's continuation of a prompt, or of each of several, as OpenAI's text completion.

    Args:
        prompt: A text, texts, the token ids of one text, or of several: the choices of all are numbered through. A
            model needs a `_decode_tokens(ids) -> str` for token ids.
        model: `provider/name`.
        stream: True: a stream of chunks, to be iterated with `for` or `async for`: one prompt after the other, the
            choices of each at once.
        **given: As for `completion`; `echo=True` puts the prompt before each choice.

    Raises:
        ModelportError: One class per status, with the model's own exception as `__cause__`.
    """
    given = given_only(given)
    if is_resilient(given):
        attempts = _attempts(prompt, model, given)
        return attempts.stream() if stream else attempts.answer()
    request = _TextRequest(prompt, model, given)
    return TextStream(request) if stream else _answer(request)


@overload
async def atext_completion(
    prompt: Prompt, model: str, *, stream: Literal[False] | None = False, **given: Any
) -> TextCompletion: ...
@overload
async def atext_completion(prompt: Prompt, model: str, *, stream: Literal[True], **given: Any) -> TextChunkStream: ...
@overload
async def atext_completion(
    prompt: Prompt, model: str, *, stream: bool | None, **given: Any
) -> TextCompletion | TextChunkStream: ...
async def atext_completion(
    prompt: Prompt, model: str, *, stream: bool | None = False, **given: Any
) -> TextCompletion | TextChunkStream:
    """Return a model's continuation of a prompt, or its stream, on the running loop; see `text_completion`."""
    given = given_only(given)
    if is_resilient(given):
        attempts = _attempts(prompt, model, given)
        return attempts.stream() if stream else await attempts.aanswer()
    if has_token_ids(prompt):
        request = await call_in_worker(lambda: _TextRequest(prompt, model, given))
    else:
        request = _TextRequest(prompt, model, given)
    return TextStream(request) if stream else await _aanswer(request)


def _attempts(prompt: Any, model: str, given: Mapping[str, Any]) -> Resilient:
    ways = Ways(
        lambda name, own: _answer(_TextRequest(own.pop("prompt", prompt), name, own)),
        lambda name, own: _aanswer(_TextRequest(own.pop("prompt", prompt), name, own)),
        lambda name, own: TextStream(_TextRequest(own.pop("prompt", prompt), name, own)),
    )
    return resilient(model, given, ways)


class _TextRequest:
    """Is one request for the continuation of prompts."""

    def __init__(self, prompt: Any, model: str, given: Mapping[str, Any]) -> None:
        prompts = input_list(list(cast("Any", prompt)) if isinstance(prompt, tuple) else prompt, "prompt")
        n, include_usage = count_of(given.get("n")), include_usage_in(given)
        mock = mocked_model(model, given)
        own = {name: value for name, value in given.items() if name != "echo" and (mock is None or name in FOR_MOCKS)}
        self.call = ModelCall("chat", model, own, target=mock)
        # What does not fit the call is said here, as it is for a chat.
        texts = self.call.run(lambda: texts_of(self.call.model, prompts, "prompt"))
        calls = self.call.run(lambda: [self._call_of(one, own) for one in texts])
        self.work = Continuation(
            calls,
            n,
            name=self.call.name,
            echoes=texts if given.get("echo") else None,
            include_usage=include_usage,
        )

    def _call_of(self, prompt: str, given: Mapping[str, Any]) -> Call:
        model = self.call.model
        if self.call.target.source.is_handler:
            messages = [{"role": "user", "content": prompt}]
            kwargs: Mapping[str, Any] = {"request": handler_request(self.call.target, messages, given)}
        else:
            kwargs = own_keywords(model, given)
        return Call(
            model,
            model.argument_of(prompt),
            scope=scope_in(given),
            stop=given.get("stop"),
            include_stop=False,
            max_tokens=limit_in(given),
            kwargs=kwargs,
        )


def _answer(request: _TextRequest) -> TextCompletion:
    return request.call.run(request.work.run)


async def _aanswer(request: _TextRequest) -> TextCompletion:
    return await request.call.arun(request.work.arun)


class TextStream(ChunkStream[TextCompletion]):
    """Streams the continuations of one request's prompts."""

    def __init__(self, request: _TextRequest) -> None:
        super().__init__()
        self._request = request

    @override
    def _sync(self) -> Generator[TextCompletion, None, None]:
        return _chunks(self._request)

    @override
    def _async(self) -> AsyncGenerator[TextCompletion, None]:
        return _achunks(self._request)


def _chunks(request: _TextRequest) -> Generator[TextCompletion, None, None]:
    chunks = request.work.new_chunks()
    try:
        with closing(request.work.pieces()) as pieces:
            for index, piece in pieces:
                yield from chunks.chunks(index, piece)
        yield from chunks.last_chunks()
    except Exception as error:
        failure = request.call.failure_of(error)
        if failure is error:
            raise
        raise failure from error


async def _achunks(request: _TextRequest) -> AsyncGenerator[TextCompletion, None]:
    chunks = request.work.new_chunks()
    try:
        async with aclosing(request.work.apieces()) as pieces:
            async for index, piece in pieces:
                for chunk in chunks.chunks(index, piece):
                    yield chunk
        for chunk in chunks.last_chunks():
            yield chunk
    except Exception as error:
        failure = request.call.failure_of(error)
        if failure is error:
            raise
        raise failure from error
