"""Who hears of runs: one internal protocol, and its adapter to callback handlers.

A listener's methods return None, or an awaitable that the run waits for: on the loop of an async call, on the
background loop for a sync one. They never raise, unless a handler asked for it by `raise_error`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

from modelport.runs.handlers import AsyncCallbackHandler, BaseCallbackHandler
from modelport.runs.run import UNKNOWN, Run
from modelport.values.errors import InputError
from modelport.values.foreign import adapter_for
from modelport.values.prompt_values import line_of

Pending = Awaitable[Any] | None
logger = logging.getLogger("modelport.callbacks")


class Listener(Protocol):
    """Hears of the runs of a call and of all calls inside it."""

    tokens: bool
    """False: this listener does not care for single tokens, and none are prepared for it."""

    def on_start(self, run: Run, inputs: Any) -> Pending:
        """Hear that a run starts."""
        ...

    def on_token(self, run: Run, chunk: Any) -> Pending:
        """Hear one released piece of a model's text."""
        ...

    def on_stream(self, run: Run, chunk: Any) -> Pending:
        """Hear one piece that a chain gives to its consumer."""
        ...

    def on_end(self, run: Run, outputs: Any) -> Pending:
        """Hear what a run gave; `run.cancelled` says that it was cut short."""
        ...

    def on_error(self, run: Run, error: BaseException, partial: Any) -> Pending:
        """Hear that a run failed, and what it had produced."""
        ...

    def on_retry(self, run: Run, state: Any) -> Pending:
        """Hear that a failed step is tried again."""
        ...


class CallbackListener:
    """Adapts a handler with LangChain's method names (ours or a foreign one) to the listener protocol."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.blocking = bool(getattr(handler, "blocking", False))
        self.tokens = not getattr(handler, "ignore_llm", False) and _overrides(handler, "on_llm_new_token")
        self._failed: set[str] = set()

    def on_start(self, run: Run, inputs: Any) -> Pending:
        """Call the handler's start method for the run's kind."""
        facts = {**run.facts(), "metadata": run.metadata, "name": run.name}
        if run.kind == "llm" and not self._ignores("llm"):
            return self._call(run, "on_llm_start", run.serialized, [inputs], **facts, **run.call_facts)
        if run.kind == "chat_model" and not self._ignores("chat_model"):
            return self._chat_start(run, inputs, facts)
        if run.kind not in ("llm", "chat_model") and not self._ignores("chain"):
            # LangChain's handlers get "" for an input that is still streaming.
            known = "" if inputs is UNKNOWN else inputs
            return self._call(run, "on_chain_start", run.serialized, known, run_type=run.kind, **facts)
        return None

    def _chat_start(self, run: Run, messages: Any, facts: dict[str, Any]) -> Pending:
        if _overrides(self.handler, "on_chat_model_start"):
            return self._call(run, "on_chat_model_start", run.serialized, [messages], **facts, **run.call_facts)
        # Not the model's own flattening: that refuses what a text model could not see, and this only tells.
        lines = [line_of(message) for message in messages]
        return self._call(run, "on_llm_start", run.serialized, ["\n".join(lines)], **facts, **run.call_facts)

    def on_token(self, run: Run, chunk: Any) -> Pending:
        """Call `on_llm_new_token`; the empty chunk that ends a chat stream is no token."""
        if not chunk.text and not chunk.tool_calls:
            return None
        return self._call(run, "on_llm_new_token", chunk.text, chunk=chunk, **run.facts())

    def on_stream(self, run: Run, chunk: Any) -> Pending:
        """Do nothing: LangChain's handlers have no method for it."""
        return None

    def on_end(self, run: Run, outputs: Any) -> Pending:
        """Call `on_llm_end` or `on_chain_end`."""
        facts = run.facts()
        if run.cancelled:
            facts["cancelled"] = True
        if run.cached:
            facts["cached"] = True
        if run.is_model:
            return None if self._ignores(run.kind) else self._call(run, "on_llm_end", outputs, **facts)
        return None if self._ignores("chain") else self._call(run, "on_chain_end", outputs, **facts)

    def on_error(self, run: Run, error: BaseException, partial: Any) -> Pending:
        """Call `on_llm_error` (with the partial response) or `on_chain_error`."""
        if run.is_model:
            if self._ignores(run.kind):
                return None
            return self._call(run, "on_llm_error", error, response=partial, **run.facts())
        return None if self._ignores("chain") else self._call(run, "on_chain_error", error, **run.facts())

    def on_retry(self, run: Run, state: Any) -> Pending:
        """Call `on_retry`."""
        return None if self._ignores("retry") else self._call(run, "on_retry", state, **run.facts())

    def _ignores(self, what: str) -> bool:
        return bool(getattr(self.handler, f"ignore_{what}", False))

    def _call(self, run: Run, name: str, /, *args: Any, **kwargs: Any) -> Pending:
        method: Callable[..., Any] | None = getattr(self.handler, name, None)
        if method is None:
            return None
        if self.blocking and run.is_async and not inspect.iscoroutinefunction(method):
            return self._guarded(name, asyncio.to_thread(functools.partial(method, *args, **kwargs)))
        try:
            result = method(*args, **kwargs)
        except NotImplementedError:
            return None
        except Exception as error:  # noqa: BLE001 - a handler must not break the call
            self._report(name, error)
            return None
        return self._guarded(name, result) if inspect.isawaitable(result) else None

    async def _guarded(self, name: str, result: Awaitable[Any]) -> None:
        try:
            await result
        except NotImplementedError:
            return
        except Exception as error:  # noqa: BLE001 - a handler must not break the call
            self._report(name, error)

    def _report(self, name: str, error: Exception) -> None:
        """Log a handler's exception, once per method of the handler; raise it when the handler wants that."""
        if getattr(self.handler, "raise_error", False):
            raise error
        if name not in self._failed:
            self._failed.add(name)
            # The exception's text may hold what the handler was told, secrets too: raise_error shows it to its author.
            logger.warning(
                "callback %s.%s failed with %s; set raise_error = True on the handler to see it",
                type(self.handler).__name__,
                name,
                type(error).__name__,
            )


def _overrides(handler: Any, name: str) -> bool:
    """Tell whether a handler has a method of its own, one that is not a base class's no-op."""
    method: Any = getattr(cast("type[Any]", type(handler)), name, None) or getattr(handler, name, None)
    defaults = (getattr(BaseCallbackHandler, name), getattr(AsyncCallbackHandler, name))
    if method is None or method in defaults:
        return False
    return not getattr(method, "__module__", "").startswith("langchain_core.callbacks.base")


def listeners_for(handlers: Sequence[Any], known: tuple[Listener, ...] = ()) -> tuple[Listener, ...]:
    """Return `known` and a listener for each handler that is not among them yet.

    Raises:
        InputError: `handlers` is no list, or one is a class or has none of a handler's methods.
    """
    if not isinstance(handlers, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"callbacks must be a list of handlers, not {handlers!r}")
    listeners = list(known)
    for handler in handlers:
        if hasattr(handler, "on_start") and hasattr(handler, "tokens"):
            listeners.append(handler)
            continue
        if isinstance(handler, type) or not (hasattr(handler, "on_llm_start") or hasattr(handler, "on_chain_start")):
            raise InputError(
                f"{handler!r} is no callback handler; give instances of BaseCallbackHandler or AsyncCallbackHandler"
            )
        if not any(isinstance(one, CallbackListener) and one.handler is handler for one in listeners):
            adapter = adapter_for(handler)
            foreign = adapter.listener_of(handler) if adapter is not None else None
            listeners.append(CallbackListener(handler) if foreign is None else foreign)
    return tuple(listeners)
