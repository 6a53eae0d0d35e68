"""Counting tokens: usage that is always there, and `max_tokens` (guarantee 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modelport.values.errors import HookError, InputError
from modelport.values.usage import Usage

if TYPE_CHECKING:
    from modelport.engine.model import EngineModel

Count = Callable[[str], int]
"""Tells how many tokens a text has."""


def estimate_tokens(text: str) -> int:
    """Return ⌈UTF-8 bytes / 4⌉, the stand-in for a tokenizer."""
    # Most texts are ASCII, and know it: their bytes need not be made.
    return ((len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))) + 3) // 4


def counter_of(model: EngineModel) -> Count | None:
    """Return the model's own `_count_tokens`, checked, or None when it has none."""
    if "_count_tokens" not in model.__modelport_hooks__.defined:
        return None
    count: Any = getattr(model, "_count_tokens")  # noqa: B009 - the author's, not declared

    def checked(text: str) -> int:
        tokens = count(text)
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
            raise HookError(f"{type(model).__name__}._count_tokens returned {tokens!r}; it must return an int >= 0")
        return tokens

    return checked


def check_max_tokens(value: Any) -> int | None:
    """Return `max_tokens` as given.

    Raises:
        InputError: It is no int of at least 1.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"max_tokens must be an int of at least 1, or None, not {value!r}", param="max_tokens")
    return value


def longest_prefix(text: str, max_tokens: int, count: Count) -> str:
    """Return the longest beginning of a text that has at most `max_tokens` tokens."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle]) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    # Tokenizers may merge: a character more can make the count smaller again.
    while low < len(text) and count(text[: low + 1]) <= max_tokens:
        low += 1
    return text[:low]


class TokenBudget:
    """Cuts a text that comes in pieces after `max_tokens` tokens.

    The whole text is counted again only when the bytes that came since the last count could have used up what was
    left (a token has at least one byte), so a long answer costs few counts.
    """

    __slots__ = ("_count", "_max_tokens", "_released", "_unchecked_bytes", "exceeded")

    def __init__(self, max_tokens: int, count: Count) -> None:
        self._max_tokens = max_tokens
        self._count = count
        self._released: list[str] = []
        self._unchecked_bytes = max_tokens
        self.exceeded = False
        """True once text was cut off: nothing more is released, and the model can be closed."""

    def push(self, text: str) -> str:
        """Take the next piece; return how much of it is within the budget."""
        self._unchecked_bytes -= len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._unchecked_bytes >= 0:
            self._released.append(text)
            return text
        before = "".join(self._released)
        whole = before + text
        tokens = self._count(whole)
        if tokens <= self._max_tokens:
            self._unchecked_bytes = self._max_tokens - tokens
            self._released = [whole]
            return text
        kept = longest_prefix(whole, self._max_tokens, self._count)
        self.exceeded = True
        # What is out is out: a tokenizer that counts a longer text as fewer tokens cannot take text back.
        return kept[len(before) :]


def usage_of(given: Usage | None, prompt: Callable[[], str], text: str, count: Count | None) -> Usage:
    """Return the author's figures, else counted ones, else estimates.

    0/0/0 beside a non-empty answer counts as not given; a missing half is counted too.
    """
    if given is not None and (given.total_tokens or not text):
        if given.prompt_tokens and (given.completion_tokens or not text):
            return given
        if given.prompt_tokens == given.completion_tokens == 0:
            return given
    if given is count is None:  # most models say nothing of tokens
        prompt_tokens, completion_tokens = estimate_tokens(prompt()), estimate_tokens(text)
        return Usage(prompt_tokens, completion_tokens, prompt_tokens + completion_tokens, True)
    counted = count or estimate_tokens
    known = given or Usage()
    prompt_tokens = known.prompt_tokens or counted(prompt())
    completion_tokens = known.completion_tokens or (counted(text) if text else 0)
    return Usage(prompt_tokens, completion_tokens, prompt_tokens + completion_tokens, estimated=count is None)
