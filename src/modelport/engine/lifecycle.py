"""Loading a model once, before its first call, and unloading it."""

from __future__ import annotations

import contextvars
import inspect
from typing import TYPE_CHECKING

from modelport.engine.bridge_async import call_in_thread
from modelport.engine.state import state_of
from modelport.runs.loops import run_on_background_loop

if TYPE_CHECKING:
    from modelport.engine.model import EngineModel


def load(model: EngineModel) -> None:
    """Run the model's `_load` unless it has run; concurrent callers wait for the one that runs it.

    Raises:
        Exception: Whatever `_load` raised; the next call tries again.
    """
    if not type(model).__modelport_hooks__.needs_load:
        return
    state = state_of(model)
    if state.loaded:
        return
    with state.load_lock:
        if state.loaded or state.loading:  # `_load` may call its own model: that call is not held up
            return
        state.loading = True
        try:
            _run_hook(model, "_load")
            state.loaded = True
        finally:
            state.loading = False


async def aload(model: EngineModel) -> None:
    """Run the model's `_load` as `load` does, without blocking the running loop."""
    if not type(model).__modelport_hooks__.needs_load or state_of(model).loaded:
        return
    await call_in_thread(lambda: load(model), contextvars.copy_context(), _nothing, _nothing)


def unload(model: EngineModel) -> None:
    """Run the model's `_unload`, when it has one and is loaded; the next call loads again."""
    state = state_of(model)
    with state.load_lock:
        if not state.loaded and type(model).__modelport_hooks__.needs_load:
            return
        state.loaded = False
        if "_unload" in type(model).__modelport_hooks__.defined:
            _run_hook(model, "_unload")


async def aunload(model: EngineModel) -> None:
    """Run the model's `_unload` as `unload` does, without blocking the running loop."""
    await call_in_thread(lambda: unload(model), contextvars.copy_context(), _nothing, _nothing)


def _run_hook(model: EngineModel, name: str) -> None:
    hook = getattr(model, name)
    if not inspect.iscoroutinefunction(hook):
        hook()
        return
    own = state_of(model).own_loop() if type(model).__modelport_hooks__.single_loop else None
    run_on_background_loop(hook(), loop=own)


def _nothing() -> None:
    """Do nothing: nobody has to be told."""
