"""LangChain's calls as calls of the engine: which keywords are the framework's, and who hears of tokens."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManagerForLLMRun,
)
from langchain_core.runnables.config import var_child_runnable_config

from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.integrations.langchain.faces import ModelFace
from modelport.integrations.langchain.surroundings import is_bridge, is_on_a_loop
from modelport.runs.listeners import Pending
from modelport.runs.run import Run
from modelport.runs.scope import SCOPE, Scope, scope_of

F = TypeVar("F", bound=Callable[..., Any])
RunManager = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun
ToLangChain = Callable[[Any], Any]
"""Makes LangChain's chunk of one of ours."""

_TOLD_NOBODY = (BaseCallbackHandler.on_llm_new_token, AsyncCallbackHandler.on_llm_new_token)
_LANGCHAINS_OWN = ("stream", "output_version", "ls_structured_output_format", "run_manager")
"""Keywords with which LangChain's classes steer themselves: a hook gets them only when it names them."""


def with_signature(function: F) -> F:
    """Keep a function's signature with it: LangChain asks for that of `_generate` at every call."""
    cast("Any", function).__signature__ = inspect.signature(function)
    return function


class TokenRelay:
    """Tells LangChain's run the tokens that a `_call` reports, or a streaming hook gives, while an answer is made.

    LangChain tells the run's start and end itself, so that nothing but tokens passes here.
    """

    tokens = True

    def __init__(self, manager: RunManager, to_langchain: ToLangChain) -> None:
        self._manager = manager
        self._to_langchain = to_langchain
        self._run: Run | None = None

    def on_start(self, run: Run, inputs: Any) -> Pending:
        """Note the first run: calls that its hook makes to other models are not LangChain's run."""
        if self._run is None:
            self._run = run

    def on_token(self, run: Run, chunk: Any) -> Pending:
        """Tell one piece of text."""
        if run is not self._run or not chunk.text:
            return None
        told = self._to_langchain(chunk)
        manager = self._manager
        if isinstance(manager, AsyncCallbackManagerForLLMRun):
            if is_on_a_loop():
                return manager.on_llm_new_token(chunk.text, chunk=told)
            manager = manager.get_sync()
        manager.on_llm_new_token(chunk.text, chunk=told)
        return None

    def on_stream(self, run: Run, chunk: Any) -> Pending:
        """Do nothing: a model's pieces are its tokens."""

    def on_end(self, run: Run, outputs: Any) -> Pending:
        """Do nothing: LangChain tells its own."""

    def on_error(self, run: Run, error: BaseException, partial: Any) -> Pending:
        """Do nothing: LangChain tells its own."""

    def on_retry(self, run: Run, state: Any) -> Pending:
        """Do nothing: LangChain tells its own."""


class Asked:
    """Is what a caller asks beside the prompt: LangChain's arguments, read once for all prompts of a call."""

    __slots__ = ("include_stop", "kwargs", "max_tokens", "n", "scope", "stop")

    def __init__(
        self, face: ModelFace, hook: Hook | None, stop: Any, manager: RunManager | None, kwargs: dict[str, Any]
    ) -> None:
        """Read the arguments.

        Args:
            face: The LangChain object; its fields `stop`, `max_tokens` and `timeout` are the defaults.
            hook: The hook that may answer: a keyword that it names is its own, whatever LangChain uses it for.
            stop: Where to stop.
            manager: LangChain's run, when there is one.
            kwargs: The caller's keywords.
        """
        defaults: Mapping[str, Any] = face.__dict__
        own: frozenset[str] = type(face).__modelport_defaults__
        self.stop = stop or (defaults["stop"] if "stop" in own else None) or None
        self.include_stop = None
        self.max_tokens = defaults["max_tokens"] if "max_tokens" in own else None
        self.n = 1
        timeout = defaults["timeout"] if "timeout" in own else None
        first = None
        self.kwargs = kwargs
        if kwargs:
            named = hook.names if hook is not None else frozenset[str]()
            self.include_stop = kwargs.pop("include_stop", None)
            if (given := kwargs.pop("max_tokens", None)) is not None:
                self.max_tokens = given
            if "n" in kwargs:
                self.n = kwargs.pop("n") or 1
            for name in _LANGCHAINS_OWN:
                if name in kwargs and name not in named:
                    del kwargs[name]
            if "timeout" in kwargs and "timeout" not in named:
                timeout = kwargs.pop("timeout")
            if "first_token_timeout" in kwargs and "first_token_timeout" not in named:
                first = kwargs.pop("first_token_timeout")
        self.scope = SCOPE.get()
        if self.scope is not None and self.scope.listeners:
            self.scope = _without_told(self.scope, manager)
        if timeout is not None or first is not None:
            # The place in our run tree, if there is one: the one in LangChain's is told by LangChain itself.
            place = self.scope.inside(None) if self.scope is not None else Scope()
            self.scope = scope_of({"callbacks": place, "timeout": timeout, "first_token_timeout": first})

    def relay(self, manager: RunManager | None, hook: Hook | None, to_langchain: ToLangChain) -> None:
        """Have tokens told to LangChain's run, when it has handlers and the hook can tell any."""
        if manager is None or hook is None or not (hook.takes_manager or hook.is_stream):
            return
        if not any(_wants_tokens(handler) for handler in manager.handlers):
            return
        self.scope = (self.scope or Scope()).with_handlers([TokenRelay(manager, to_langchain)])

    def model_name(self, model: Any) -> str:
        """Return the name that results carry: of a keyword `model`, which a hook takes for another one, that."""
        named = self.kwargs.get("model")
        return named if isinstance(named, str) else model.get_model_name()

    def call(self, model: Any, argument: Any, *, wants_messages: bool = False) -> Call:
        """Return the engine's call for one prompt."""
        call = Call(
            model,
            argument,
            scope=self.scope,
            stop=self.stop,
            include_stop=self.include_stop,
            max_tokens=self.max_tokens,
            kwargs=self.kwargs,
        )
        call.wants_messages = wants_messages
        return call


def _without_told(scope: Scope, manager: RunManager | None) -> Scope:
    """Return a scope of ours without those whom LangChain tells of the call: its run and ours are the same."""
    callbacks: Any = (var_child_runnable_config.get() or {}).get("callbacks")
    handlers: list[Any] = list(getattr(callbacks, "handlers", callbacks) or ())
    handlers += manager.handlers if manager is not None else ()
    if not handlers:
        return scope
    left = scope.copy()
    is_bridged = any(map(is_bridge, handlers))
    told = () if is_bridged else scope.listeners
    left.listeners = tuple(one for one in told if getattr(one, "handler", one) not in handlers)
    return left


def _wants_tokens(handler: Any) -> bool:
    """Tell whether a handler has a method of its own for tokens: for others none are looked after."""
    method: Any = getattr(cast("type[Any]", type(handler)), "on_llm_new_token", None)
    return method not in _TOLD_NOBODY and not getattr(handler, "ignore_llm", False)
