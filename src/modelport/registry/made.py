"""From what an import path or a provider's name stands for, and params, to the provider of a model or handler."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any, cast

from modelport.models.base import FRAMEWORK_FIELDS, AuthoredModel
from modelport.registry.loader import described
from modelport.registry.provider import (
    FactoryProvider,
    HandlerProvider,
    ModelProvider,
    Provider,
    foreign_model,
    is_handler,
    provider_of,
)
from modelport.registry.providers import provider_of_found
from modelport.values.errors import LoadError
from modelport.values.foreign import adapter_for


def made_provider(found: Any, params: Mapping[str, Any], name: str) -> Provider:
    """Return the provider that a value is with some params.

    Args:
        found: A model or handler, the class of either, or a provider.
        params: For a class the arguments that it is made with, the framework's fields (`max_concurrency`, `cache`, …)
            of a handler among them; for an instance the framework's fields.
        name: What errors call it.

    Raises:
        LoadError: It is none of these, cannot be made, or does not take the params; the cause is the original error.
    """
    try:
        if isinstance(found, type):
            cls = cast("type[Any]", found)
            foreign = foreign_model(cls, params)
            if foreign is not None:
                return ModelProvider(foreign)
            if issubclass(cls, AuthoredModel):
                return ModelProvider(cls(**params))
            if is_handler(cls):
                return _made_handler(cls, params)
        elif isinstance(found, FactoryProvider):
            return found.with_fields(params) if params else found
        elif _is_instance(found):
            return _of_instance(found, params, name)
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(f"{name!r} cannot be made: {described(error)}") from error
    raise LoadError(
        f"{name!r} is {_what(found)}, not a model; it must be a subclass or an instance of LLM, ChatModel, "
        f"EmbeddingModel, ImageModel or CustomLLM"
    )


def _is_instance(found: Any) -> bool:
    """Tell whether it is a model or handler, or of a framework whose objects may be one."""
    ours = isinstance(found, (ModelProvider, HandlerProvider, AuthoredModel))
    return ours or is_handler(found) or adapter_for(found) is not None


def takes(found: Any, param: str) -> bool:
    """Tell whether the constructor of a class names a parameter."""
    if not isinstance(found, type):
        return False
    cls = cast("type[Any]", found)
    if issubclass(cls, AuthoredModel):
        return param in cls.model_fields
    return param in _parameters(cls)


def _made_handler(cls: type[Any], params: Mapping[str, Any]) -> Provider:
    own = _parameters(cls)
    fields = {name: value for name, value in params.items() if name in FRAMEWORK_FIELDS and name not in own}
    given = {name: value for name, value in params.items() if name not in fields}
    if given and not any(one.kind is one.VAR_KEYWORD for one in own.values()):
        for name in given:
            if name not in own:
                near = difflib.get_close_matches(name, own, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(own) or 'none'}"
                raise TypeError(f"{cls.__name__} has no parameter {name!r}; {hint}")
    handler = cls(**given)
    return HandlerProvider(handler, fields) if fields else provider_of_found(handler)


def _parameters(cls: type[Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(cls).parameters)
    except (TypeError, ValueError):
        return {}


def _of_instance(found: Any, params: Mapping[str, Any], name: str) -> Provider:
    others = [param for param in params if param not in FRAMEWORK_FIELDS]
    if others:
        raise LoadError(f"{name!r} is an instance and takes no params ({', '.join(others)}); name its class instead")
    if not params:
        return provider_of_found(found)
    if isinstance(found, ModelProvider):
        found = found.model
    elif isinstance(found, HandlerProvider):
        found = found.handler
    return provider_of(found, params)


def _what(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
