"""One observed run: its identity, and telling its listeners what happens, in sync and in async calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from modelport.runs.loops import run_on_background_loop

if TYPE_CHECKING:
    from modelport.runs.listeners import Listener
    from modelport.runs.scope import Scope

UNKNOWN: Any = object()
"""Stands for an input that is not known yet: a stream's, when its run starts with the first piece."""


class Run:
    """Is one call of a model, chain, prompt or parser that somebody listens to.

    Each thing that happens has a sync method and an `a…` twin; both tell the same listeners in the same order.
    """

    __slots__ = (
        "_call_facts",
        "_id_text",
        "_parent_ids",
        "cached",
        "cancelled",
        "event_facts",
        "id",
        "inputs",
        "is_async",
        "kind",
        "listeners",
        "metadata",
        "name",
        "parent",
        "serialized",
        "tags",
        "token_listeners",
    )

    def __init__(
        self,
        scope: Scope,
        *,
        kind: str,
        name: str,
        serialized: dict[str, Any],
        is_async: bool,
        tags: Iterable[str] = (),
        metadata: dict[str, Any] | None = None,
        call_facts: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self.id: UUID = scope.run_id or uuid4()
        """The run's id."""
        self.kind = kind
        """One of llm, chat_model, chain, prompt, parser."""
        self.name = scope.run_name or name
        """The name that events and callbacks carry."""
        self.parent: Run | None = scope.parent
        """The run that made this one."""
        self.listen(scope.listeners)
        self.tags = list(dict.fromkeys((*scope.step_tags, *scope.tags, *tags)))
        """Inherited tags, then the runnable's own."""
        self.metadata = {**scope.metadata, **metadata} if metadata else dict(scope.metadata)
        """Inherited metadata, overlaid by the runnable's own."""
        self.serialized = serialized
        """What LangChain calls `serialized`: name and import path of the runnable's class."""
        self._call_facts = call_facts
        self.is_async = is_async
        """Whether listeners are awaited on the caller's loop."""
        self.cancelled = False
        """Whether the run was cut short by its consumer, a cancel or a deadline."""
        self.cached = False
        """Whether the answer came from the cache, not from the model."""
        self.inputs: Any = UNKNOWN
        """What the run was given."""
        self.event_facts: dict[str, Any] | None = None
        """What every event of this run carries; made when somebody wants events."""
        self._parent_ids: list[str] | None = None
        self._id_text: str | None = None

    def listen(self, listeners: tuple[Listener, ...]) -> None:
        """Set who hears of this run."""
        self.listeners = listeners
        self.token_listeners = tuple(listener for listener in listeners if listener.tokens)

    @property
    def call_facts(self) -> dict[str, Any]:
        """Keywords of a model's start event: `invocation_params`, `options`, `batch_size`."""
        return self._call_facts() if self._call_facts is not None else {}

    @property
    def is_model(self) -> bool:
        """Whether this is a run of a model."""
        return self.kind in {"llm", "chat_model"}

    @property
    def id_text(self) -> str:
        """The id as events carry it: a lower-case uuid text."""
        if self._id_text is None:
            self._id_text = str(self.id)
        return self._id_text

    @property
    def parent_ids(self) -> list[str]:
        """The ids of the runs around this one, the outermost first."""
        if self._parent_ids is None:
            self._parent_ids = [] if self.parent is None else [*self.parent.parent_ids, self.parent.id_text]
        return self._parent_ids

    def facts(self) -> dict[str, Any]:
        """Return the keywords that every callback gets."""
        return {
            "run_id": self.id,
            "parent_run_id": self.parent.id if self.parent is not None else None,
            "tags": self.tags,
        }

    # What listeners have to be waited for is collected alike; waiting is what sync and async callers do differently.
    def _tell(self, what: str, *args: Any) -> list[Awaitable[Any]]:
        told = [getattr(listener, what)(self, *args) for listener in self.listeners]
        return [awaitable for awaitable in told if awaitable is not None]

    def tell_token(self, chunk: Any) -> list[Awaitable[Any]] | None:
        """Tell one released piece of text; return what has to be waited for, when there is something."""
        pending: list[Awaitable[Any]] | None = None
        for listener in self.token_listeners:
            awaitable = listener.on_token(self, chunk)
            if awaitable is not None:
                pending = [*pending, awaitable] if pending else [awaitable]
        return pending

    def tell_piece(self, piece: Any) -> list[Awaitable[Any]] | None:
        """Tell one piece that a chain gives to its consumer; return what has to be waited for."""
        pending: list[Awaitable[Any]] | None = None
        for listener in self.listeners:
            awaitable = listener.on_stream(self, piece)
            if awaitable is not None:
                pending = [*pending, awaitable] if pending else [awaitable]
        return pending

    async def wait_for(self, pending: Iterable[Awaitable[Any]]) -> None:
        """Wait, on the running loop, for what a tell returned."""
        for awaitable in pending:
            await awaitable

    def block_for(self, pending: Iterable[Awaitable[Any]]) -> None:
        """Wait, in this thread, for what a tell returned."""
        for awaitable in pending:
            run_on_background_loop(_awaited(awaitable))

    def start(self, inputs: Any) -> None:
        """Tell that the run starts."""
        self.inputs = inputs
        self.block_for(self._tell("on_start", inputs))

    async def astart(self, inputs: Any) -> None:
        """Tell that the run starts."""
        self.inputs = inputs
        await self.wait_for(self._tell("on_start", inputs))

    def token(self, chunk: Any) -> None:
        """Tell one released piece of text."""
        if pending := self.tell_token(chunk):
            self.block_for(pending)

    async def atoken(self, chunk: Any) -> None:
        """Tell one released piece of text."""
        if pending := self.tell_token(chunk):
            await self.wait_for(pending)

    def end(self, outputs: Any) -> None:
        """Tell what the run gave."""
        self.block_for(self._tell("on_end", outputs))

    async def aend(self, outputs: Any) -> None:
        """Tell what the run gave."""
        await self.wait_for(self._tell("on_end", outputs))

    def error(self, error: BaseException, partial: Any = None) -> None:
        """Tell that the run failed."""
        self.block_for(self._tell("on_error", error, partial))

    async def aerror(self, error: BaseException, partial: Any = None) -> None:
        """Tell that the run failed."""
        await self.wait_for(self._tell("on_error", error, partial))

    def retry(self, state: Any) -> None:
        """Tell that a failed step is tried again."""
        self.block_for(self._tell("on_retry", state))

    async def aretry(self, state: Any) -> None:
        """Tell that a failed step is tried again."""
        await self.wait_for(self._tell("on_retry", state))


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
