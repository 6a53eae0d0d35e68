"""How many tokens a call took and gave."""

from __future__ import annotations

from typing import Any, cast

import msgspec


class Usage(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Counts the tokens of one answer, or of several added up."""

    prompt_tokens: int = 0
    """Tokens of the input."""
    completion_tokens: int = 0
    """Tokens of the answer, as the caller gets it (after stop and max_tokens)."""
    total_tokens: int = 0
    """The sum, unless the author gave another."""
    estimated: bool = False
    """True when bytes / 4 stands in for a tokenizer."""

    def __add__(self, other: Usage) -> Usage:
        """Add two counts; the sum is estimated when either is."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
            self.estimated or other.estimated,
        )

    def to_token_usage(self) -> dict[str, Any]:
        """Return the dict that LangChain keeps in `llm_output["token_usage"]`."""
        usage: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }
        if self.estimated:
            usage["estimated"] = True
        return usage

    def to_usage_metadata(self) -> dict[str, int]:
        """Return the dict that LangChain keeps in `AIMessage.usage_metadata`."""
        return {
            "input_tokens": self.prompt_tokens,
            "output_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }


_NAMES = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens")


def usage_from(value: Any) -> Usage | None:
    """Read a usage that an author gave: a `Usage`, or a dict or object in OpenAI's or LangChain's names.

    A missing total is the sum. Anything else, and 0/0/0 (LiteLLM's "not given"), is None.
    """
    if value is None or isinstance(value, Usage):
        return value
    given: dict[str, Any] = (
        cast("dict[str, Any]", value) if isinstance(value, dict) else {n: getattr(value, n, None) for n in _NAMES}
    )
    get = given.get
    prompt = get("prompt_tokens") or get("input_tokens") or 0
    completion = get("completion_tokens") or get("output_tokens") or 0
    total = get("total_tokens") or prompt + completion
    if not total:
        return None
    return Usage(int(prompt), int(completion), int(total))
