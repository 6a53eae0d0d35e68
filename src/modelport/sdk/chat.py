"""`completion` and `acompletion`: one answer, or its stream, by a model's `provider/name`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from modelport.engine.answers import arun, run
from modelport.engine.bare import arun_bare, run_bare
from modelport.engine.choices import arun_choices, run_choices
from modelport.models.handler_calls import HandlerRequest
from modelport.registry.providers import resolve
from modelport.sdk.calling import given_only
from modelport.sdk.failures import sdk_error
from modelport.sdk.mocks import choices_of_mock, mocked_model
from modelport.sdk.request import FOR_MOCKS, ChatRequest, chat_request, target_of
from modelport.sdk.stream import ChunkStream, CompletionStream
from modelport.values.generations import Generation
from modelport.wire.chat_response import chat_completion
from modelport.wire.completion import ChatCompletion, new_completion_id, now_seconds
from modelport.wire.completion_chunk import ChatCompletionChunk

if TYPE_CHECKING:
    from modelport.sdk.resilience import Resilient

ChatStream = ChunkStream[ChatCompletionChunk]
"""What streams an answer."""


@overload
def completion(
    model: str, messages: Sequence[Any] | None = None, *, stream: Literal[False] | None = False, **given: Any
) -> ChatCompletion: ...
@overload
def completion(
    model: str, messages: Sequence[Any] | None = None, *, stream: Literal[True], **given: Any
) -> ChatStream: ...
@overload
def completion(
    model: str, messages: Sequence[Any] | None = None, *, stream: bool | None, **given: Any
) -> ChatCompletion | ChatStream: ...
def completion(
    model: str, messages: Sequence[Any] | None = None, *, stream: bool | None = False, **given: Any
) -> ChatCompletion | ChatStream:
    """Return a model's answer as OpenAI's chat completion, or a stream of its chunks.

    Args:
        model: `provider/name`: a registered model or handler, an entry point, or `openai/…`, `mock/…`.
        messages: OpenAI's dicts, or our messages; none at all is an empty conversation.
        stream: True: a stream, to be iterated with `for` or `async for`, and closed when it is left early.
        **given: What is enforced for every model: `stop`, `max_tokens` (or `max_completion_tokens`), `n`, `timeout`
            and `first_token_timeout` in seconds, `num_retries` (0 unless given), `fallbacks` (names, or dicts with
            `model` and what else differs). What goes to the model: `api_key`, `base_url` (or `api_base`), `headers`,
            and all other parameters under their own names; one that it does not take is an error unless
            `drop_params=True`. `stream_options={"include_usage": True}` asks for a last chunk with usage.
            `mock_response` answers in the model's place. `config` is a `RunnableConfig`, with callbacks and the like.

    Raises:
        ModelportError: One class per status (`status_code`), with the model's own exception as `__cause__`.
    """
    if given:
        given = given_only(given)
        if "num_retries" in given or "fallbacks" in given:
            attempts = _attempts(model, messages, given)
            return attempts.stream() if stream else attempts.answer()
    request = request_of(model, messages, given)
    return CompletionStream(request, given) if stream else answer(request)


@overload
async def acompletion(
    model: str, messages: Sequence[Any] | None = None, *, stream: Literal[False] | None = False, **given: Any
) -> ChatCompletion: ...
@overload
async def acompletion(
    model: str, messages: Sequence[Any] | None = None, *, stream: Literal[True], **given: Any
) -> ChatStream: ...
@overload
async def acompletion(
    model: str, messages: Sequence[Any] | None = None, *, stream: bool | None, **given: Any
) -> ChatCompletion | ChatStream: ...
async def acompletion(
    model: str, messages: Sequence[Any] | None = None, *, stream: bool | None = False, **given: Any
) -> ChatCompletion | ChatStream:
    """Return a model's answer, or its stream, on the running loop; see `completion`."""
    if given:
        given = given_only(given)
        if "num_retries" in given or "fallbacks" in given:
            attempts = _attempts(model, messages, given)
            return attempts.stream() if stream else await attempts.aanswer()
    request = request_of(model, messages, given)
    return CompletionStream(request, given) if stream else await aanswer(request)


def _attempts(model: str, messages: Sequence[Any] | None, given: Mapping[str, Any]) -> Resilient:
    from modelport.sdk.resilience import Ways, resilient

    ways = Ways(
        lambda name, own: answer(request_of(name, own.pop("messages", messages), own)),
        lambda name, own: aanswer(request_of(name, own.pop("messages", messages), own)),
        lambda name, own: CompletionStream(request_of(name, own.pop("messages", messages), own), own),
    )
    return resilient(model, given, ways)


def request_of(model: str, messages: Sequence[Any] | None, given: Mapping[str, Any]) -> ChatRequest:
    """Return a request; with `mock_response` any name is taken, and the mock answers.

    Raises:
        ModelportError: The request is wrong, or there is no such model.
    """
    if given and (mock := mocked_model(model, given)) is not None:
        own = {name: given[name] for name in given if name in FOR_MOCKS}
        own.setdefault("n", choices_of_mock(mock))
        return chat_request(mock, messages or [], own)
    target = target_of(model, given) if given else resolve(model)
    try:
        return chat_request(target, messages or [], given)
    except Exception as error:
        # A handler that has no method for it says so by an error of its own.
        failure = sdk_error(error, target.source, name=target.model, provider=target.provider, given=given)
        if failure is error:
            raise
        raise failure from error


def answer(request: ChatRequest) -> ChatCompletion:
    """Return the answer to a request."""
    try:
        # Most callers give nothing else: then the hook alone may be enough.
        bare: Any = None if request.given else _bare(request)
        if bare.__class__ is ChatCompletion:
            bare.model = request.name
            return bare
        if bare is not None:
            answers = [bare]
        elif request.n == 1:
            answers = [run(request.call)]
        else:
            answers = _all(run_choices([request.call], request.n))
    except Exception as error:
        failure = request.failure_of(error)
        if failure is error:
            raise
        raise failure from error
    return _completion(request, answers)


def _bare(request: ChatRequest) -> Any:
    """Return what the hook alone answers: a generation, a handler's own completion, or None when it takes more."""
    asked = request.kwargs.get("request")
    if asked.__class__ is HandlerRequest and "completion" in request.model.__modelport_methods__:
        return request.model.fill(request.argument, asked, request.scope)
    return run_bare(request.model, request.argument, request.kwargs, request.scope)


async def aanswer(request: ChatRequest) -> ChatCompletion:
    """Return the answer to a request, on the running loop."""
    try:
        bare = (
            None if request.given else await arun_bare(request.model, request.argument, request.kwargs, request.scope)
        )
        if bare is not None:
            answers = [bare]
        elif request.n == 1:
            answers = [await arun(request.call)]
        else:
            answers = _all(await arun_choices([request.call], request.n))
    except Exception as error:
        failure = request.failure_of(error)
        if failure is error:
            raise
        raise failure from error
    return _completion(request, answers)


def _all(outcomes: Sequence[Any]) -> list[Generation]:
    [choices] = outcomes
    if isinstance(choices, BaseException):
        raise choices
    return choices


def _completion(request: ChatRequest, answers: Sequence[Generation]) -> ChatCompletion:
    return chat_completion(answers, completion_id=new_completion_id(), created=now_seconds(), model=request.name)
