"""What the lower floors ask of LangChain's objects when one comes: its model, its step, its listener, its place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseLanguageModel
from langchain_core.runnables import Runnable as LangChainRunnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ValidationError

from modelport.integrations.langchain.foreign import from_langchain, model_or_none
from modelport.integrations.langchain.foreign_object import declared_fields
from modelport.models.base import FRAMEWORK_FIELDS
from modelport.models.construction import construction_error
from modelport.runs.listeners import Listener
from modelport.runs.scope import Scope

_KINDS = (BaseLanguageModel, Embeddings, LangChainRunnable)


def model_of(value: Any, fields: Mapping[str, Any]) -> Any | None:
    """Return the model of a LangChain object; None: it is none that can answer."""
    return from_langchain(value, **fields) if isinstance(value, _KINDS) else None


def made_model(cls: type[Any], params: Mapping[str, Any]) -> Any | None:
    """Return the model of a LangChain class that is made with the params which are its own; the others are ours.

    Raises:
        TypeError: A param is no field of either; the message names the nearest.
        ValueError: A field of the class is missing or wrong; the message names it and shows no value.
    """
    if not issubclass(cls, _KINDS):
        return None
    own = declared_fields(cast("type[BaseModel]", cls)) if issubclass(cls, BaseModel) else []
    ours = {name: value for name, value in params.items() if name in FRAMEWORK_FIELDS and name not in own}
    given = {name: value for name, value in params.items() if name not in ours}
    made = _made(cast("type[Any]", cls), given)
    return model_or_none(made, ours)


def _made(cls: type[Any], given: Mapping[str, Any]) -> Any:
    if not issubclass(cls, BaseModel):
        return cls(**given)
    if cls.model_config.get("extra") != "allow":
        _refuse_unknown(cls, given)
    try:
        return cls(**given)
    except ValidationError as error:
        refused = construction_error(cls, declared_fields(cls), error)
    # Raised outside of the handler: as its context, pydantic's error would carry the refused values along.
    raise refused


def _refuse_unknown(cls: type[BaseModel], given: Mapping[str, Any]) -> None:
    """Refuse a param that LangChain would drop without a word."""
    known: dict[str, None] = dict.fromkeys(cls.model_fields)
    known.update((field.alias, None) for field in cls.model_fields.values() if field.alias)
    if any("before" in str(one.info.mode) for one in cls.__pydantic_decorators__.model_validators.values()):
        return  # the class reads what it is given by itself
    for name in given:
        if name not in known:
            own = declared_fields(cls)
            near = difflib.get_close_matches(name, [*own, *FRAMEWORK_FIELDS], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its fields are {', '.join(own) or 'none'}"
            raise TypeError(f"{cls.__name__} has no field {name!r}; {hint}")


def step_of(value: Any) -> Any | None:
    """Return the step of a pipe that a LangChain runnable is: a model of ours, or the runnable between conversions."""
    if not isinstance(value, LangChainRunnable):
        return None
    from modelport.integrations.langchain.steps import step_for

    return step_for(value)  # pyright: ignore[reportUnknownArgumentType]


def tool_of(value: Any) -> dict[str, Any] | None:
    """Return OpenAI's dict of a LangChain tool; None: it is none."""
    return convert_to_openai_tool(value) if isinstance(value, BaseTool) else None


def listener_of(handler: Any) -> Listener | None:
    """Return who tells a LangChain callback handler of our runs, in LangChain's own objects."""
    if not isinstance(handler, BaseCallbackHandler):
        return None
    from modelport.integrations.langchain.listeners import LangChainListener

    return LangChainListener(handler)


def scope_of(callbacks: Any) -> Scope | None:
    """Return the place in a run tree that a LangChain callback manager is."""
    if not isinstance(callbacks, BaseCallbackManager):
        return None
    from modelport.integrations.langchain.surroundings import scope_of_manager

    return scope_of_manager(callbacks)


def callbacks_of(scope: Scope) -> BaseCallbackManager:
    """Return the LangChain callback manager for a place in our run tree; handed to a model of ours it is that place."""
    from modelport.integrations.langchain.surroundings import manager_of_scope

    return manager_of_scope(scope)


def ambient_scope() -> Scope | None:
    """Return the place in LangChain's run tree of the code that runs now."""
    from modelport.integrations.langchain.surroundings import scope_of_surroundings

    return scope_of_surroundings()
