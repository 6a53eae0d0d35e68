"""What hooks each kind of model may have, before any class defines one; and which of them answers which way to call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

FEATURES = frozenset({"n", "max_tokens", "tools", "response_format"})
"""What the hooks of text and chat models may support: by naming the parameter, or by the class's `supports`."""


class HookForm(NamedTuple):
    """Is one hook as the contract has it."""

    name: str
    """The method's name."""
    parameters: tuple[str, ...]
    """Its first parameters after self: the input, and what is always given beside it."""
    rest: str
    """How its other parameters are written, for error messages."""
    is_async: bool = False
    """Whether it is awaited, or iterated with `async for`."""
    is_stream: bool = False
    """Whether it yields its answer in pieces."""
    is_batch: bool = False
    """Whether it answers many inputs at once."""

    @property
    def example(self) -> str:
        """How its definition starts, for error messages."""
        prefix = "async def" if self.is_async else "def"
        return f"`{prefix} {self.name}(self, {', '.join(self.parameters)}, {self.rest})`"


@dataclass(frozen=True, slots=True)
class HookSet:
    """Is the set of hooks that one kind of model may have. Of each order, the first hook that a class has answers."""

    forms: tuple[HookForm, ...]
    """The hooks; any one of them makes a model."""
    answer: tuple[str, ...] = ()
    """Which gives one answer to a sync caller."""
    async_answer: tuple[str, ...] = ()
    """Which gives one answer to an async caller."""
    stream: tuple[str, ...] = ()
    """Which streams to a sync caller."""
    astream: tuple[str, ...] = ()
    """Which streams to an async caller."""
    many: tuple[str, ...] = ()
    """Which answers many inputs of a sync caller."""
    async_many: tuple[str, ...] = ()
    """Which answers many inputs of an async caller."""
    features: frozenset[str] = frozenset()
    """Keywords that a hook supports only when it names them, or the class's `supports` does."""
    read: Callable[[Any, Any, str], Any] | None = None
    """Makes plain values of what a hook returned for an input (value, input, `Class._hook`); None: the hooks give
    text, which the output reads."""
    reads_long: bool = False
    """Whether that may take long, so that it is done in a thread for async hooks too; for a batch of many it is."""


def _text_hooks(one: str, many: str) -> HookSet:
    rest = "stop=None, run_manager=None, **kwargs"
    return HookSet(
        forms=(
            HookForm("_call", (one,), rest),
            HookForm("_acall", (one,), rest, is_async=True),
            HookForm("_stream", (one,), rest, is_stream=True),
            HookForm("_astream", (one,), rest, is_async=True, is_stream=True),
            HookForm("_batch", (many,), rest, is_batch=True),
            HookForm("_abatch", (many,), rest, is_async=True, is_batch=True),
        ),
        answer=("_call", "_stream", "_acall", "_astream", "_batch", "_abatch"),
        async_answer=("_acall", "_astream", "_call", "_stream", "_abatch", "_batch"),
        stream=("_stream", "_astream"),
        astream=("_astream", "_stream"),
        many=("_batch", "_abatch"),
        async_many=("_abatch", "_batch"),
        features=FEATURES,
    )


TEXT_HOOKS = _text_hooks("prompt", "prompts")
"""The hooks of an `LLM`."""
CHAT_HOOKS = _text_hooks("messages", "messages")
"""The hooks of a `ChatModel`."""
