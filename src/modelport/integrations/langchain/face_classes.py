"""The LangChain class of each modelport class: made once, with the model's name and the model's fields."""

from __future__ import annotations

import sys
import threading
from copy import copy
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from modelport.integrations.langchain.chat_face import ChatFace, takes_tools
from modelport.integrations.langchain.faces import HELD
from modelport.integrations.langchain.text_face import TextFace
from modelport.models.base import AuthoredModel

_DEFAULTS: dict[str, tuple[Any, str]] = {
    "stop": (list[str] | None, "Where answers stop, when a call does not say it."),
    "max_tokens": (int | None, "How long answers are at most, in tokens, when a call does not say it."),
    "timeout": (float | None, "How long a call takes at most, in seconds, when it does not say it."),
}
"""Fields that LangChain's users look for, and that every face has unless the model's author declared them."""
_lock = threading.Lock()


def face_class(cls: type[AuthoredModel], *, as_chat: bool) -> type[Any]:
    """Return the LangChain class of a modelport class, always the same one."""
    made = cls.__dict__.get("__modelport_langchain__")
    if made is None or as_chat not in made:
        with _lock:
            made = cls.__dict__.get("__modelport_langchain__", {})
            if as_chat not in made:
                made = {**made, as_chat: _new_class(cls, as_chat)}
                cls.__modelport_langchain__ = made  # pyright: ignore[reportAttributeAccessIssue]
    return made[as_chat]


def empty_face(cls: type[AuthoredModel], as_chat: bool) -> Any:
    """Return an instance without any state, for a pickle to fill."""
    made: Any = face_class(cls, as_chat=as_chat)
    return made.__new__(made)


def _new_class(cls: type[AuthoredModel], as_chat: bool) -> type[Any]:
    base: Any = ChatFace if as_chat else TextFace
    taken = cast("dict[str, FieldInfo]", base.model_fields)
    mirrored = tuple(name for name in cls.author_fields() if name not in taken and not hasattr(base, name))
    fields: dict[str, Any] = {name: (cls.model_fields[name].annotation, _mirror(cls, name)) for name in mirrored}
    defaults = frozenset(_DEFAULTS) - set(cls.model_fields)
    for name in sorted(defaults):
        kind, words = _DEFAULTS[name]
        fields[name] = (kind, Field(default=None, description=words, repr=False))
    fields[HELD] = (Any, Field(default=None, exclude=True, repr=False))
    hooks = cls.__modelport_hooks__
    theirs: Any = BaseChatModel if as_chat else BaseLLM
    missing: list[str] = []
    if hooks.stream is None:
        missing += ["_stream", "_astream"]  # LangChain asks by identity whether a class streams
    if as_chat and not takes_tools(cls):
        missing.append("bind_tools")  # and whether it has tools
    made: Any = create_model(cls.__name__, __base__=base, __module__=cls.__module__, __doc__=cls.__doc__, **fields)
    for name in missing:
        setattr(made, name, getattr(theirs, name))
    made.__qualname__ = cls.__qualname__
    made.__modelport_class__ = cls
    made.__modelport_as_chat__ = as_chat
    made.__modelport_mirrored__ = mirrored
    made.__modelport_defaults__ = defaults
    made.__modelport_path__ = _path_of(cls)
    return made


def _mirror(cls: type[AuthoredModel], name: str) -> FieldInfo:
    """Return a field for LangChain's class: the model's own, by its name only."""
    field = copy(cls.model_fields[name])
    field.alias = field.validation_alias = field.serialization_alias = None
    field.validate_default = False
    if field.is_required():
        field.default = None  # which fields have to be given is said by the model's class, in its own words
    return field


def _path_of(cls: type) -> str | None:
    """Return `module:Class` of a class that can be imported."""
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return f"{cls.__module__}:{cls.__qualname__}" if found is cls else None
