"""The models of one handler: one each for chat, embeddings, images and rankings, made when they are first needed.

Their classes are made for each handler and the methods it has, so that everything which is derived from hooks is
derived from a handler's methods too.
"""

from __future__ import annotations

import difflib
import threading
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from modelport.models.base import FRAMEWORK_FIELDS
from modelport.models.handler import not_implemented
from modelport.models.handler_calls import HandlerMethod, methods_of
from modelport.models.handler_model import CHAT_METHODS, HandlerModel
from modelport.models.handler_values import (
    EMBEDDING_METHODS,
    IMAGE_METHODS,
    RANKING_METHODS,
    HandlerEmbeddings,
    HandlerImages,
    HandlerRanking,
)

if TYPE_CHECKING:
    from modelport.engine.state import ModelState

HandlerKind = Literal["chat", "embedding", "image", "rerank"]
"""What a handler's model does."""
_KINDS: dict[HandlerKind, tuple[type[Any], Mapping[str, Any]]] = {
    "chat": (HandlerModel, CHAT_METHODS),
    "embedding": (HandlerEmbeddings, EMBEDDING_METHODS),
    "image": (HandlerImages, IMAGE_METHODS),
    "rerank": (HandlerRanking, RANKING_METHODS),
}


class HandlerModels:
    """Makes the models of one handler, each once; they share one loop, and the limits that its fields set."""

    def __init__(self, handler: Any, fields: Mapping[str, Any] | None = None) -> None:
        """Take a handler.

        Args:
            handler: An instance with some of LiteLLM's methods.
            fields: The framework's fields of its models (`max_concurrency`, `cache`, …).

        Raises:
            TypeError: A field is none of the framework's; the message names the nearest.
            ValueError: A field's value is wrong; the message names the field.
        """
        self.handler = handler
        """The handler."""
        self.state: ModelState | None = None
        """The framework's state of all these models."""
        self._fields = _checked(handler, fields or {})
        self._lock = threading.Lock()
        self._made: dict[HandlerKind, Any] = {}
        if self._fields:
            # A wrong value is said where it was given, not at the first call.
            for kind, (_, hooks) in _KINDS.items():
                if not self.methods.keys().isdisjoint(hooks):
                    self.model(kind)

    @property
    def methods(self) -> dict[str, HandlerMethod]:
        """The handler's methods by what they do: an `async def completion` is its `acompletion`."""
        return methods_of(self.handler)

    @property
    def has_own_loop(self) -> bool:
        """Whether there are async methods that run on the handler's own loop."""
        return not _uses_callers_loop(self.handler) and any(one.is_async for one in self.methods.values())

    def model(self, kind: HandlerKind) -> Any:
        """Return the handler's model of one kind, always the same one.

        Raises:
            CustomLLMError: The handler has no method for that kind: 500, "Not implemented yet!".
        """
        model = self._made.get(kind)
        if model is None:
            with self._lock:
                model = self._made.get(kind)
                if model is None:
                    model = self._made[kind] = self._new(kind)
        return model

    def _new(self, kind: HandlerKind) -> Any:
        base, all_hooks = _KINDS[kind]
        methods = self.methods
        hooks = {name: hook for name, hook in all_hooks.items() if name in methods}
        if not hooks:
            raise not_implemented()
        owner = cast("type[Any]", type(self.handler))
        namespace: dict[str, Any] = {
            "__module__": owner.__module__,
            "__qualname__": owner.__qualname__,
            "__modelport_methods__": methods,
            "__modelport_models__": self,
            "__modelport_method_names__": {hook.__name__: methods[name].name for name, hook in hooks.items()},
            "supports": frozenset({"choices"}) | _supports_of(owner),
            "single_loop": any(methods[name].is_async for name in hooks) and not _uses_callers_loop(self.handler),
            **{hook.__name__: hook for hook in hooks.values()},
        }
        cls: Any = types.new_class(owner.__name__, (base,), {}, lambda body: body.update(namespace))
        return cls(handler=self.handler, **self._fields)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the handler only: its models are made anew."""
        return type(self), (self.handler, dict(self._fields))


def _checked(handler: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    for name in fields:
        if name not in FRAMEWORK_FIELDS:
            near = difflib.get_close_matches(name, FRAMEWORK_FIELDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its fields are {', '.join(sorted(FRAMEWORK_FIELDS))}"
            raise TypeError(f"the handler {type(handler).__name__} has no field {name!r}; {hint}")
    return dict(fields)


def _uses_callers_loop(handler: Any) -> bool:
    return getattr(handler, "caller_loop", False) is True


def _supports_of(owner: type) -> frozenset[str]:
    """Return the features that a handler's class declares; an attribute of that name may be something else."""
    declared: Any = getattr(owner, "supports", ())
    if not isinstance(declared, (set, frozenset, tuple, list)):
        return frozenset()
    return frozenset(one for one in declared if isinstance(one, str))  # pyright: ignore[reportUnknownVariableType]
