"""`mock_response`: an answer in the model's place, in LiteLLM's forms, through the same engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

from pydantic import Field
from typing_extensions import override

from modelport.models.chat import ChatModel
from modelport.registry.provider import ModelProvider
from modelport.registry.providers import Target
from modelport.values.embeddings import EmbeddingResult
from modelport.values.errors import InputError, ModelportError, ModelTimeoutError
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.images import Image, ImageResult
from modelport.values.messages import Message
from modelport.values.prompt_values import messages_from
from modelport.values.status_errors import (
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    RateLimitError,
    error_of_status,
    status_of,
)
from modelport.values.usage import Usage
from modelport.wire.embedding_response import embeddings_of
from modelport.wire.image_response import images_of
from modelport.wire.received import BadResponseError, field_of
from modelport.wire.received_chunks import ReceivedChunks
from modelport.wire.received_messages import generations_of

CHUNK_CHARACTERS = 3
"""How long the pieces of a streamed text are."""
_USAGE = Usage(10, 20, 30)
_ERRORS: dict[str, type[Any]] = {
    "litellm.RateLimitError": RateLimitError,
    "litellm.ContextWindowExceededError": ContextWindowExceededError,
    "litellm.InternalServerError": InternalServerError,
}
_BREAKS_OFF = "Exception: mock_streaming_error"
_KEYWORDS = ("mock_response", "mock_tool_calls", "mock_timeout")


class MockedAnswer(ChatModel):
    """Answers what it was made with."""

    supports: ClassVar[frozenset[str]] = frozenset({"choices"})

    answers: Any = Field(repr=False)
    """What is answered: generations, of which a stream gives the first, or an exception that is raised."""
    delay_seconds: float = 0
    """How long it takes."""
    breaks_off: bool = False
    """Whether the exception comes in the middle of a stream."""

    @override
    def argument_of(self, value: Any) -> list[Message]:
        return messages_from(value)  # a mock needs no messages

    def _ready(self) -> Any:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        if isinstance(self.answers, BaseException) and not self.breaks_off:
            raise self.answers
        return self.answers

    def _call(self, messages: list[Any]) -> Any:
        answers = self._ready()
        if isinstance(answers, BaseException):
            raise answers
        return answers[0] if len(answers) == 1 else list(answers)

    def _stream(self, messages: list[Any]) -> Iterator[GenerationChunk]:
        answers = self._ready()
        if isinstance(answers, BaseException):
            yield GenerationChunk("mock")
            raise answers
        whole: Generation = answers[0]
        for start in range(0, len(whole.text), CHUNK_CHARACTERS):
            yield GenerationChunk(whole.text[start : start + CHUNK_CHARACTERS])
        yield GenerationChunk("", whole.finish_reason, whole.usage, whole.logprobs, whole.tool_calls)


def mocked_model(model: str, given: Mapping[str, Any]) -> Target | None:
    """Return what answers in the place of a model; None when nothing among the caller's keywords asks for a mock.

    Raises:
        InputError: The mock response has none of its forms.
    """
    if not given or not any(name in given for name in _KEYWORDS):
        return None
    answers = _answers_of(given.get("mock_response", ""))
    if given.get("mock_tool_calls") and not isinstance(answers, BaseException):
        answers = [_with_tool_calls(one, given["mock_tool_calls"]) for one in answers]
    if given.get("mock_timeout"):
        answers = ModelTimeoutError("the mock ran out of time")
    delay = given.get("mock_delay") or 0
    if isinstance(delay, bool) or not isinstance(delay, (int, float)) or delay < 0:
        raise InputError(f"mock_delay must be a number of seconds, not {delay!r}", param="mock_delay")
    breaks_off = given.get("mock_response") == _BREAKS_OFF
    mock = MockedAnswer(answers=answers, delay_seconds=delay, breaks_off=breaks_off)
    return _target(model, ModelProvider(mock))


def choices_of_mock(target: Target) -> int:
    """Return how many choices a mock was given."""
    answers: Any = target.model_for("chat").answers
    return 1 if isinstance(answers, BaseException) else len(answers)


def _target(model: Any, source: ModelProvider) -> Target:
    if not isinstance(model, str) or not model:
        raise InputError(f"model must be a text like 'provider/name', not {model!r}", param="model")
    provider, _, rest = model.partition("/")
    return Target(provider if rest else "mock", rest or provider, source, None, None)


def _with_tool_calls(answer: Generation, calls: Any) -> Generation:
    message = {"content": answer.text, "tool_calls": calls}
    [whole] = generations_of({"choices": [{"message": message}]})
    return Generation(whole.text, "tool_calls", answer.usage, None, whole.tool_calls)


def _answers_of(value: Any) -> Sequence[Generation] | BaseException:
    if isinstance(value, BaseException):
        return value
    if isinstance(value, str):
        return _error_of_text(value) or [Generation(value, "stop", _USAGE)]
    if not field_of(value, "choices"):
        raise InputError(
            f"mock_response must be a text, an exception, or a chat completion, not {type(value).__name__}",
            param="mock_response",
        )
    try:
        if field_of(field_of(value, "choices")[0], "delta") is None:
            return generations_of(value)
        chunks = [chunk for index, chunk in ReceivedChunks().read(value) if not index]
    except BadResponseError as error:
        raise InputError(f"mock_response cannot be read: {error}", param="mock_response") from error
    chunk = chunks[0]
    return [Generation(chunk.text, chunk.finish_reason, chunk.usage or _USAGE, chunk.logprobs, chunk.tool_calls)]


def _error_of_text(value: str) -> Exception | None:
    if value in _ERRORS:
        return _ERRORS[value](f"this is a mock {value.rpartition('.')[2]}")
    if value.startswith("Exception: content_filter_policy"):
        return ContentPolicyViolationError("this is a mock content filter error")
    if value.startswith(_BREAKS_OFF):
        return error_of_status(529, "this is a mock streaming error")
    return None


def mocked_embedding(model: str, value: Any, count: int) -> EmbeddingResult:
    """Return the embeddings that a `mock_response` stands for.

    Args:
        model: The model's name.
        value: A vector, which every input gets; an embedding response; or an exception, which is raised.
        count: How many inputs there are.

    Raises:
        InputError: It is none of these.
    """
    _raise_if_error(value)
    name = _target(model, cast("Any", None)).model
    if field_of(value, "data") is not None:
        return embeddings_of(value)
    numbers: Any = value
    if not isinstance(numbers, (list, tuple)) or not all(isinstance(one, (int, float)) for one in value):
        raise InputError(f"a mocked embedding is a vector or a response, not {_kind(numbers)}", param="mock_response")
    return EmbeddingResult([list(cast("Sequence[float]", value))] * count, Usage(10, 0, 10), name)


def _kind(value: Any) -> str:
    return type(value).__name__


def mocked_images(value: Any) -> ImageResult:
    """Return the images that a `mock_response` stands for.

    Args:
        value: An image's address; an image response; or an exception, which is raised.

    Raises:
        InputError: It is none of these.
    """
    _raise_if_error(value)
    if isinstance(value, str):
        return ImageResult([Image(url=value)], 0, None)
    if field_of(value, "data") is None:
        raise InputError(
            f"a mocked image is an address or a response, not {type(value).__name__}", param="mock_response"
        )
    return images_of(value)


def _raise_if_error(value: Any) -> None:
    error = _error_of_text(value) if isinstance(value, str) else value
    if isinstance(error, Exception) and not isinstance(error, ModelportError):
        raise error_of_status(status_of(error), f"{type(error).__name__}: {error}".removesuffix(": ")) from error
    if isinstance(error, BaseException):
        raise error
