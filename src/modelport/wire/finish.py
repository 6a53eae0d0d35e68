"""Why an answer ended, and how many tokens it took, in OpenAI's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from modelport.values.usage import Usage
from modelport.wire.completion import CompletionUsage
from modelport.wire.objects import plain

_new_usage = plain(CompletionUsage)

FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""The reasons that OpenAI's schema allows."""
_OTHER_WORDS = {
    "max_tokens": "length",
    "model_length": "length",
    "max_output_tokens": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
}
"""What other providers call the same; whatever else a model says means "stop"."""


def wire_finish_reason(reason: str | None, *, calls_tools: bool) -> str:
    """Return the finish reason as clients know it.

    An answer that calls tools ends with "tool_calls" even when its author said "stop": agents read nothing else.
    """
    word = reason or "stop"
    if word not in FINISH_REASONS:
        word = _OTHER_WORDS.get(word.lower(), "stop")
    return "tool_calls" if calls_tools and word == "stop" else word


def wire_usage(usages: Sequence[Usage | None]) -> CompletionUsage:
    """Return the usage of a request: the prompt once, the choices' answers added up."""
    if len(usages) == 1 and (one := usages[0]) is not None:
        prompt, completion, total = one.prompt_tokens, one.completion_tokens, one.total_tokens
    else:
        given = [usage for usage in usages if usage is not None]
        prompt = max([usage.prompt_tokens for usage in given], default=0)
        completion = sum([usage.completion_tokens for usage in given])
        total = given[0].total_tokens if len(given) == 1 else prompt + completion
    return _new_usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


def wire_logprobs(logprobs: Any) -> Any:
    """Return log probabilities with both keys that OpenAI requires."""
    if not isinstance(logprobs, dict):
        return None
    given = cast("dict[str, Any]", logprobs)
    return {"content": None, "refusal": None, **given}
