"""One call of a model: what a caller asks, and what surrounds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from modelport.engine.hooks import Hook, Hooks
from modelport.engine.output import Output
from modelport.engine.stop import StopFilter, normalise_stop
from modelport.engine.tokens import TokenBudget, check_max_tokens, counter_of, estimate_tokens
from modelport.engine.whole import WholeOutput
from modelport.runs.scope import Scope

if TYPE_CHECKING:
    from modelport.engine.model import EngineModel


class Call:
    """Is what one caller asks of a model."""

    __slots__ = (
        "argument",
        "chat",
        "choice",
        "hooks",
        "include_stop",
        "key",
        "kwargs",
        "max_tokens",
        "model",
        "scope",
        "stop",
        "wants_messages",
    )

    def __init__(
        self,
        model: EngineModel,
        argument: Any,
        *,
        scope: Scope | None = None,
        stop: Any = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        kwargs: Mapping[str, Any] | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.model = model
        self.hooks: Hooks = hooks or type(model).__modelport_hooks__
        """The hooks that may answer: the class's own table, unless the call is for another one of it."""
        self.chat = model.__modelport_kind__ == "chat_model"
        """Whether the argument is messages and pieces are messages."""
        self.argument = argument
        """The prompt, the list of messages, the text to embed, or the images to edit."""
        self.scope = scope
        """What the call inherits; None when nobody asked for anything."""
        self.stop = None if stop is None else normalise_stop(stop)
        self.include_stop = model.include_stop if include_stop is None else include_stop
        self.max_tokens = None if max_tokens is None else check_max_tokens(max_tokens)
        self.kwargs: Mapping[str, Any] = kwargs or {}
        """The caller's own keywords, for the hook."""
        self.wants_messages = True
        """Whether a chat's answers and pieces are wanted as messages too; else, where they are texts, as texts."""
        self.choice = 0
        """Which of several choices of one call this is: each is an answer of its own."""
        self.key: str | None = None
        """The key of the answer that this call is finding for the cache, and for all who wait for it."""

    def with_n(self, n: int) -> Call:
        """Return this call with `n` for a hook that supports it."""
        copy = self.for_choice(0)
        copy.kwargs = {**self.kwargs, "n": n}
        return copy

    def for_choice(self, choice: int) -> Call:
        """Return this call for one of several choices."""
        copy = Call.__new__(Call)
        copy.model, copy.hooks, copy.chat, copy.argument = self.model, self.hooks, self.chat, self.argument
        copy.scope, copy.stop, copy.include_stop = self.scope, self.stop, self.include_stop
        copy.max_tokens, copy.kwargs, copy.choice, copy.key = self.max_tokens, self.kwargs, choice, None
        copy.wants_messages = self.wants_messages
        return copy

    def keywords_for(self, hook: Hook) -> Mapping[str, Any]:
        """Return what the hook gets as keywords.

        Raises:
            KeywordError: The caller gave one that the hook does not take.
        """
        if self.kwargs:
            hook.check_keywords(self.kwargs)
        if self.max_tokens is not None and hook.takes("max_tokens"):
            return {**self.kwargs, "max_tokens": self.max_tokens}
        return self.kwargs

    def new_output(self, hook: Hook) -> Output:
        """Return what takes the hook's pieces, or its whole value, for this call."""
        if not self.hooks.gives_text:
            text = self.argument if isinstance(self.argument, str) else self.kwargs.get("prompt", "")
            return cast("Output", WholeOutput(text))  # it stands in for one: an answer that comes whole
        stop = StopFilter(self.stop, include=self.include_stop) if self.stop else None
        budget = self._budget(hook)
        return Output(hook.label, chat=self.chat, stop=stop, budget=budget, wants_messages=self.wants_messages)

    def _budget(self, hook: Hook) -> TokenBudget | None:
        if self.max_tokens is None:
            return None
        count = counter_of(self.model)
        if count is None and "max_tokens" in hook.supports:
            return None
        return TokenBudget(self.max_tokens, count or estimate_tokens)
