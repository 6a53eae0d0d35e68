"""Genuine LangChain objects of our models, and models of LangChain's objects; needs the extra `langchain`.

`langchain_core` is imported when the first name is asked for, and only in this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelport.values.errors import MissingExtraError

if TYPE_CHECKING:
    from modelport.integrations.langchain.embeddings import to_langchain_embeddings
    from modelport.integrations.langchain.export import to_langchain
    from modelport.integrations.langchain.foreign import from_langchain

__all__ = ["from_langchain", "to_langchain", "to_langchain_embeddings"]

_MODULES = {
    "from_langchain": "foreign",
    "to_langchain": "export",
    "to_langchain_embeddings": "embeddings",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "langchain_core":
            raise
        raise MissingExtraError(f"modelport.integrations.langchain.{name}", "langchain") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
