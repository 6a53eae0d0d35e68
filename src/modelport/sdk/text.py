"""`text_completion` and `atext_completion`: OpenAI's older way to ask, one or several prompts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, Literal, cast, overload

from typing_extensions import override

from modelport.engine.call import Call
from modelport.engine.choices import arun_choices, run_choices
from modelport.engine.indexed_choices import astream_all_choices
from modelport.engine.streams import stream as stream_of
from modelport.sdk.calling import ModelCall, given_only
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
from modelport.sdk.stream import ChunkStream, choices_of
from modelport.values.errors import InputError
from modelport.wire.completion import now_seconds
from modelport.wire.text_chunks import TextChunks
from modelport.wire.text_completion import TextCompletion, new_text_completion_id
from modelport.wire.text_response import text_completion as text_completion_of

TextChunkStream = ChunkStream[TextCompletion]
"""What streams: its chunks are text completions with a piece of text."""


@overload
def text_completion(
    prompt: str | Sequence[str], model: str, *, stream: Literal[False] | None = False, **given: Any
) -> TextCompletion: ...
@overload
def text_completion(
    prompt: str | Sequence[str], model: str, *, stream: Literal[True], **given: Any
) -> TextChunkStream: ...
@overload
def text_completion(
    prompt: str | Sequence[str], model: str, *, stream: bool | None, **given: Any
) -> TextCompletion | TextChunkStream: ...
def text_completion(
    prompt: str | Sequence[str], model: str, *, stream: bool | None = False, **given: Any
) -> TextCompletion | TextChunkStream:
    """Return a model's continuation of a prompt, or of each of several, as OpenAI's text completion.

    Args:
        prompt: A text, or texts: the choices of all are numbered through.
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
    prompt: str | Sequence[str], model: str, *, stream: Literal[False] | None = False, **given: Any
) -> TextCompletion: ...
@overload
async def atext_completion(
    prompt: str | Sequence[str], model: str, *, stream: Literal[True], **given: Any
) -> TextChunkStream: ...
@overload
async def atext_completion(
    prompt: str | Sequence[str], model: str, *, stream: bool | None, **given: Any
) -> TextCompletion | TextChunkStream: ...
async def atext_completion(
    prompt: str | Sequence[str], model: str, *, stream: bool | None = False, **given: Any
) -> TextCompletion | TextChunkStream:
    """Return a model's continuation of a prompt, or its stream, on the running loop; see `text_completion`."""
    given = given_only(given)
    if is_resilient(given):
        attempts = _attempts(prompt, model, given)
        return attempts.stream() if stream else await attempts.aanswer()
    request = _TextRequest(prompt, model, given)
    return TextStream(request) if stream else await _aanswer(request)


def _attempts(prompt: Any, model: str, given: Mapping[str, Any]) -> Resilient:
    ways = Ways(
        lambda name, own: _answer(_TextRequest(prompt, name, own)),
        lambda name, own: _aanswer(_TextRequest(prompt, name, own)),
        lambda name, own: TextStream(_TextRequest(prompt, name, own)),
    )
    return resilient(model, given, ways)


class _TextRequest:
    """Is one request for the continuation of prompts."""

    def __init__(self, prompt: Any, model: str, given: Mapping[str, Any]) -> None:
        prompts: list[Any] = [prompt] if isinstance(prompt, str) else []
        if isinstance(prompt, (list, tuple)):
            prompts = list(cast("Sequence[Any]", prompt))
        if not prompts or not all(isinstance(one, str) for one in prompts):
            raise InputError("prompt must be a text, or a list of at least one text", param="prompt")
        self.n = count_of(given.get("n"))
        self.echoes: list[str] | None = prompts if given.get("echo") else None
        self.include_usage = include_usage_in(given)
        mock = mocked_model(model, given)
        own = {name: value for name, value in given.items() if name != "echo" and (mock is None or name in FOR_MOCKS)}
        self.call = ModelCall("chat", model, own, target=mock)
        # What does not fit the call is said here, as it is for a chat.
        self.calls: list[Call] = self.call.run(lambda: [self._call_of(one, own) for one in prompts])

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

    def response(self, outcomes: Sequence[Any]) -> TextCompletion:
        """Return the answer; the first failure is raised."""
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return text_completion_of(
            outcomes,
            completion_id=new_text_completion_id(),
            created=now_seconds(),
            model=self.call.name,
            echoes=self.echoes,
        )

    def chunks(self) -> TextChunks:
        """Return what makes the chunks."""
        return TextChunks(
            completion_id=new_text_completion_id(),
            created=now_seconds(),
            model=self.call.name,
            include_usage=self.include_usage,
            n=self.n,
            echoes=self.echoes,
        )


def _answer(request: _TextRequest) -> TextCompletion:
    return request.call.run(lambda: request.response(run_choices(request.calls, request.n)))


async def _aanswer(request: _TextRequest) -> TextCompletion:
    async def answered() -> TextCompletion:
        return request.response(await arun_choices(request.calls, request.n))

    return await request.call.arun(answered)


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
    chunks, n = request.chunks(), request.n
    try:
        for position, call in enumerate(request.calls):
            with closing(choices_of(call, n) if n > 1 else _alone(call)) as pieces:
                for index, piece in pieces:
                    yield from chunks.chunks(position * n + index, piece)
        yield from chunks.last_chunks()
    except Exception as error:
        failure = request.call.failure_of(error)
        if failure is error:
            raise
        raise failure from error


def _alone(call: Call) -> Generator[tuple[int, Any], None, None]:
    with closing(stream_of(call)) as pieces:
        for piece in pieces:
            yield 0, piece


async def _achunks(request: _TextRequest) -> AsyncGenerator[TextCompletion, None]:
    chunks, n = request.chunks(), request.n
    try:
        for position, call in enumerate(request.calls):
            async with aclosing(astream_all_choices(call, n)) as pieces:
                async for index, piece in pieces:
                    for chunk in chunks.chunks(position * n + index, piece):
                        yield chunk
        for chunk in chunks.last_chunks():
            yield chunk
    except Exception as error:
        failure = request.call.failure_of(error)
        if failure is error:
            raise
        raise failure from error
