"""What the framework keeps about one model: slots, its own loop, whether it is loaded.

It is made at first use, never copied or pickled with the model, and made anew in a forked child.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from modelport.engine.slots import Slots
from modelport.runs.loops import LoopThread

WORKER_LIMIT = 32
"""How many threads bridge a model's sync hooks for async callers, when `max_concurrency` is None."""

_lock = threading.Lock()
_generation = 0


class ModelState:
    """Is the framework's own state of one model."""

    __slots__ = (
        "batcher",
        "generation",
        "load_lock",
        "loaded",
        "loading",
        "lock",
        "loop",
        "said",
        "slots",
        "token",
        "workers",
    )

    def __init__(self) -> None:
        self.generation = _generation
        self.lock = threading.Lock()
        """Guards making the other parts."""
        self.load_lock = threading.RLock()
        """Held while `_load` or `_unload` runs."""
        self.loading = False
        """Whether `_load` is running."""
        self.slots: Slots | None = None
        """The slots of `max_concurrency`; None without a limit."""
        self.workers: Slots | None = None
        """The slots of bridging threads; None until one is needed."""
        self.batcher: Any = None
        """The `Batcher` of single answers; None until one is needed."""
        self.loop: LoopThread | None = None
        """The loop of a `single_loop` model; None until one is needed."""
        self.loaded = False
        """Whether `_load` has run."""
        self.token = uuid4().hex
        """Names this one instance, in this process and beside any other."""
        self.said: set[str] = set()
        """What has been logged once already."""

    def slots_for(self, limit: int) -> Slots:
        """Return the slots of `max_concurrency`, made anew when the field was changed."""
        slots = self.slots
        if slots is None or slots.limit != limit:
            with self.lock:
                if self.slots is None or self.slots.limit != limit:
                    self.slots = Slots(limit)
                slots = self.slots
        return slots

    def worker_slots(self) -> Slots:
        """Return the slots of bridging threads."""
        if self.workers is None:
            with self.lock:
                self.workers = self.workers or Slots(WORKER_LIMIT)
        return self.workers

    def own_loop(self) -> LoopThread:
        """Return the loop thread that a `single_loop` model's async hooks run on."""
        if self.loop is None:
            with self.lock:
                self.loop = self.loop or LoopThread("modelport-model-loop", 0)
        return self.loop


def state_of(model: Any) -> ModelState:
    """Return the framework's state of a model, which keeps it in its one slot `_modelport_state`."""
    state: ModelState | None = getattr(model, "_modelport_state", None)
    if state is None or state.generation != _generation:
        with _lock:
            state = getattr(model, "_modelport_state", None)
            if state is None or state.generation != _generation:
                state = ModelState()
                object.__setattr__(model, "_modelport_state", state)
    return state


def say_once(state: ModelState, what: str, say: Callable[[], None]) -> None:
    """Do `say` the first time that `what` comes up for this model."""
    if what not in state.said:
        state.said.add(what)
        say()


def _forget_after_fork() -> None:
    """Make every state stale: its locks, threads and loops belong to the parent process."""
    global _generation, _lock
    _generation += 1
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
