"""Where LangChain's `load` finds the classes of faces: `module:Class` is an attribute of this module.

A dump names `["modelport", "integrations", "langchain", "exported", "my_models:MyLLM"]`; `load` imports this module
and asks it for the last of these. Which dumps are loaded is what `load` is told by `allowed_objects`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from modelport.integrations.langchain.face_classes import face_class
from modelport.models.base import AuthoredModel


def __getattr__(name: str) -> Any:
    module, _, rest = name.partition(":")
    path, _, kind = rest.partition(":")
    if not path or kind not in ("", "chat", "llm"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if not isinstance(found, type) or not issubclass(found, AuthoredModel):
        raise AttributeError(f"{name!r} is no model of modelport")  # noqa: TRY004 - it is what an import expects
    return face_class(found, as_chat=kind == "chat" if kind else found.__modelport_kind__ == "chat_model")
