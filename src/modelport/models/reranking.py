"""Ranking by any model that has a `_rerank` or `_arerank` hook."""

from __future__ import annotations

from typing import Any, cast
from weakref import WeakKeyDictionary

from modelport.engine.hooks import Hooks, find_hooks
from modelport.engine.ranking import RERANK_HOOKS
from modelport.values.errors import InputError

_hooks: WeakKeyDictionary[type, Hooks] = WeakKeyDictionary()


def rerank_hooks(model: Any) -> Hooks:
    """Return the hooks by which a model ranks documents.

    Raises:
        InputError: It has none.
        TypeError: One has not the parameters that it must have.
    """
    cls = cast("type[Any]", type(model))
    hooks = _hooks.get(cls)
    if hooks is None:
        hooks = _hooks[cls] = find_hooks(cls, object, RERANK_HOOKS)
    if hooks.answer is None:
        raise InputError(
            f"{cls.__name__} ranks nothing: it has no hook for that; write {RERANK_HOOKS.forms[0].example}",
            param="model",
        )
    return hooks
