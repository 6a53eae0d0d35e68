"""What our models of LangChain's objects share: who they say they are, how they print, and how they are pickled."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, cast

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseLanguageModel
from pydantic import BaseModel
from typing_extensions import override

from modelport.integrations.langchain.foreign_calls import unbound
from modelport.models.base import FRAMEWORK_FIELDS, AuthoredModel


class OfLangChain:
    """Is a model of ours that a LangChain object answers for."""

    langchain_model: Any
    """LangChain's object; `to_langchain` gives it back."""

    @property
    def __modelport_held_values__(self) -> list[Any]:
        """What the object keeps outside of fields: private attributes, those of a class that is no pydantic model."""
        inner: Any = unbound(self.langchain_model).model
        if isinstance(inner, BaseModel):
            private = inner.__pydantic_private__
            return list(private.values()) if private else []
        held: dict[str, Any] = getattr(inner, "__dict__", {})
        return list(held.values())

    @property
    def _llm_type(self) -> str:
        inner = unbound(self.langchain_model).model
        kind: Any = getattr(inner, "_llm_type", None)
        return kind if isinstance(kind, str) else type(inner).__name__

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        inner = unbound(self.langchain_model).model
        own: Any = getattr(inner, "_identifying_params", None)
        return dict(cast("Mapping[str, Any]", own)) if isinstance(own, Mapping) and own else own_fields(inner)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        model = cast("AuthoredModel", self)
        for name, value in own_fields(unbound(self.langchain_model).model).items():
            yield name, model.scrub(value)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle LangChain's object and our fields; the class is made anew."""
        from modelport.integrations.langchain.foreign import from_langchain

        model = cast("BaseModel", self)
        given = {name: getattr(model, name) for name in model.model_fields_set & FRAMEWORK_FIELDS}
        return _remade, (from_langchain, self.langchain_model, given)


def _remade(make: Any, langchain_model: Any, fields: Mapping[str, Any]) -> Any:
    return make(langchain_model, **fields)


def langchain_model_of(model: Any) -> Any | None:
    """Return the LangChain model, or embeddings, that one of our models was made of; None: it was made of none."""
    if not isinstance(model, OfLangChain) or not isinstance(model.langchain_model, (BaseLanguageModel, Embeddings)):
        return None
    return cast("Any", model.langchain_model)


def own_fields(value: Any) -> dict[str, Any]:
    """Return the fields that an object's author declared and shows, those that have a value; clients are not shown."""
    if not isinstance(value, BaseModel):
        return {}
    infos, values = type(value).model_fields, vars(value)
    shown = [name for name in declared_fields(type(value)) if infos[name].repr and not infos[name].exclude]
    return {name: values[name] for name in shown if values.get(name) is not None}


def declared_fields(cls: type[BaseModel]) -> list[str]:
    """Return the names of the fields that a class, or one it descends from outside of langchain_core, declares."""
    names = {
        name
        for ancestor in cls.__mro__
        if ancestor.__module__.partition(".")[0] not in ("langchain_core", "pydantic", "builtins", "abc", "typing")
        for name in inspect.get_annotations(ancestor)
    }
    return [name for name in cls.model_fields if name in names]
