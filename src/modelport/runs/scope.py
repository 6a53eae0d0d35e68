"""The surroundings that a call inherits: who listens, the parent run, tags, and the deadline.

A `Scope` is immutable. It travels explicitly, as `config["callbacks"]` of a step, and through one context variable
into the author's own code, so that a model called inside a hook or a function joins the same run tree and deadline.
`None` stands for "nobody asked for anything", which every hot path tests first.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from uuid import UUID

from modelport.runs.config import check_config, placed
from modelport.values.errors import InputError
from modelport.values.foreign import LANGCHAIN, callbacks_for_code, foreign_scope

if TYPE_CHECKING:
    from modelport.runs.listeners import Listener
    from modelport.runs.run import Run

SCOPE: ContextVar[Scope | None] = ContextVar("modelport_scope", default=None)
"""The scope of the code that runs now."""

LONGEST_SECONDS = 1e9
"""The longest timeout that is one, thirty years: clocks and locks cannot count to infinity, which is no timeout."""


class Scope:
    """Is what one call inherits from the calls around it and from its config."""

    __slots__ = (
        "configurable",
        "deadline",
        "first_token_deadline",
        "held",
        "leads",
        "listeners",
        "max_concurrency",
        "metadata",
        "owns_context",
        "parent",
        "run_id",
        "run_name",
        "step_tags",
        "tags",
    )

    def __init__(self) -> None:
        self.listeners: tuple[Listener, ...] = ()
        """Who hears of this call and of all calls inside it."""
        self.parent: Run | None = None
        """The run that the next run is a child of."""
        self.tags: tuple[str, ...] = ()
        """Tags of the next run and of all runs inside it."""
        self.step_tags: tuple[str, ...] = ()
        """Tags of the next run only (`seq:step:1`)."""
        self.metadata: dict[str, Any] = {}
        """Metadata of the next run and of all runs inside it."""
        self.deadline: float | None = None
        """When the outermost call ends at the latest, on `time.monotonic()`'s clock."""
        self.first_token_deadline: float | None = None
        """When the first chunk must have come, on the same clock."""
        self.held: frozenset[int] = frozenset()
        """Ids of the model states whose slot the calling code holds: calls to those models take no second one."""
        self.leads: frozenset[str] = frozenset()
        """Keys of the answers that the calling code is finding for the cache: a call for one would wait for itself."""
        self.owns_context: bool = False
        """Whether the context that the next call runs in is that call's alone: it needs no other, then."""
        self.max_concurrency: int | None = None
        """How many items of one batch run at once."""
        self.configurable: dict[str, Any] = {}
        """Free values for the functions inside a chain."""
        self.run_name: str | None = None
        """Name of the next run only."""
        self.run_id: UUID | None = None
        """Id of the next run only."""

    def copy(self) -> Scope:
        """Return a copy that may be filled before anybody else sees it."""
        new = Scope.__new__(Scope)
        new.listeners, new.parent, new.tags = self.listeners, self.parent, self.tags
        new.step_tags, new.metadata, new.deadline = self.step_tags, self.metadata, self.deadline
        new.first_token_deadline, new.held, new.leads = self.first_token_deadline, self.held, self.leads
        new.max_concurrency, new.configurable = self.max_concurrency, self.configurable
        new.run_name, new.run_id = self.run_name, self.run_id
        new.owns_context = self.owns_context
        return new

    def inside(self, run: Run | None, tag: str | None = None) -> Scope:
        """Return the scope of the calls made by `run` (None: by this scope's parent); `tag` marks the next run only."""
        new = self.copy()
        if run is not None:
            new.parent = run
            new.listeners = run.listeners
        new.step_tags = (tag,) if tag else ()
        new.run_name = new.run_id = None
        new.owns_context = False
        return new

    def with_handlers(self, handlers: Sequence[Any] | None) -> Scope:
        """Return this scope with more callback handlers, each only once."""
        if not handlers:
            return self
        from modelport.runs.listeners import listeners_for

        new = self.copy()
        new.listeners = listeners_for(handlers, self.listeners)
        return new

    def next_deadline(self, *, started: bool) -> float | None:
        """Return until when the next chunk must come; of the first one it may be earlier."""
        if started or self.first_token_deadline is None:
            return self.deadline
        return _earlier(self.first_token_deadline, self.deadline)

    def as_config(self) -> dict[str, Any]:
        """Return this scope as a config, for a step or a function that takes one."""
        config: dict[str, Any] = {"callbacks": callbacks_for_code(self)}
        if self.tags:
            config["tags"] = list(self.tags)
        if self.metadata:
            config["metadata"] = dict(self.metadata)
        if self.configurable:
            config["configurable"] = self.configurable
        if self.max_concurrency is not None:
            config["max_concurrency"] = self.max_concurrency
        return config


def scope_of(config: Mapping[str, Any] | None) -> Scope | None:
    """Return the scope of a call with this config, made in the current surroundings.

    Raises:
        InputError: The config has a key or value that nothing would read.
    """
    ambient = SCOPE.get()
    if ambient is None and LANGCHAIN in sys.modules:
        ambient = foreign_scope()
    if not config:
        if config is not None:
            check_config(config)
        return ambient
    check_config(config)
    callbacks = placed(config.get("callbacks"))
    if isinstance(callbacks, Scope):
        scope, handlers = callbacks.copy(), None
        if ambient is not None:
            scope.held |= ambient.held
            scope.leads |= ambient.leads
            scope.deadline = _earlier(scope.deadline, ambient.deadline)
    else:
        scope, handlers = (ambient.inside(None) if ambient is not None else Scope()), callbacks
    if handlers:
        scope = scope.with_handlers(handlers)
    _take(scope, config)
    return scope


def _take(scope: Scope, config: Mapping[str, Any]) -> None:
    """Fill a fresh scope from the keys of a config that are not callbacks."""
    if tags := config.get("tags"):
        # LangChain sorts tags when two sources of them meet.
        scope.tags = tuple(sorted({*scope.tags, *tags})) if scope.tags else tuple(dict.fromkeys(tags))
    if metadata := config.get("metadata"):
        scope.metadata = {**scope.metadata, **metadata}
    if configurable := config.get("configurable"):
        scope.configurable = {**scope.configurable, **configurable}
    if (limit := config.get("max_concurrency")) is not None:
        scope.max_concurrency = limit
    if run_name := config.get("run_name"):
        scope.run_name = run_name
    if run_id := config.get("run_id"):
        scope.run_id = run_id if isinstance(run_id, UUID) else _uuid_of(run_id)
    timeout, first = config.get("timeout"), config.get("first_token_timeout")
    if timeout is not None or first is not None:
        now = time.monotonic()
        scope.deadline = _earlier(scope.deadline, deadline_after(now, timeout))
        scope.first_token_deadline = _earlier(scope.first_token_deadline, deadline_after(now, first))


def deadline_after(now: float, seconds: float | None) -> float | None:
    """Return when a timeout ends that begins now; None when it does not, because it is None or beyond all clocks."""
    return None if seconds is None or seconds > LONGEST_SECONDS else now + seconds


def _uuid_of(run_id: Any) -> UUID:
    try:
        return UUID(str(run_id))
    except ValueError:
        raise InputError(f"config['run_id'] must be a UUID, not {run_id!r}") from None


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
