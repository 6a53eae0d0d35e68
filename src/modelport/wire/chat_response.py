"""The whole answer of a chat request, made of generations."""

from __future__ import annotations

from collections.abc import Sequence

from modelport.values.generations import Generation
from modelport.values.messages import ChatGeneration
from modelport.wire.completion import (
    ChatCompletion,
    Choice,
    ResponseMessage,
    ToolCall,
    completion_of_text,
    new_completion_id,
)
from modelport.wire.finish import FINISH_REASONS, wire_finish_reason, wire_logprobs, wire_usage
from modelport.wire.json_text import encode_json
from modelport.wire.objects import plain
from modelport.wire.streamed_choice import text_beside
from modelport.wire.tool_calls import whole_tool_calls

__all__ = ["chat_completion", "encode_chat_completion", "new_completion_id"]

_new_completion = plain(ChatCompletion)
_new_choice = plain(Choice)
_new_message = plain(ResponseMessage)


def chat_completion(answers: Sequence[Generation], *, completion_id: str, created: int, model: str) -> ChatCompletion:
    """Return the chat completion of n answers.

    Args:
        answers: The choices, in order of their index.
        completion_id: The answer's id.
        created: When it was made, in seconds since 1970.
        model: The name that the client asked for.
    """
    first = answers[0]
    if len(answers) == 1 and _is_plain(first) and (used := first.usage) is not None:
        # Most answers are one text; this is the same as below, without looking for what they do not have.
        return completion_of_text(
            first.text,
            used,
            completion_id=completion_id,
            created=created,
            model=model,
            finish_reason=first.finish_reason or "stop",
        )
    return _new_completion(
        id=completion_id,
        object="chat.completion",
        created=created,
        model=model,
        choices=[_choice(index, answer) for index, answer in enumerate(answers)],
        usage=wire_usage([answer.usage for answer in answers]),
    )


def encode_chat_completion(answers: Sequence[Generation], *, completion_id: str, created: int, model: str) -> bytes:
    """Return the JSON of the chat completion of n answers; arguments as for `chat_completion`.

    What all plain answers have in common is not encoded anew: a server's answers are read by nobody before the client.
    """
    first = answers[0]
    if len(answers) == 1 and _is_plain(first) and (used := first.usage) is not None:
        return _PLAIN % (
            completion_id.encode(),
            created,
            encode_json(model),
            encode_json(first.text),
            (first.finish_reason or "stop").encode(),
            used.prompt_tokens,
            used.completion_tokens,
            used.total_tokens,
        )
    return encode_json(chat_completion(answers, completion_id=completion_id, created=created, model=model))


_PLAIN = (
    b'{"id":"%b","object":"chat.completion","created":%d,"model":%b,"choices":[{"index":0,"message":'
    b'{"role":"assistant","content":%b,"refusal":null},"logprobs":null,"finish_reason":"%b"}],"usage":'
    b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}'
)
"""The JSON of an answer that is one text and nothing else."""


def _is_plain(answer: Generation) -> bool:
    """Tell whether an answer is a text that ended in one of OpenAI's ways, and nothing else."""
    return (
        answer.__class__ is Generation
        and answer.logprobs is None
        and not answer.tool_calls
        and answer.finish_reason in FINISH_REASONS
    )


def _choice(index: int, answer: Generation) -> Choice:
    calls = whole_tool_calls(answer.tool_calls) if answer.tool_calls else None
    return _new_choice(
        index=index,
        message=_message(answer, calls),
        logprobs=wire_logprobs(answer.logprobs),
        finish_reason=wire_finish_reason(answer.finish_reason, calls_tools=bool(calls)),
    )


def _message(answer: Generation, calls: list[ToolCall] | None) -> ResponseMessage:
    if not isinstance(answer, ChatGeneration) or not (beside := text_beside(answer.message.additional_kwargs)):
        return _new_message(content=answer.text or (None if calls else ""), tool_calls=calls)
    refusal = beside.get("refusal")
    return _new_message(
        content=answer.text or (None if calls or refusal else ""),
        refusal=refusal,
        reasoning_content=beside.get("reasoning_content"),
        tool_calls=calls,
    )
