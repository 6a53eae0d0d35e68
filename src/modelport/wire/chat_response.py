"""The whole answer of a chat request."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from modelport.values.generations import Generation
from modelport.wire.completion import ChatCompletion, Choice, ResponseMessage
from modelport.wire.finish import wire_finish_reason, wire_logprobs, wire_usage
from modelport.wire.tool_calls import whole_tool_calls


def new_completion_id() -> str:
    """Return an id that no other answer has."""
    return f"chatcmpl-{uuid4().hex}"


def chat_completion(answers: Sequence[Generation], *, completion_id: str, created: int, model: str) -> ChatCompletion:
    """Return the chat completion of n answers.

    Args:
        answers: The choices, in order of their index.
        completion_id: The answer's id.
        created: When it was made, in seconds since 1970.
        model: The name that the client asked for.
    """
    return ChatCompletion(
        id=completion_id,
        created=created,
        model=model,
        choices=[_choice(index, answer) for index, answer in enumerate(answers)],
        usage=wire_usage(answer.usage for answer in answers),
    )


def _choice(index: int, answer: Generation) -> Choice:
    calls = whole_tool_calls(answer.tool_calls) if answer.tool_calls else None
    return Choice(
        index=index,
        message=ResponseMessage(content=answer.text or (None if calls else ""), tool_calls=calls),
        logprobs=wire_logprobs(answer.logprobs),
        finish_reason=wire_finish_reason(answer.finish_reason, calls_tools=bool(calls)),
    )
