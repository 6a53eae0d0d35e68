"""What the LangChain face of every model has: the model's fields, name, identity, printing, pickling, serialization."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self, cast

from langchain_core.language_models import BaseLanguageModel
from pydantic import SecretBytes, SecretStr

from modelport.engine.cache_keys import OpaqueError, parts_of
from modelport.engine.tokens import counter_of
from modelport.models.base import AuthoredModel

HELD = "modelport_model"
"""The field that holds the model; it is in no dump and no print."""
_PLAIN = frozenset({type(None), bool, int, float, str})
_TRACED = frozenset({"model", "temperature", "max_tokens"})
"""Keywords of a call that LangChain's traces tell."""
_LS_PARAMS = "_modelport_ls_params"
_KEPT = ("_serialized", _LS_PARAMS)
"""What is kept of the fields, and stale when one changes."""


class ModelFace:
    """Is the part that the LangChain faces of text and chat models share.

    The model's own fields are mirrored as fields of LangChain's class. The face answers by the model it holds:
    setting a mirrored field gives it a copy of that model with the field changed; the model that `to_langchain` was
    given stays as it is.
    """

    __modelport_class__: ClassVar[type[AuthoredModel]]
    __modelport_as_chat__: ClassVar[bool]
    __modelport_mirrored__: ClassVar[tuple[str, ...]]
    __modelport_defaults__: ClassVar[frozenset[str]]
    __modelport_path__: ClassVar[str | None]
    """`module:Class` of the modelport class; None when it cannot be imported."""

    def __init__(self, **data: Any) -> None:
        cls = type(self)
        given = {name: data.pop(name) for name in cls.__modelport_mirrored__ if name in data}
        model: Any = data.pop(HELD, None)
        if model is None:
            model = _made(cls.__modelport_class__, given)
        else:
            changed = {name: value for name, value in given.items() if value is not model.__dict__.get(name)}
            if changed:
                model = model.with_params(**changed)
        for name in ("name", "tags", "metadata"):
            if data.get(name) is None and (value := getattr(model, name)) is not None:
                data[name] = dict(value) if name == "metadata" else value
        values = {name: model.__dict__[name] for name in cls.__modelport_mirrored__}
        super().__init__(**data, **{HELD: model}, **{name: values[name] for name in values if _is_set(model, name)})
        self.__dict__.update(values)  # the model's own values, which its class checked; LangChain's copies are not them

    def __setattr__(self, name: str, value: Any) -> None:
        for kept in _KEPT:
            self.__dict__.pop(kept, None)
        if name not in type(self).__modelport_mirrored__:
            super().__setattr__(name, value)
            return
        model = self._model.with_params(**{name: value})
        super().__setattr__(HELD, model)
        fields = cast("set[str]", getattr(self, "__pydantic_fields_set__"))  # noqa: B009 - pydantic's, for all classes
        fields.add(name)
        self.__dict__.update({one: model.__dict__[one] for one in type(self).__modelport_mirrored__})

    @property
    def _model(self) -> AuthoredModel:
        return self.__dict__[HELD]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with some fields changed."""
        own = {name: value for name, value in (update or {}).items() if name in type(self).__modelport_mirrored__}
        others = {name: value for name, value in (update or {}).items() if name not in own}
        copy = cast("Self", cast("Any", super()).model_copy(update=others, deep=deep))
        for kept in _KEPT:
            copy.__dict__.pop(kept, None)
        for name, value in own.items():
            setattr(copy, name, value)
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the face with its model: its class is made anew of the model's."""
        from modelport.integrations.langchain.face_classes import empty_face

        cls = type(self)
        state = cast("Any", self).__getstate__()
        state["__dict__"] = {name: value for name, value in state["__dict__"].items() if name not in _KEPT}
        return empty_face, (cls.__modelport_class__, cls.__modelport_as_chat__), state

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return self._model.__repr_args__()

    @property
    def _llm_type(self) -> str:
        return self._model.llm_type()

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        model = self._model
        params = dict(model.identity())
        # LangChain asks for them at every call, and most models have no field that could hold a secret.
        return params if _PLAIN.issuperset(map(type, model.__dict__.values())) else model.scrub(params)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        theirs: Any = getattr(super(), "_get_ls_params")  # noqa: B009 - LangChain's, of all its models
        if not _TRACED.isdisjoint(kwargs):
            return theirs(stop=stop, **kwargs)
        known = self.__dict__.get(_LS_PARAMS)
        if known is None:  # LangChain looks for attributes that are not there, which takes pydantic long
            known = self.__dict__[_LS_PARAMS] = theirs()
        return {**known, "ls_stop": stop} if stop else dict(known)

    def _difference(self, kwargs: Mapping[str, Any]) -> dict[str, str]:
        """Return what tells answers apart that LangChain's cache would take for the same: fields and keywords."""
        values = {name: self._model.__dict__[name] for name in type(self).__modelport_mirrored__}
        found: dict[str, str] = {}
        for name, value in {**values, **kwargs}.items():
            # What has contents that cannot be told counts as LangChain's own classes let it count: not at all.
            with contextlib.suppress(OpaqueError, RecursionError):
                found[name] = repr(parts_of(value))
        return found

    def get_num_tokens(self, text: str) -> int:
        """Return how many tokens a text has, by the model's `_count_tokens` when it has one."""
        count = counter_of(cast("Any", self._model))
        own = cast("BaseLanguageModel[Any]", self).custom_get_token_ids
        if count is None or own is not None:
            return cast("Any", super()).get_num_tokens(text)
        return count(text)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Tell whether the model's class can be imported, so that a dump can be loaded."""
        return cls.__modelport_path__ is not None

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Return the module that finds the class of a dump."""
        return ["modelport", "integrations", "langchain", "exported"]

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return where a dump's class is found."""
        name = cls.__modelport_path__ or cls.__name__
        is_usual = cls.__modelport_as_chat__ == (cls.__modelport_class__.__modelport_kind__ == "chat_model")
        return [
            *cls.get_lc_namespace(),
            name if is_usual else f"{name}:{'chat' if cls.__modelport_as_chat__ else 'llm'}",
        ]

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Return the fields that a dump leaves out: each is found again under its upper-case name."""
        values = self._model.__dict__
        names = type(self).__modelport_mirrored__
        return {name: name.upper() for name in names if isinstance(values[name], (SecretStr, SecretBytes))}


def _is_set(model: AuthoredModel, name: str) -> bool:
    return name in model.model_fields_set


def _made(cls: type[AuthoredModel], given: Mapping[str, Any]) -> AuthoredModel:
    """Return a model of fields that are given by their names, also where the class takes them by an alias."""
    by_name = cls.model_config.get("populate_by_name") or cls.model_config.get("validate_by_name")
    fields: dict[str, Any] = {}
    for name, value in given.items():
        alias = cls.model_fields[name].validation_alias
        fields[alias if isinstance(alias, str) and not by_name else name] = value
    return cls(**fields)
