"""What is counted of one deployment of one model: plain numbers, as every request and every token comes by here."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from modelport.gateway.histogram import FIRST_TOKEN_SECONDS, INTER_TOKEN_SECONDS, REQUEST_SECONDS, Histogram
from modelport.gateway.metric_snapshots import DurationCounts, ErrorKey, ModelCounts
from modelport.gateway.record import RequestRecord
from modelport.wire.error_object import TYPE_OF_STATUS, type_of_status

CLIENT_GONE = "client_disconnected"
"""The error type of a request whose client left before the end of the answer."""
ERROR_TYPES = frozenset({*TYPE_OF_STATUS.values(), "server_error", CLIENT_GONE})
"""The values that the label `error_type` can have: an author's own types do not become series."""
USUAL_ERRORS: tuple[ErrorKey, ...] = (
    ("invalid_request_error", 400),
    ("rate_limit_error", 429),
    (CLIENT_GONE, 499),
    ("server_error", 500),
    ("server_error", 503),
    ("timeout_error", 504),
)
"""The errors that are there with 0 from the start: a rate over a series that has just appeared misses its first."""


class ModelMetrics:
    """Counts one deployment's requests, tokens and times; used on one loop, so without a lock."""

    __slots__ = (
        "_between_tokens",
        "_errors",
        "_failed_attempts",
        "_first_token",
        "_gap_bounds",
        "_gap_counts",
        "_generation_tokens",
        "_prompt_tokens",
        "_queue",
        "_succeeded",
        "_whole",
        "deployment",
        "model",
        "running",
        "waiting",
    )

    def __init__(self, model: str, deployment: str = "", waiting: Callable[[], int] | None = None) -> None:
        self.model = model
        """The configured name."""
        self.deployment = deployment
        """Which of its deployments; empty for requests that came to none."""
        self.waiting = waiting
        """Says how many requests wait for a place; None: none ever waits."""
        self.running = 0
        """How many requests the model works on now."""
        self._succeeded = 0
        self._prompt_tokens = 0
        self._generation_tokens = 0
        self._errors: dict[ErrorKey, int] = dict.fromkeys(USUAL_ERRORS, 0)
        self._failed_attempts: dict[ErrorKey, int] = {}
        self._first_token = Histogram(FIRST_TOKEN_SECONDS)
        self._between_tokens = Histogram(INTER_TOKEN_SECONDS)
        self._whole = Histogram(REQUEST_SECONDS)
        self._queue = Histogram(REQUEST_SECONDS)
        # At hand, as a gap is counted for each write of each stream.
        self._gap_bounds = INTER_TOKEN_SECONDS
        self._gap_counts = self._between_tokens.counts

    def started(self) -> None:
        """Note that a request got its place at the model."""
        self.running += 1

    def left(self) -> None:
        """Note that a request gave its place back."""
        self.running -= 1

    def attempt_failed(self, error_type: str | None, status: int) -> None:
        """Note that a request goes on elsewhere, or is tried here again, after it failed here."""
        key = _error_key(error_type, status)
        self._failed_attempts[key] = self._failed_attempts.get(key, 0) + 1

    def gap(self, seconds: float, tokens: int) -> None:
        """Note the tokens of one write of a stream: the first came `seconds` after the last write, the others with it.

        Args:
            seconds: The time since the last write; 0 for tokens that came together with the very first one.
            tokens: How many; a stream's first token is none of them: it has its own histogram.
        """
        if tokens <= 0:
            return
        counts = self._gap_counts
        counts[bisect_left(self._gap_bounds, seconds)] += 1
        if tokens > 1:
            counts[0] += tokens - 1
        self._between_tokens.sum_seconds += seconds

    def finished(self, record: RequestRecord) -> None:
        """Note how a request ended that this deployment was the last to have.

        The times are those of requests that went well: a burst of quick refusals must not look like speed. The first
        token counts whenever there was one, the queue also when it was for nothing.
        """
        self._prompt_tokens += record.prompt_tokens
        self._generation_tokens += record.completion_tokens
        started = record.started
        if record.first_token_at:
            self._first_token.observe(record.first_token_at - started)
        if record.error_type is None and record.status < 400:
            self._succeeded += 1
            self._whole.observe(record.ended - started)
            self._queue.observe(record.queue_seconds)
            return
        key = _error_key(record.error_type, record.status)
        self._errors[key] = self._errors.get(key, 0) + 1
        if record.queue_seconds:
            self._queue.observe(record.queue_seconds)

    def counts(self) -> ModelCounts:
        """Return all numbers as they are now."""
        return ModelCounts(
            self.model,
            self.deployment,
            running=self.running,
            waiting=self.waiting() if self.waiting is not None else 0,
            succeeded=self._succeeded,
            prompt_tokens=self._prompt_tokens,
            generation_tokens=self._generation_tokens,
            errors=dict(self._errors),
            failed_attempts=dict(self._failed_attempts),
            first_token=_durations(self._first_token),
            between_tokens=_durations(self._between_tokens),
            whole=_durations(self._whole),
            queue=_durations(self._queue),
        )


def _durations(histogram: Histogram) -> DurationCounts:
    return DurationCounts(list(histogram.counts), histogram.sum_seconds)


def _error_key(error_type: str | None, status: int) -> ErrorKey:
    if error_type in ERROR_TYPES:
        return error_type, status
    return (CLIENT_GONE if status == 499 else type_of_status(status)), status
