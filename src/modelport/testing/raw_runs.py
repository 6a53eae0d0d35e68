"""What surrounds a hook call in raw mode: run managers that tell what the author tells, and the events of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from typing_extensions import override

from modelport.runs.llm_run import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from modelport.values.generations import Generation, LLMResult


class Told:
    """Fires the events of one answer at the callbacks of a config."""

    def __init__(self, model: Any, config: Any) -> None:
        known: dict[str, Any] = config or {}
        self.handlers: list[Any] = list(known.get("callbacks") or ())
        """The callbacks of the config."""
        self.run_manager: Any = None
        """What the hook is given."""
        self._is_chat = model.__modelport_kind__ == "chat_model"

    def tell(self, name: str, *given: Any, **facts: Any) -> None:
        """Call one method of every callback."""
        for handler in self.handlers:
            getattr(handler, name)(*given, run_id=self.run_manager.run_id, **facts)

    def start(self, argument: Any) -> None:
        """Tell the start."""
        self.tell("on_chat_model_start" if self._is_chat else "on_llm_start", {}, [argument])

    def end(self, answer: Generation) -> None:
        """Tell the end."""
        self.tell("on_llm_end", LLMResult([[answer]]))

    def token(self, token: str, chunk: Any) -> None:
        """Tell a token."""
        self.tell("on_llm_new_token", token, chunk=chunk)


class RawRun(CallbackManagerForLLMRun):
    """Is the `run_manager` of a sync hook: it fires what the author fires."""

    def __init__(self, told: Told) -> None:
        self._told = told

    @override
    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        self._told.token(token, chunk)


class RawAsyncRun(AsyncCallbackManagerForLLMRun):
    """Is that of an async hook."""

    def __init__(self, told: Told) -> None:
        self._told = told

    @override
    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> Awaitable[None]:
        self._told.token(token, chunk)
        return asyncio.sleep(0)


class RawBatchRun(RawRun):
    """Is that of a batch hook."""

    def __init__(self, tolds: Sequence[Told]) -> None:
        super().__init__(tolds[0])
        self.items = [RawRun(told) for told in tolds]
        """Each item's own."""
