"""What is known of one request when it is over: for the metrics, the log line, and the limits of its key."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import msgspec

from modelport.values.generations import Generation
from modelport.wire.completion import CompletionUsage


class RequestRecord(msgspec.Struct, gc=False):
    """Is one request's facts; the times are `time.perf_counter()`'s."""

    request_id: str
    """The `x-request-id` of the answer."""
    endpoint: str
    """The path without `/v1`: `/chat/completions`."""
    started: float = msgspec.field(default_factory=perf_counter)
    """When the request's head was read."""
    ended: float = 0.0
    """When its answer was complete; 0 while it is not."""
    first_token_at: float = 0.0
    """When the first piece of a stream, or the whole answer, was there; 0 when it never was."""
    queue_seconds: float = 0.0
    """How long it waited for a place at the model."""
    key_id: str | None = None
    """The name of the key; None without one."""
    model: str | None = None
    """The configured name that answered; None when it came to none."""
    deployment: str | None = None
    """Which of its deployments answered."""
    stream: bool = False
    """Whether the answer came piece by piece."""
    status: int = 0
    """The answer's status; 499 when the client left before there was one."""
    error_type: str | None = None
    """OpenAI's `error.type` of an answer, or an end of a stream, that is an error."""
    prompt_tokens: int = 0
    """The tokens of the prompt."""
    completion_tokens: int = 0
    """The tokens of the answer."""

    def answered(self, answers: Sequence[Generation]) -> None:
        """Take down that the whole answer is there, and what it used."""
        self.first_token_at = perf_counter()
        for answer in answers:
            used = answer.usage
            if used is not None:
                # The prompt is one, however many choices it has.
                self.prompt_tokens = used.prompt_tokens
                self.completion_tokens += used.completion_tokens

    def used(self, usage: CompletionUsage | None) -> None:
        """Take down what an answer used."""
        if usage is not None:
            self.prompt_tokens, self.completion_tokens = usage.prompt_tokens, usage.completion_tokens
