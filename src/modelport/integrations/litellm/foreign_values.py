"""Answers of ours as the installed LiteLLM's objects: whole ones fill what it gives, streams are its own chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelport.integrations.litellm.installed import CHUNK_OBJECTS_SINCE, release
from modelport.wire.completion import new_completion_id, now_seconds

if TYPE_CHECKING:
    from modelport.wire.completion import ChatCompletion, CompletionUsage
    from modelport.wire.completion_chunk import ChatCompletionChunk
    from modelport.wire.embedding_response import EmbeddingResponse
    from modelport.wire.image_response import ImageResponse


def fill_completion(litellm: Any, response: Any, answer: ChatCompletion, model: str) -> Any:
    """Return LiteLLM's `ModelResponse`, the one that it gave if it gave one, with an answer in it."""
    response = response if response is not None else litellm.ModelResponse()
    response.model = model
    response.choices = [
        litellm.Choices(
            finish_reason=choice.finish_reason,
            index=choice.index,
            message=litellm.Message(**choice.message.model_dump(exclude_none=True)),
            **({"logprobs": choice.logprobs} if choice.logprobs is not None else {}),
        )
        for choice in answer.choices
    ]
    response.usage = _usage(litellm, answer.usage)
    return response


def fill_embeddings(litellm: Any, response: Any, answer: EmbeddingResponse, model: str) -> Any:
    """Return LiteLLM's `EmbeddingResponse` with the vectors in it."""
    response = response if response is not None else litellm.EmbeddingResponse()
    response.model = model
    response.object = "list"
    response.data = [one.model_dump() for one in answer.data]
    response.usage = _usage(litellm, answer.usage)
    return response


def fill_images(litellm: Any, response: Any, answer: ImageResponse) -> Any:
    """Return LiteLLM's `ImageResponse` with the images in it."""
    response = response if response is not None else litellm.ImageResponse()
    response.created = answer.created
    response.data = [litellm.ImageObject(**one.model_dump(exclude_none=True)) for one in answer.data]
    if answer.usage is not None:
        response.usage = litellm.types.utils.ImageUsage(**answer.usage.model_dump())
    return response


def _usage(litellm: Any, usage: CompletionUsage | Any) -> Any:
    tokens = usage.model_dump(exclude_none=True) if usage is not None else {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
    return litellm.Usage(**{name: tokens[name] for name in names if name in tokens})


class ChunkLine:
    """Turns the chunks of one stream into LiteLLM's.

    LiteLLM takes the first finish reason for the end of everything, and reads the usage before it; so both wait for
    the end here.
    """

    def __init__(self, litellm: Any, model: str) -> None:
        self.has_choices = release() >= CHUNK_OBJECTS_SINCE
        """Whether this LiteLLM keeps several choices apart."""
        self._litellm = litellm
        self._model = model
        self._id = new_completion_id()
        self._created = now_seconds()
        self._finished: dict[int, str] = {}
        self._usage: Any = None

    def chunks(self, chunk: ChatCompletionChunk) -> Iterator[Any]:
        """Yield what LiteLLM gets for a chunk of ours."""
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices:
            if choice.finish_reason is not None:
                self._finished[choice.index] = choice.finish_reason
            delta = choice.delta.model_dump(exclude_none=True)
            if not delta and choice.logprobs is None:
                continue
            if self.has_choices:
                yield self._chunk([self._choice(choice.index, delta, logprobs=choice.logprobs)])
            else:
                yield from self._plain_chunks(delta)

    def last_chunks(self) -> Iterator[Any]:
        """Yield the end: the usage, and why each choice ended."""
        reason = self._finished.pop(0, "stop")
        usage = _usage(self._litellm, self._usage)
        if not self.has_choices:
            yield {**_EMPTY, "is_finished": True, "finish_reason": reason, "usage": usage.model_dump()}
            return
        yield self._chunk([self._choice(0, {})], usage=usage)
        if self._finished:
            others = [self._choice(index, {}, finish_reason=why) for index, why in sorted(self._finished.items())]
            # The first choice of a chunk is the one that LiteLLM takes for the end.
            yield self._chunk([self._choice(0, {}), *others])
        yield self._chunk([self._choice(0, {}, finish_reason=reason)])

    def _plain_chunks(self, delta: dict[str, Any]) -> Iterator[Any]:
        """Yield a delta in the form that all releases take, which has room for a text, or one piece of a tool call."""
        if delta.get("content"):
            yield {**_EMPTY, "text": delta["content"]}
        for call in delta.get("tool_calls") or ():
            function: dict[str, Any] = {"name": None, "arguments": "", **(call.get("function") or {})}
            yield {**_EMPTY, "tool_use": {"id": None, "type": "function", "index": 0, **call, "function": function}}

    def _choice(self, index: int, delta: dict[str, Any], **more: Any) -> Any:
        known = {name: value for name, value in more.items() if value is not None}
        return self._litellm.types.utils.StreamingChoices(
            index=index, delta=self._litellm.types.utils.Delta(**delta), **known
        )

    def _chunk(self, choices: list[Any], **more: Any) -> Any:
        return self._litellm.ModelResponseStream(
            id=self._id, created=self._created, model=self._model, choices=choices, **more
        )


_EMPTY: dict[str, Any] = {
    "text": "",
    "is_finished": False,
    "finish_reason": "",
    "usage": None,
    "index": 0,
    "tool_use": None,
    "provider_specific_fields": None,
}
