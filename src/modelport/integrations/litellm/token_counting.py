"""`token_counter`: how many tokens a text or a conversation has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelport.engine.reading import text_of_input
from modelport.engine.tokens import counter_of, estimate_tokens
from modelport.registry.providers import resolve
from modelport.values.errors import CustomLLMError, InputError, ModelportError
from modelport.values.prompt_values import messages_from
from modelport.wire.json_text import encode_json
from modelport.wire.received import field_of


def token_counter(
    model: str = "",
    custom_tokenizer: Any = None,
    text: str | Sequence[str] | None = None,
    messages: Sequence[Any] | None = None,
    count_response_tokens: bool | None = False,
    tools: Sequence[Any] | None = None,
    tool_choice: Any = None,
    use_default_image_token_count: bool | None = False,
    default_token_count: int | None = None,
) -> int:
    """Return a number of tokens: by the tokenizer given, by the model's own `_count_tokens`, else an estimate.

    The estimate is what usage has where nobody counts: a quarter of the bytes in UTF-8.

    Args:
        model: `provider/name`; a name that nobody has is estimated for.
        custom_tokenizer: `{"tokenizer": tokenizer}`, or a tokenizer, whose `encode(text)` gives tokens.
        text: The text, or several that are joined.
        messages: The conversation, when there is no text.
        count_response_tokens: Changes nothing: no tokens are added for the answer's beginning.
        tools: Tools, whose JSON is counted too.
        tool_choice: Changes nothing.
        use_default_image_token_count: Changes nothing: images are not counted.
        default_token_count: What is returned when counting fails.

    Raises:
        InputError: There is neither a text nor a conversation.
    """
    if text is None and messages is None:
        raise InputError("token_counter needs text= or messages=")
    if text is None:
        whole = text_of_input(messages_from(list(messages or ())))
    else:
        whole = text if isinstance(text, str) else "".join(text)
    try:
        count = _counter_for(model, custom_tokenizer)
        return count(whole) + (count(encode_json(list(tools)).decode()) if tools else 0)
    except Exception:
        if default_token_count is None:
            raise
        return default_token_count


def _counter_for(model: str, tokenizer: Any) -> Callable[[str], int]:
    given: Any = field_of(tokenizer, "tokenizer", None if isinstance(tokenizer, dict) else tokenizer)
    if given is not None:
        return lambda text: _length(given.encode(text))
    try:
        found = resolve(model).model_for("chat")
    except (ModelportError, CustomLLMError):
        return estimate_tokens
    return counter_of(found) or estimate_tokens


def _length(encoded: Any) -> int:
    """Return how many tokens a tokenizer gave: in a list, or in an encoding that has one."""
    return len(getattr(encoded, "ids", encoded))
