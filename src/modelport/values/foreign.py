"""Objects of other frameworks: which integration makes ours of them. It is imported when the first one comes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol, cast


class Adapter(Protocol):
    """Is the module of an integration that makes our objects of a framework's."""

    def model_of(self, value: Any, fields: Mapping[str, Any]) -> Any | None:
        """Return the model of a framework's object, made with our own fields; None: it is none of a model's kind."""
        ...

    def made_model(self, cls: type[Any], params: Mapping[str, Any]) -> Any | None:
        """Return the model of a framework's class, made with its own and our fields; None: it is no model's class."""
        ...

    def step_of(self, value: Any) -> Any | None:
        """Return the runnable of a framework's object; None: it can be no step of a pipe."""
        ...

    def tool_of(self, value: Any) -> dict[str, Any] | None:
        """Return OpenAI's dict of a framework's tool; None: it is no tool."""
        ...

    def listener_of(self, handler: Any) -> Any | None:
        """Return who tells a framework's callback handler of our runs; None: it is no such handler."""
        ...

    def scope_of(self, callbacks: Any) -> Any | None:
        """Return the place in a run tree that a framework's `callbacks` are; None: they are no such thing."""
        ...

    def callbacks_of(self, scope: Any) -> Any:
        """Return what the framework's code takes as `callbacks` for a place in our run tree."""
        ...

    def ambient_scope(self) -> Any | None:
        """Return the place in a run tree that the running code has in the framework; None: it has none."""
        ...


_MODULES = {"langchain_core": "modelport.integrations.langchain.adapter"}
"""The modules of adapters by the top-level package whose classes they know."""
LANGCHAIN = "langchain_core.runnables.config"
"""The module without which no code runs inside LangChain."""


def add_adapter(package: str, module: str) -> None:
    """Let a module be asked for objects whose classes descend from a package's; the last one of a package counts.

    Args:
        package: A top-level package's name.
        module: The import path of a module with the functions of `Adapter`; it is imported when such an object comes.
    """
    _MODULES[package] = module
    _module_of.cache_clear()


def adapter_for(value: Any) -> Adapter | None:
    """Return the adapter for an object, or a class, of another framework; None: it is of none that is known."""
    module = _module_of(cast("type[Any]", value if isinstance(value, type) else type(value)))
    return None if module is None else cast("Adapter", importlib.import_module(module))


def foreign_scope() -> Any | None:
    """Return the place in LangChain's run tree of the running code; None: it does not run inside LangChain."""
    # Asked at every call that nobody listens to: most are not inside, and that has to be found out fast.
    variable: Any = getattr(sys.modules.get(LANGCHAIN), "var_child_runnable_config", None)
    if variable is None or variable.get() is None:
        return None
    return _langchain().ambient_scope()


def callbacks_for_code(scope: Any) -> Any:
    """Return what an author's code is given as `callbacks`: where LangChain is in use, what its runnables take too."""
    return _langchain().callbacks_of(scope) if LANGCHAIN in sys.modules else scope


def _langchain() -> Adapter:
    return cast("Adapter", importlib.import_module(_MODULES["langchain_core"]))


@lru_cache(maxsize=512)
def _module_of(cls: type) -> str | None:
    for ancestor in cls.__mro__:
        module = _MODULES.get(ancestor.__module__.partition(".")[0])
        if module is not None:
            return module
    return None
