"""One attempt to answer a call: its output, its `run_manager`, its observed run, its slot.

Everything here is the same for sync and async callers; `answers`, `streams` and `batches` do the waiting.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Sequence
from typing import Any, cast

from modelport.engine.bridge_sync import timed_out
from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.engine.reading import single_result, text_of_input
from modelport.engine.slots import Slots
from modelport.engine.state import ModelState, state_of
from modelport.engine.tokens import counter_of
from modelport.runs.listeners import listeners_for
from modelport.runs.llm_run import AsyncCallbackManagerForLLMRun, BatchRun, CallbackManagerForLLMRun
from modelport.runs.run import Run
from modelport.runs.scope import SCOPE, Scope
from modelport.values.generations import Generation, LLMResult
from modelport.values.usage import Usage

GIVES_LISTS = frozenset({"n", "choices"})
"""Hooks that support one of these may return a list of choices."""


class Attempt:
    """Is one run of one hook for one call: its output, its `run_manager`, its observed run, its slot."""

    __slots__ = (
        "_holds",
        "argument",
        "call",
        "context",
        "given_manager",
        "hook",
        "kwargs",
        "manager",
        "more",
        "items",
        "output",
        "run",
        "scope",
        "slots",
        "stop",
    )

    def __init__(self, call: Call, hook: Hook, *, is_async: bool) -> None:
        self.call = call
        self.hook = hook
        """The hook that this attempt runs."""
        self.kwargs = call.keywords_for(hook)
        self.argument = call.argument
        """What the hook is given: the call's argument, for a batch hook a list of one."""
        self.stop = call.stop if hook.takes_stop else None
        """What the hook is given to stop at; None once it said that it cannot."""
        self.output = call.new_output(hook)
        self.items: Sequence[Attempt] = ()
        """All items of a batch, this one among them, when this attempt drives it."""
        self.more: list[Any] = []
        """Further choices that one hook call gave."""
        self.run = self._open_run(is_async)
        self.slots = self._slots()
        """The slots of `max_concurrency` that this attempt takes one of; None when it needs none."""
        self._holds = False
        self.scope = self._inner_scope()
        """What calls made inside the hook inherit."""
        self.context = self._own_context()
        """The context that the hook runs in; None: the caller's own, for nobody asked for anything."""
        self.manager = AsyncCallbackManagerForLLMRun() if hook.is_async else CallbackManagerForLLMRun()
        self.given_manager: Any = self.manager
        """What the hook is given as `run_manager`: `manager`, for a batch hook one that holds it."""
        if self.scope is not None:
            self.manager.run, self.manager.scope = self.run, self.scope
            self.manager.fires = not hook.is_stream

    @classmethod
    def for_batch(cls, attempts: Sequence[Attempt]) -> Attempt:
        """Return the attempt that calls a batch hook for all of these: with their arguments and their managers."""
        driver = cls.__new__(cls)
        for name in cls.__slots__:
            setattr(driver, name, getattr(attempts[0], name))
        driver.argument = [attempt.call.argument for attempt in attempts]
        driver.given_manager = BatchRun([attempt.manager for attempt in attempts])
        driver.items = attempts
        keys = frozenset(attempt.call.key for attempt in attempts if attempt.call.key is not None)
        if keys and driver.scope is not None and driver.context is not None:
            driver.scope = driver.scope.copy()
            driver.scope.leads |= keys
            driver.context.run(SCOPE.set, driver.scope)
        return driver

    @property
    def state(self) -> ModelState:
        """The framework's state of the model."""
        return state_of(self.call.model)

    def _open_run(self, is_async: bool) -> Run | None:
        model, scope = self.call.model, self.call.scope
        if not self.call.hooks.gives_text:
            return None  # LangChain has no callbacks for embeddings and images
        if model.callbacks:
            scope = scope or Scope()
            listeners = listeners_for(model.callbacks, scope.listeners)
        elif scope is None or not scope.listeners:
            return None
        else:
            listeners = scope.listeners
        run = Run(
            scope,
            kind=model.__modelport_kind__,
            name=model.get_name(),
            serialized=type(model).__modelport_serialized__,
            is_async=is_async,
            tags=model.tags or (),
            metadata=model.metadata,
            call_facts=self._call_facts,
        )
        run.listen(listeners)
        return run

    def _call_facts(self) -> dict[str, Any]:
        call = self.call
        params = {**call.model.identity(), "_type": call.model.llm_type(), "stop": call.stop, **call.kwargs}
        return {"invocation_params": call.model.scrub(params), "options": {"stop": call.stop}, "batch_size": 1}

    def _slots(self) -> Slots | None:
        limit = self.call.model.max_concurrency
        if limit is None:
            return None
        state = self.state
        scope = self.call.scope
        return None if scope is not None and id(state) in scope.held else state.slots_for(limit)

    def _inner_scope(self) -> Scope | None:
        scope = self.call.scope
        takes_turns = self.slots is not None or (self.hook.is_batch and self.call.model.max_batch_size is not None)
        key = self.call.key
        if scope is None and self.run is None and not takes_turns and key is None:
            return None
        inner = (scope or Scope()).inside(self.run)
        if self.run is not None and scope is not None:
            inner.listeners = scope.listeners  # the model's own `callbacks` field is not inherited
        elif self.run is not None:
            inner.listeners = ()
        if takes_turns:
            inner.held |= {id(self.state)}
        if key is not None:
            inner.leads |= {key}
        return inner

    @property
    def shares_context(self) -> bool:
        """Whether the hook streams in its caller's context, which is this call's alone (and has no deadline)."""
        scope = self.call.scope
        owned = scope is not None and scope.owns_context and self.deadline() is None
        return owned and self.hook.name == "_astream" and not self.call.hooks.single_loop

    def _own_context(self) -> contextvars.Context | None:
        if self.scope is None:
            return None
        if self.shares_context:
            return None
        context = contextvars.copy_context()
        context.run(SCOPE.set, self.scope)
        return context

    def hook_context(self) -> contextvars.Context:
        """Return the context for a hook that runs on another loop: its own, or a copy of the caller's."""
        return self.context if self.context is not None else contextvars.copy_context()

    def worker_context(self) -> contextvars.Context:
        """Return the context for a hook in a worker thread: calls back to the model need no second worker there."""
        inner = (self.scope or Scope()).copy()
        inner.held |= {id(self.state)}
        context = self.hook_context()
        context.run(SCOPE.set, inner)
        return context

    def worker_slots(self) -> Slots | None:
        """Return the slots of bridging threads; None when another limit holds, or the caller is such a thread."""
        state, scope = self.state, self.call.scope
        if self.call.model.max_concurrency is not None or (scope is not None and id(state) in scope.held):
            return None
        return state.worker_slots()

    def invoke_hook(self) -> Any:
        """Call the hook: returns its value, coroutine or iterator."""
        return self.hook.bind(self.call.model, self.argument, self.stop, self.given_manager, self.kwargs)

    def deadline(self) -> float | None:
        """Return until when the next piece must come, on `time.monotonic()`'s clock; of a batch, the last item's."""
        if not self.items:
            return self._own_deadline()
        deadlines = [item._own_deadline() for item in self.items]  # noqa: SLF001 - its own kind
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(known) if len(known) == len(deadlines) else None

    def _own_deadline(self) -> float | None:
        scope = self.call.scope
        if scope is None:
            return None
        return scope.next_deadline(started=self.output.started)

    def is_late(self) -> bool:
        """Tell whether this item's own deadline has passed."""
        deadline = self._own_deadline()
        return deadline is not None and time.monotonic() >= deadline

    def cancel(self) -> None:
        """Tell the hook that nobody waits any more."""
        self.manager.cancelled = True
        for item in self.items:
            item.manager.cancelled = True

    def acquire(self) -> None:
        """Take a slot of `max_concurrency`, blocking the thread."""
        deadline = self.deadline()
        if self.slots is not None:
            self.slots.acquire(deadline)
            self._holds = True
        self._refuse_if_late(deadline)

    async def acquire_async(self) -> None:
        """Take a slot of `max_concurrency`, waiting on the loop."""
        deadline = self.deadline()
        if self.slots is not None:
            await self.slots.acquire_async(deadline)
            self._holds = True
        self._refuse_if_late(deadline)

    def _refuse_if_late(self, deadline: float | None) -> None:
        """Do not start a hook that nobody would wait for.

        Raises:
            ModelTimeoutError: The deadline has passed.
        """
        if deadline is not None and time.monotonic() >= deadline:
            self.release()
            raise timed_out("it waited to start")

    def release(self) -> None:
        """Give the slot back, once, when the hook has really ended."""
        if self.slots is not None and self._holds:
            self._holds = False
            self.slots.release()

    def may_retry_without_stop(self) -> bool:
        """Tell whether a `NotImplementedError` means "I cannot stop"; from now on the hook gets no stop."""
        if self.stop is None or self.output.started:
            return False
        self.stop = None
        return True

    def take_value(self, value: Any) -> None:
        """Take what a value hook returned: of a batch hook the one slot, of a list of choices the first."""
        if self.hook.is_batch:
            value = single_result(value, self.hook.label)
        elif isinstance(value, list) and value and not self.hook.supports.isdisjoint(GIVES_LISTS):
            value, *self.more = cast("list[Any]", value)
        self.output.push(value)
        self.output.finish()

    def answers(self) -> list[Generation]:
        """Return all choices of the hook call, the first one first; each is cut and counted on its own."""
        answers = [self.answer()]
        for value in self.more:
            self.output = self.call.new_output(self.hook)
            self.output.push(value)
            self.output.finish()
            answers.append(self.answer())
        return answers

    def answer(self) -> Generation:
        """Return the whole answer as far as it was released."""
        call = self.call
        return self.output.result(
            reported=self.manager.usage,
            finish=self.manager.finish_reason,
            prompt=lambda: text_of_input(call.argument),
            count=counter_of(call.model),
            name=call.model.get_model_name,
        )

    def llm_result(self, *answers: Generation) -> LLMResult:
        """Return what the end event carries; marked when the call was cut short."""
        output: dict[str, Any] = {"model_name": self.call.model.get_model_name()}
        usage = sum((answer.usage for answer in answers if answer.usage is not None), Usage())
        output["token_usage"] = usage.to_token_usage()
        if self.run is not None and self.run.cancelled:
            output["cancelled"] = True
        if self.run is not None and self.run.cached:
            output["cached"] = True
        return LLMResult([list(answers)], output)

    def partial_result(self) -> LLMResult:
        """Return what was produced before the end of a call that failed or was cut short; never raises."""
        try:
            return self.llm_result(self.answer())
        except Exception:  # noqa: BLE001 - the author's `_count_tokens` may be what failed; the first error counts
            return LLMResult([[Generation(self.output.text)]], {"model_name": self.call.model.get_name()})
