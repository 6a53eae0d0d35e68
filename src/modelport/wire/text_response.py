"""The whole answer of a text request, made of generations, and generations made of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.values.generations import Generation
from modelport.values.usage import Usage, usage_from
from modelport.wire.finish import wire_finish_reason, wire_usage
from modelport.wire.objects import plain
from modelport.wire.received import by_index, decode_response, field_of, list_of, text_or_none, usage_in
from modelport.wire.received_messages import usage_of_each
from modelport.wire.text_completion import TextChoice, TextCompletion
from modelport.wire.text_logprobs import chat_logprobs, text_logprobs

_new_completion = plain(TextCompletion)
_new_choice = plain(TextChoice)


def text_completion(
    answers: Sequence[Sequence[Generation]],
    *,
    completion_id: str,
    created: int,
    model: str,
    echoes: Sequence[str] | None = None,
) -> TextCompletion:
    """Return the text completion of n answers to each of some prompts.

    Args:
        answers: For each prompt its n answers; they are numbered through.
        completion_id: The answer's id.
        created: When it was made, in seconds since 1970.
        model: The name that the client asked for.
        echoes: The prompts, when each choice begins with its own.
    """
    choices: list[TextChoice] = []
    usage = Usage()
    for position, group in enumerate(answers):
        before = echoes[position] if echoes is not None else ""
        choices.extend([_choice(index, answer, before) for index, answer in enumerate(group, len(choices))])
        usage += usage_from(wire_usage([answer.usage for answer in group])) or Usage()
    return _new_completion(id=completion_id, created=created, model=model, choices=choices, usage=wire_usage([usage]))


def text_finish_reason(reason: str | None) -> str:
    """Return the finish reason as text completions have it: without tools."""
    word = wire_finish_reason(reason, calls_tools=False)
    return word if word in ("stop", "length", "content_filter") else "stop"


def decode_text_completion(raw: bytes | str) -> TextCompletion:
    """Return the text completion in a body; keys that OpenAI does not have are kept.

    Raises:
        BadResponseError: The body is no JSON object, or has no choices.
    """
    body = decode_response(raw)
    list_of(body, "choices")
    return TextCompletion.model_validate(body)


def generations_of_texts(completion: Any) -> list[Generation]:
    """Return the choices of a text completion, in order of their index; the first one carries the usage.

    Args:
        completion: A `TextCompletion`, a dict, or LiteLLM's own object; `choices[i].text` is read.

    Raises:
        BadResponseError: There is no list of choices.
    """
    choices = by_index(list_of(completion, "choices"))
    usages = usage_of_each(usage_in(completion), [text_or_none(field_of(choice, "text")) or "" for choice in choices])
    return [
        Generation(
            text_or_none(field_of(choice, "text")) or "",
            text_or_none(field_of(choice, "finish_reason")),
            usage,
            chat_logprobs(field_of(choice, "logprobs")),
        )
        for choice, usage in zip(choices, usages, strict=True)
    ]


def _choice(index: int, answer: Generation, before: str) -> TextChoice:
    return _new_choice(
        text=before + answer.text,
        index=index,
        logprobs=text_logprobs(answer.logprobs, len(before)),
        finish_reason=text_finish_reason(answer.finish_reason),
    )
