"""Inputs that are token ids, for models whose hooks take texts: the author's `_decode_tokens` makes texts of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from modelport.engine.lifecycle import load
from modelport.engine.reading import shown
from modelport.values.errors import HookError, InputError


def texts_of(model: Any, inputs: Sequence[Any], param: str) -> list[str]:
    """Return inputs as texts; token ids are decoded by the model's, or its handler's, `_decode_tokens(ids) -> str`.

    Args:
        model: The model.
        inputs: Texts, or the token ids of texts.
        param: The request's field, for the error.

    Raises:
        InputError: There are token ids, and the model cannot decode them.
        HookError: It made something else than a text of them.
        Exception: Whatever `_load` or `_decode_tokens` raised.
    """
    if all(isinstance(one, str) for one in inputs):
        return list(inputs)
    owner: Any = getattr(model, "handler", model)
    decode = getattr(owner, "_decode_tokens", None)
    if decode is None:
        raise InputError(
            f"{type(owner).__name__} takes texts, not token ids; send texts, or give it a `_decode_tokens(ids)`",
            param=param,
        )
    load(model)  # the decoder is likely to need what `_load` makes
    return [one if isinstance(one, str) else _decoded(decode(one), owner) for one in inputs]


def has_token_ids(inputs: Any) -> bool:
    """Tell whether inputs are, or may be, token ids: to load and decode takes time, for which a loop has a thread."""
    return isinstance(inputs, (list, tuple)) and not all(isinstance(one, str) for one in cast("list[Any]", inputs))


def _decoded(text: Any, owner: Any) -> str:
    if not isinstance(text, str):
        raise HookError(f"{type(owner).__name__}._decode_tokens returned {shown(text)}; it must return a str")
    return text
