"""What is known of one request when it is over: for the metrics, the log line, and the limits of its key."""

from __future__ import annotations

from time import perf_counter


class RequestRecord:
    """Is one request's facts; the times are `time.perf_counter()`'s."""

    __slots__ = (
        "completion_tokens",
        "deployment",
        "ended",
        "endpoint",
        "error_type",
        "first_token_at",
        "key_id",
        "model",
        "prompt_tokens",
        "queue_seconds",
        "request_id",
        "started",
        "status",
        "stream",
    )

    def __init__(self, request_id: str, endpoint: str) -> None:
        self.request_id = request_id
        """The `x-request-id` of the answer."""
        self.endpoint = endpoint
        """The path without `/v1`: `/chat/completions`."""
        self.started = perf_counter()
        """When the request's head was read."""
        self.ended = 0.0
        """When its answer was complete; 0 while it is not."""
        self.first_token_at = 0.0
        """When the first piece of a stream, or the whole answer, was there; 0 when it never was."""
        self.queue_seconds = 0.0
        """How long it waited for a place at the model."""
        self.key_id: str | None = None
        """The name of the key; None without one."""
        self.model: str | None = None
        """The configured name that answered; None when it came to none."""
        self.deployment: str | None = None
        """Which of its deployments answered."""
        self.stream = False
        """Whether the answer came piece by piece."""
        self.status = 0
        """The answer's status; 499 when the client left before there was one."""
        self.error_type: str | None = None
        """OpenAI's `error.type` of an answer, or an end of a stream, that is an error."""
        self.prompt_tokens = 0
        """The tokens of the prompt."""
        self.completion_tokens = 0
        """The tokens of the answer."""
