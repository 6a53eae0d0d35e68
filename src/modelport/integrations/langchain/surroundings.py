"""Where our calls stand in LangChain's run tree, and LangChain's in ours."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackManager, CallbackManager
from langchain_core.runnables.config import var_child_runnable_config

from modelport.integrations.langchain.listeners import LangChainListener
from modelport.runs.listeners import Listener, listeners_for
from modelport.runs.run import Run
from modelport.runs.scope import Scope

_BRIDGE = "modelport.integrations.langchain.bridge"
"""The module whose handlers tell all of our listeners of LangChain's runs."""
_OURS = "modelport_scope"
"""The attribute by which a manager that was made of a scope of ours knows it."""


class ForeignRun:
    """Stands for the run of LangChain's around ours; only its id is known."""

    __slots__ = ("id",)

    parent: Run | None = None
    listeners: tuple[Listener, ...] = ()

    def __init__(self, run_id: UUID) -> None:
        self.id = run_id
        """The run's id, which runs inside it name as their parent's."""

    @property
    def id_text(self) -> str:
        """The id as events carry it."""
        return str(self.id)

    @property
    def parent_ids(self) -> list[str]:
        """No ids: who is around it is LangChain's to know."""
        return []


def scope_of_manager(manager: BaseCallbackManager) -> Scope:
    """Return the place in a run tree that a callback manager is: `run_manager.get_child()`, `config["callbacks"]`."""
    known: Scope | None = getattr(manager, _OURS, None)
    if known is not None:
        return known.with_handlers([one for one in manager.handlers if not is_bridge(one)])
    scope = Scope()
    handlers = [*manager.handlers, *(one for one in manager.inheritable_handlers if one not in manager.handlers)]
    scope.listeners = listeners_for(handlers)
    if manager.parent_run_id is not None:
        scope.parent = cast("Run", ForeignRun(manager.parent_run_id))
    scope.tags = tuple(manager.inheritable_tags)
    scope.step_tags = tuple(tag for tag in manager.tags if tag not in manager.inheritable_tags)
    scope.metadata = dict(manager.inheritable_metadata)
    return scope


def scope_of_surroundings() -> Scope | None:
    """Return the place in LangChain's run tree of the code that runs now; None: nobody hears of it."""
    config = var_child_runnable_config.get()
    if not config:
        return None
    callbacks: Any = config.get("callbacks")
    if isinstance(callbacks, BaseCallbackManager):
        scope = scope_of_manager(callbacks)
    else:
        scope = Scope().with_handlers(callbacks)
    configurable, limit = config.get("configurable"), config.get("max_concurrency")
    if not scope.listeners and not configurable and limit is None:
        return None
    scope.tags = tuple(dict.fromkeys((*scope.tags, *(config.get("tags") or ()))))
    scope.metadata = {**scope.metadata, **(config.get("metadata") or {})}
    scope.configurable = dict(configurable or {})
    scope.max_concurrency = limit
    return scope


def manager_of_scope(scope: Scope) -> BaseCallbackManager:
    """Return the callback manager by which LangChain's runnables join our run tree at a scope."""
    manager: Any = config_inside(scope, is_async=is_on_a_loop())["callbacks"]
    setattr(manager, _OURS, scope)
    return manager


def config_inside(scope: Scope | None, *, is_async: bool) -> dict[str, Any]:
    """Return the config of a LangChain runnable that runs in a scope of ours: its runs join our run tree.

    LangChain's own handlers hear of them directly, ours by way of a bridge.
    """
    cls = AsyncCallbackManager if is_async else CallbackManager
    if scope is None:
        return {"callbacks": cls(handlers=[])}  # not None, which would mean: what LangChain's context has
    handlers: list[Any] = [one.handler for one in scope.listeners if isinstance(one, LangChainListener)]
    others = tuple(one for one in scope.listeners if not isinstance(one, LangChainListener))
    if others:
        from modelport.integrations.langchain.bridge import bridge_to

        handlers.append(bridge_to(scope, others, is_async=is_async))
    tags = [*scope.tags, *scope.step_tags]
    manager = cls(
        handlers=handlers,
        inheritable_handlers=list(handlers),
        parent_run_id=scope.parent.id if scope.parent is not None else None,
        tags=tags,
        inheritable_tags=list(scope.tags),
        metadata=dict(scope.metadata),
        inheritable_metadata=dict(scope.metadata),
    )
    config: dict[str, Any] = {"callbacks": manager}
    if scope.configurable:
        config["configurable"] = scope.configurable
    if scope.max_concurrency is not None:
        config["max_concurrency"] = scope.max_concurrency
    if scope.run_name:
        config["run_name"] = scope.run_name
    if scope.run_id:
        config["run_id"] = scope.run_id
    return config


def is_bridge(handler: Any) -> bool:
    """Tell whether a handler of LangChain's is the one that tells our listeners."""
    return type(handler).__module__ == _BRIDGE


def is_on_a_loop() -> bool:
    """Tell whether the running code is on an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
