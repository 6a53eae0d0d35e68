"""A callback handler that writes down what it hears."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from typing_extensions import override

from modelport.runs.handlers import BaseCallbackHandler

STARTS = ("on_llm_start", "on_chat_model_start")
OF_MODELS = (*STARTS, "on_llm_new_token", "on_llm_end", "on_llm_error")


class Event(msgspec.Struct, frozen=True):
    """Is one callback: its method, its run, and what came with it."""

    name: str
    """The method's name, or what somebody else added to the record."""
    run_id: UUID | None
    """The run that it is about."""
    payload: Any
    """The prompts, the token, the response, the error."""
    facts: dict[str, Any]
    """All other keywords."""


class RecordingHandler(BaseCallbackHandler):
    """Writes down every callback; `events` has them in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        """All that was heard, the oldest first."""

    def add(self, event: str, payload: Any, /, run_id: UUID | None = None, **facts: Any) -> None:
        """Add something to the record, also by hand: what a consumer saw in between."""
        self.events.append(Event(event, run_id, payload, facts))

    def named(self, *names: str) -> list[Event]:
        """Return the events of the given names, in order."""
        return [event for event in self.events if event.name in names]

    @property
    def of_models(self) -> list[Event]:
        """The callbacks about runs of models."""
        return self.named(*OF_MODELS)

    @property
    def starts(self) -> list[Event]:
        """The starts of models."""
        return self.named(*STARTS)

    @property
    def ends(self) -> list[Event]:
        """The ends of models."""
        return self.named("on_llm_end")

    @property
    def failures(self) -> list[Event]:
        """The errors of models."""
        return self.named("on_llm_error")

    @property
    def tokens(self) -> list[str]:
        """The texts of the token events that have some."""
        return [event.payload for event in self.named("on_llm_new_token") if event.payload]

    def tokens_of(self, run_id: UUID | None) -> str:
        """Return the joined tokens of one run."""
        events = self.named("on_llm_new_token")
        return "".join(event.payload for event in events if event.run_id == run_id)

    @override
    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        self.add("on_llm_start", prompts, serialized=serialized, **kwargs)

    @override
    def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[Any]], **kwargs: Any) -> None:
        self.add("on_chat_model_start", messages, serialized=serialized, **kwargs)

    @override
    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        self.add("on_llm_new_token", token, chunk=chunk, **kwargs)

    @override
    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.add("on_llm_end", response, **kwargs)

    @override
    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.add("on_llm_error", error, **kwargs)

    @override
    def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
        self.add("on_chain_start", inputs, serialized=serialized, **kwargs)

    @override
    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.add("on_chain_end", outputs, **kwargs)

    @override
    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.add("on_chain_error", error, **kwargs)

    @override
    def on_retry(self, retry_state: Any, **kwargs: Any) -> None:
        self.add("on_retry", retry_state, **kwargs)


class OwnRunsRecorder(RecordingHandler):
    """Leaves out what is told of models and chains that the called model's hook calls: they are runs inside its own."""

    def __init__(self) -> None:
        super().__init__()
        self._models: set[UUID | None] = set()
        self._inside: set[UUID | None] = set()

    @override
    def add(self, event: str, payload: Any, /, run_id: UUID | None = None, **facts: Any) -> None:
        parent = facts.get("parent_run_id")
        if parent is not None and (parent in self._models or parent in self._inside):
            self._inside.add(run_id)
        if run_id is not None and run_id in self._inside:
            return
        if event in STARTS:
            self._models.add(run_id)
        super().add(event, payload, run_id=run_id, **facts)
