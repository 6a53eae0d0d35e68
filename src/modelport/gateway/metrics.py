"""What `/metrics` shows: what this process counts, and what the other workers of the same server do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from modelport.gateway.metric_snapshots import AnswerKey, Snapshot, SnapshotFolder, merged
from modelport.gateway.model_metrics import ModelMetrics
from modelport.gateway.record import RequestRecord

ENDPOINTS = frozenset(
    {
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/images/generations",
        "/images/edits",
        "/rerank",
        "/models",
        "/models/{id}",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
    }
)
"""The values that the label `endpoint` can have, besides `OTHER_ENDPOINT`."""
OTHER_ENDPOINT = "other"
"""Every path that nothing answers at: what clients invent must not become series."""
PUBLISH_SECONDS = 1.0
"""How often a worker shows the others what it counts."""


class Metrics:
    """Holds the counts of one process; they outlive a reload of the config."""

    def __init__(self, shared: SnapshotFolder | None = None) -> None:
        """Begin to count.

        Args:
            shared: Where the workers of one server show each other their counts; None when there is only one.
        """
        self._shared = shared
        self._models: dict[tuple[str, str], ModelMetrics] = {}
        self._answers: dict[AnswerKey, int] = {}
        self._snapshots_taken = 0

    def for_model(
        self, model: str, deployment: str | None = None, waiting: Callable[[], int] | None = None
    ) -> ModelMetrics:
        """Return the counts of one deployment of a model, shown from now on; the same ones for the same names.

        Args:
            model: The configured name, never what a client sent.
            deployment: Which of its deployments; None for what fails before one is chosen.
            waiting: Says how many requests wait for a place there; replaces the one given before.
        """
        key = (model, deployment or "")
        found = self._models.get(key)
        if found is None:
            found = self._models[key] = ModelMetrics(*key)
        found.waiting = waiting
        return found

    def finished(self, record: RequestRecord) -> None:
        """Count a request that is over, whatever became of it."""
        self.answered(record.endpoint, record.status)
        if record.model is not None:
            key = (record.model, record.deployment or "")
            counted = self._models.get(key)
            if counted is None:
                counted = self._models[key] = ModelMetrics(*key)
            counted.finished(record)

    @property
    def in_flight(self) -> int:
        """How many requests models work on, or that wait for one, in this process."""
        return sum(
            counted.running + (counted.waiting() if counted.waiting is not None else 0)
            for counted in self._models.values()
        )

    def answered(self, endpoint: str, status: int) -> None:
        """Count one answer that has no record: to requests for health, models, documents.

        Args:
            endpoint: The path without `/v1`, of a model `/models/{id}`; one that is not in `ENDPOINTS` counts as other.
            status: What the client got; 499 when it left before.
        """
        key = (endpoint if endpoint in ENDPOINTS else OTHER_ENDPOINT, status)
        answers = self._answers
        answers[key] = answers.get(key, 0) + 1

    def snapshot(self) -> Snapshot:
        """Return everything that this process, and those whose worker's number it took over, counted until now."""
        models = [counted.counts() for counted in self._models.values()]
        own = Snapshot(os.getpid(), models, dict(self._answers))
        return own if self._shared is None else self._shared.with_inherited(own)

    async def exposition(self, accept: str | None = None) -> tuple[bytes, str]:
        """Return the text of `/metrics` and its content type: Prometheus's, or OpenMetrics when `accept` wants it.

        A thread makes the text: many models have thousands of lines.
        """
        return await asyncio.to_thread(_text_of, self.snapshot(), accept, self._shared, self._next_age())

    def publish(self) -> None:
        """Show the other workers what this one counts, at once: before it ends."""
        if self._shared is not None:
            self._shared.publish(self.snapshot(), self._next_age())

    async def keep_publishing(self) -> None:
        """Show the other workers what this one counts, now and every second, until cancelled; alone, do nothing."""
        if self._shared is None:
            return
        while True:
            await asyncio.to_thread(self._shared.publish, self.snapshot(), self._next_age())
            await asyncio.sleep(PUBLISH_SECONDS)

    def _next_age(self) -> int:
        self._snapshots_taken += 1
        return self._snapshots_taken


def _text_of(own: Snapshot, accept: str | None, shared: SnapshotFolder | None, age: int) -> tuple[bytes, str]:
    from modelport.gateway.exposition import exposition

    if shared is None:
        return exposition(own, accept, with_process=True)
    # Shown first: should this worker die now, the next scrape must not see less than this one.
    shared.publish(own, age)
    return exposition(merged([own, *shared.siblings()]), accept, with_process=False)
