"""Providers: what stands behind the first part of `provider/model`, and which model it gives for which kind of call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, cast

from modelport.models.base import AuthoredModel
from modelport.models.chat import ChatModel
from modelport.models.embedding import EmbeddingModel
from modelport.models.handler import HANDLER_METHODS, CustomLLM
from modelport.models.handler_models import HandlerModels
from modelport.models.image import ImageModel
from modelport.models.llm import LLM
from modelport.values.errors import InputError
from modelport.values.foreign import adapter_for

Kind = Literal["chat", "embedding", "image", "rerank"]
"""What a call wants: an answer, vectors, images, or a ranking."""
MAX_MADE = 256
"""How many models one factory keeps for equal calls."""
_CLASSES: dict[Kind, tuple[type[Any], ...]] = {
    "chat": (LLM, ChatModel),
    "embedding": (EmbeddingModel,),
    "image": (ImageModel,),
    "rerank": (AuthoredModel,),
}
_DOES: dict[Kind, str] = {
    "chat": "answers",
    "embedding": "makes embeddings",
    "image": "makes images",
    "rerank": "ranks",
}


class Provider(Protocol):
    """Gives models."""

    @property
    def is_handler(self) -> bool:
        """Whether it is a LiteLLM handler, which gets the caller's parameters as they are."""
        ...

    def model_for(self, kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        """Return the model that answers a kind of call under a name.

        Raises:
            InputError: It has none for that kind.
        """
        ...


class ModelProvider:
    """Has one model, which answers under every name."""

    is_handler = False

    def __init__(self, model: AuthoredModel) -> None:
        self.model = model
        """The model."""

    def model_for(self, kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        """Return the model, when it is of that kind; its key and address are its own fields."""
        if not isinstance(self.model, _CLASSES[kind]):
            raise InputError(f"{type(self.model).__name__} is no model that {_DOES[kind]}", param="model")
        return self.model


class HandlerProvider:
    """Has a LiteLLM handler, of which a model is made for each kind of call."""

    is_handler = True

    def __init__(self, handler: Any, fields: Mapping[str, Any] | None = None) -> None:
        self.handler = handler
        """The handler."""
        self._models = HandlerModels(handler, fields)

    def model_for(self, kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        """Return the handler's model of that kind.

        Raises:
            CustomLLMError: The handler has no method for it: 500, "Not implemented yet!".
        """
        return self._models.model(kind)


class FactoryProvider:
    """Makes a model for each name, key and address, and keeps it for the next equal call: with it its connections."""

    is_handler = False

    def __init__(self, make: Callable[..., Any], fields: Mapping[str, Any] | None = None) -> None:
        """Make one.

        Args:
            make: Called with the kind, the name, `api_key=`, `api_base=` and the fields; returns a model.
            fields: What each model is made with, beside these.
        """
        self._make = make
        self._fields = dict(fields or {})
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def with_fields(self, fields: Mapping[str, Any]) -> FactoryProvider:
        """Return one that makes its models with these fields too; it shares no model with this one."""
        return FactoryProvider(self._make, {**self._fields, **fields})

    def made(self) -> list[Any]:
        """Return the models that it keeps."""
        with self._lock:
            return list(self._made.values())

    def model_for(self, kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        """Return the model for these; see `make`.

        Raises:
            InputError: The caller's name, key or address is none.
        """
        place = (kind, name, api_key, api_base)
        with self._lock:
            model = self._made.get(place)
            if model is not None:
                self._made.move_to_end(place)
                return model
        try:
            model = self.new_model(kind, name, api_key=api_key, api_base=api_base)
        except InputError:
            raise
        except ValueError as error:  # a caller's mistake: to ask again does not help
            raise InputError(str(error)) from error
        with self._lock:
            model = self._made.setdefault(place, model)
            while len(self._made) > MAX_MADE:
                self._made.popitem(last=False)
        return model

    def new_model(self, kind: Kind, name: str, *, api_key: str | None = None, api_base: str | None = None) -> Any:
        """Return a model for these that is not kept; key and address win over those of the fields."""
        fields = dict(self._fields)
        own_key, own_base, own_url = (fields.pop(field, None) for field in ("api_key", "api_base", "base_url"))
        return self._make(kind, name, api_key=api_key or own_key, api_base=api_base or own_base or own_url, **fields)


def provider_of(value: Any, fields: Mapping[str, Any] | None = None) -> Provider:
    """Return the provider that a value is.

    Args:
        value: A model, a handler, or the class of either, which is made without arguments.
        fields: The framework's fields of the model or handler.

    Raises:
        InputError: It is none of these.
    """
    if isinstance(value, (ModelProvider, HandlerProvider, FactoryProvider)):
        return value
    foreign = foreign_model(value, fields or {})
    if foreign is not None:
        return ModelProvider(foreign)
    if isinstance(value, type):
        made: Any = cast("type[Any]", value)
        if issubclass(made, AuthoredModel):
            return ModelProvider(made(**(fields or {})))
        if is_handler(made):
            return HandlerProvider(made(), fields)
    elif isinstance(value, AuthoredModel):
        return ModelProvider(value.with_params(**fields) if fields else value)
    elif is_handler(value):
        return HandlerProvider(value, fields)
    raise InputError(
        f"{_shown(value)} is no provider; register a model (LLM, ChatModel, EmbeddingModel, ImageModel) or a "
        f"handler with one of {', '.join(HANDLER_METHODS[:4])}, …"
    )


def foreign_model(value: Any, params: Mapping[str, Any]) -> Any | None:
    """Return the model of another framework's object, or of a class, which is made with the params.

    Returns:
        None: The value is of no framework that is known, or no model there.
    """
    adapter = adapter_for(value)
    if adapter is None:
        return None
    if isinstance(value, type):
        return adapter.made_model(cast("type[Any]", value), params)
    return adapter.model_of(value, params)


def _shown(value: Any) -> str:
    """Return what a value is, without what is in it: it may hold a key."""
    if value is None or isinstance(value, type):
        return "None" if value is None else f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def is_handler(value: Any) -> bool:
    """Tell whether a value, or a class, is a handler or looks like one."""
    if isinstance(value, CustomLLM) or (isinstance(value, type) and issubclass(value, CustomLLM)):
        return True
    found = cast("Any", value)
    return any(callable(getattr(found, name, None)) for name in HANDLER_METHODS)
