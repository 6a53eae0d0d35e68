"""`run_manager`: what a hook may ask of, and tell, the run it works for (the names are the guide's).

It costs next to nothing while nobody asks: an empty object whose answers are class attributes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID, uuid4

from typing_extensions import override

from modelport.values.errors import InputError
from modelport.values.foreign import callbacks_for_code
from modelport.values.generations import GenerationChunk
from modelport.values.messages import AIMessageChunk, ChatGenerationChunk
from modelport.values.usage import Usage

if TYPE_CHECKING:
    from modelport.runs.run import Run
    from modelport.runs.scope import Scope

T = TypeVar("T", bound="LLMRun")


class _Done:
    """Is an awaitable that is done: one object serves every call that nobody listens to."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, None, None]: ...

    else:
        # The exhausted iterator gives itself, in C: awaiting costs no Python frame.
        __await__ = iter(()).__iter__


_DONE = _Done()


class LLMRun:
    """Is what both kinds of `run_manager` share: cancellation, deadline, and the author's own figures."""

    run: Run | None = None
    """The observed run; None when nobody listens."""
    scope: Scope | None = None
    """The scope of calls made by the hook."""
    fires: bool = False
    """Whether `on_llm_new_token` fires events: in `_call`, not in a streaming hook, where the framework does."""
    cancelled: bool = False
    """True once nobody waits for the answer any more; a long-running sync hook asks this now and then."""
    usage: Usage | None = None
    """What `report_usage` was told."""
    finish_reason: str | None = None
    """What `finish` was told."""
    _made_up_id: UUID | None = None

    @property
    def run_id(self) -> UUID:
        """The run's id; made up when nobody listens."""
        if self.run is not None:
            return self.run.id
        if self._made_up_id is None:
            self._made_up_id = uuid4()
        return self._made_up_id

    @property
    def parent_run_id(self) -> UUID | None:
        """The id of the run around this one."""
        return self.run.parent.id if self.run is not None and self.run.parent is not None else None

    @property
    def tags(self) -> list[str]:
        """The run's tags."""
        return self.run.tags if self.run is not None else []

    @property
    def metadata(self) -> dict[str, Any]:
        """The run's metadata."""
        return self.run.metadata if self.run is not None else {}

    @property
    def deadline(self) -> float | None:
        """When the call ends at the latest, on `time.monotonic()`'s clock; None without a deadline."""
        return self.scope.deadline if self.scope is not None else None

    @property
    def remaining_seconds(self) -> float | None:
        """How many seconds the deadline leaves, for the timeout of a request of your own; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def raise_if_cancelled(self) -> None:
        """Raise `asyncio.CancelledError` once nobody waits for the answer any more."""
        if self.cancelled:
            raise asyncio.CancelledError("nobody waits for this answer any more")

    def report_usage(self, prompt_tokens: int = 0, completion_tokens: int = 0, total_tokens: int | None = None) -> None:
        """Report the tokens of the whole answer; the last report counts.

        Raises:
            InputError: A count is negative.
        """
        for name, count in (("prompt_tokens", prompt_tokens), ("completion_tokens", completion_tokens)):
            if count < 0:
                raise InputError(f"report_usage: {name} must be at least 0, not {count!r}")
        total = prompt_tokens + completion_tokens if total_tokens is None else total_tokens
        self.usage = Usage(prompt_tokens, completion_tokens, total)

    def finish(self, reason: str) -> None:
        """Say why the answer ends ("stop", "length", "content_filter", …), when text alone cannot."""
        self.finish_reason = reason

    def get_child(self, tag: str | None = None) -> Any | None:
        """Return what calls inside this run take as `config["callbacks"]`, those of LangChain's runnables too.

        None when there is nothing to inherit.
        """
        return callbacks_for_code(self.scope.inside(self.run, tag)) if self.scope is not None else None

    def _token_chunk(self, token: str, chunk: Any) -> GenerationChunk:
        """Return the author's chunk, else one of the token; that of a chat model has a message."""
        known = chunk if isinstance(chunk, GenerationChunk) else GenerationChunk(token)
        if self.run is None or self.run.kind != "chat_model" or isinstance(known, ChatGenerationChunk):
            return known
        return ChatGenerationChunk(known.text, tool_calls=known.tool_calls, message=AIMessageChunk(known.text))


class CallbackManagerForLLMRun(LLMRun):
    """Is the `run_manager` of a sync hook."""

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        """Tell a token of `_call`'s answer; accepted in a streaming hook, where the framework tells it."""
        if self.fires and self.run is not None and token:
            self.run.token(self._token_chunk(token, chunk))


class AsyncCallbackManagerForLLMRun(LLMRun):
    """Is the `run_manager` of an async hook: its `on_…` methods are awaited."""

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> Awaitable[None]:
        """Tell a token of `_acall`'s answer; accepted in a streaming hook, where the framework tells it."""
        if self.fires and self.run is not None and token:
            return self.run.atoken(self._token_chunk(token, chunk))
        return _DONE

    def get_sync(self) -> CallbackManagerForLLMRun:
        """Return a view of this run for sync code that the hook calls."""
        return _SyncView(self)


class SilentRun(CallbackManagerForLLMRun):
    """Is the `run_manager` of a sync hook when nobody listens."""

    @override
    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        """Do nothing."""


class SilentAsyncRun(AsyncCallbackManagerForLLMRun):
    """Is the `run_manager` of an async hook when nobody listens."""

    @override
    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> Awaitable[None]:
        """Return what is done already."""
        return _DONE


class _SyncView(CallbackManagerForLLMRun):
    """Shows an async hook's run to sync code, which may run in another thread."""

    def __init__(self, of: AsyncCallbackManagerForLLMRun) -> None:
        self._of = of
        self.run, self.scope, self.fires = of.run, of.scope, of.fires

    @property
    def cancelled(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """True once nobody waits for the answer any more."""
        return self._of.cancelled

    @override
    def report_usage(self, prompt_tokens: int = 0, completion_tokens: int = 0, total_tokens: int | None = None) -> None:
        self._of.report_usage(prompt_tokens, completion_tokens, total_tokens)

    @override
    def finish(self, reason: str) -> None:
        self._of.finish(reason)


class BatchRun(Generic[T]):
    """Is the `run_manager` of `_batch` and `_abatch`: one for all items of the hook call."""

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        """Each item's own `run_manager`, in the order of the prompts."""

    @property
    def cancelled(self) -> bool:
        """True once nobody waits for any of the items any more."""
        return all(item.cancelled for item in self.items)

    def raise_if_cancelled(self) -> None:
        """Raise `asyncio.CancelledError` once nobody waits for any of the items."""
        if self.cancelled:
            raise asyncio.CancelledError("nobody waits for any answer of this batch any more")

    @property
    def deadline(self) -> float | None:
        """When the last item's call ends at the latest; None when an item has no deadline."""
        deadlines = [item.deadline for item in self.items]
        return None if None in deadlines else max(d for d in deadlines if d is not None)

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> Any:
        """Do nothing but answer: which item a token belongs to is said by `items[i].on_llm_new_token`."""
        return _DONE

    def report_usage(self, prompt_tokens: int = 0, completion_tokens: int = 0, total_tokens: int | None = None) -> None:
        """Refuse: usage belongs to an item, so report it by `items[i].report_usage`."""
        raise InputError("a batch has no usage of its own; report each item's by run_manager.items[i].report_usage(…)")
