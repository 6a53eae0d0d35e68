"""From a stream's chunks to the whole answer, and from a whole answer to a stream of one chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self

from modelport.engine.output import Output
from modelport.engine.reading import text_of_input
from modelport.values.prompt_values import messages_from
from modelport.values.usage import usage_from
from modelport.wire.chat_response import chat_completion
from modelport.wire.completion import ChatCompletion, new_completion_id, now_seconds
from modelport.wire.completion_chunk import ChatCompletionChunk, StreamingChoice
from modelport.wire.finish import wire_usage
from modelport.wire.received import field_of, int_or
from modelport.wire.received_chunks import ReceivedChunks


def stream_chunk_builder(
    chunks: Sequence[Any],
    messages: Sequence[Any] | None = None,
    start_time: Any = None,
    end_time: Any = None,
    logging_obj: Any = None,
) -> ChatCompletion | None:
    """Return the answer that a stream's chunks make; None when there are none.

    Args:
        chunks: The chunks in order: objects, dicts, or LiteLLM's generic ones.
        messages: The conversation, to estimate its tokens when no chunk has the usage.
        start_time: Changes nothing.
        end_time: Changes nothing.
        logging_obj: Changes nothing.

    Raises:
        BadResponseError: One of them is no chunk.
    """
    if not chunks:
        return None
    received = ReceivedChunks()
    outputs: dict[int, Output] = {}
    usage = None
    for chunk in chunks:
        usage = usage_from(field_of(chunk, "usage")) or usage
        for index, piece in received.read(chunk):
            if index not in outputs:
                outputs[index] = Output("stream_chunk_builder", chat=True, stop=None, budget=None)
            outputs[index].push(piece)
    model = str(_first(chunks, "model") or "")
    answers = [
        output.result(
            reported=None,
            finish=None,
            prompt=lambda: text_of_input(messages_from(list(messages or ()))),
            count=None,
            name=lambda: model,
        )
        for _, output in sorted(outputs.items())
    ]
    whole = chat_completion(
        answers,
        completion_id=str(_first(chunks, "id") or new_completion_id()),
        created=int_or(_first(chunks, "created"), now_seconds()),
        model=model,
    )
    if usage is not None and usage.total_tokens:
        whole.usage = wire_usage([usage])
    return whole


def _first(chunks: Sequence[Any], name: str) -> Any:
    return next((found for chunk in chunks if (found := field_of(chunk, name))), None)


class ModelResponseIterator:
    """Iterates over one answer as if it were streamed: a stream of a single chunk, sync or async."""

    def __init__(self, model_response: Any, convert_to_delta: bool = False) -> None:
        """Take the answer.

        Args:
            model_response: A chat completion.
            convert_to_delta: Whether it is given as a chunk, whose choices have a `delta`.
        """
        self.model_response = _as_chunk(model_response) if convert_to_delta else model_response
        """What is given."""
        self.is_done = False
        """Whether it has been given."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self.is_done:
            raise StopIteration
        self.is_done = True
        return self.model_response

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self.is_done:
            raise StopAsyncIteration
        self.is_done = True
        return self.model_response

    def close(self) -> None:
        """Give nothing more."""
        self.is_done = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _as_chunk(answer: Any) -> ChatCompletionChunk:
    whole = answer if isinstance(answer, ChatCompletion) else ChatCompletion.model_validate(dict(answer))
    choices: list[StreamingChoice] = []
    for choice in whole.choices:
        delta = choice.message.model_dump(exclude_none=True)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            call["index"] = place
        choices.append(
            StreamingChoice.model_validate(
                {
                    "index": choice.index,
                    "delta": delta,
                    "logprobs": choice.logprobs,
                    "finish_reason": choice.finish_reason,
                }
            )
        )
    return ChatCompletionChunk(
        id=whole.id, created=whole.created, model=whole.model, choices=choices, usage=whole.usage
    )
