"""Log probabilities in the two shapes that OpenAI has: a list of tokens for chats, parallel lists for texts."""

from __future__ import annotations

from typing import Any, cast

from modelport.wire.received import field_of, items_of

LEGACY_KEYS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


def text_logprobs(logprobs: Any, offset: int = 0) -> dict[str, list[Any]] | None:
    """Return log probabilities as text completions have them; those that are in that shape stay as they are.

    Args:
        logprobs: Chat's `{"content": [{"token", "logprob", "top_logprobs"}, …]}`, or the parallel lists.
        offset: How many characters of the choice's text come before the first token.
    """
    if not isinstance(logprobs, dict):
        return None
    given = cast("dict[str, Any]", logprobs)
    if "tokens" in given:
        return {name: items_of(given, name) for name in LEGACY_KEYS}
    found: dict[str, list[Any]] = {name: [] for name in LEGACY_KEYS}
    for entry in items_of(given, "content"):
        token = str(field_of(entry, "token", ""))
        found["tokens"].append(token)
        found["token_logprobs"].append(field_of(entry, "logprob", 0.0))
        others = items_of(entry, "top_logprobs")
        found["top_logprobs"].append({field_of(one, "token", ""): field_of(one, "logprob", 0.0) for one in others})
        found["text_offset"].append(offset)
        offset += len(token)
    return found


def chat_logprobs(logprobs: Any) -> dict[str, Any] | None:
    """Return log probabilities as chat completions have them, of those of a text completion."""
    tokens = items_of(logprobs, "tokens")
    if not tokens:
        return None
    chances = items_of(logprobs, "token_logprobs")
    others = items_of(logprobs, "top_logprobs")
    return {
        "content": [
            {
                **_entry(token, chances[position] if position < len(chances) else None),
                "top_logprobs": _entries(others[position] if position < len(others) else None),
            }
            for position, token in enumerate(tokens)
        ],
        "refusal": None,
    }


def _entries(others: Any) -> list[dict[str, Any]]:
    return [_entry(*one) for one in cast("dict[str, Any]", others).items()] if isinstance(others, dict) else []


def _entry(token: Any, logprob: Any) -> dict[str, Any]:
    text = str(token)
    # The first token of an echoed prompt has none.
    return {"token": text, "logprob": logprob or 0.0, "bytes": list(text.encode("utf-8", "surrogatepass"))}
