"""From a snapshot to the text that Prometheus scrapes, under the names that vLLM's dashboards know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from typing_extensions import override

from modelport._version import __version__
from modelport.gateway.histogram import FIRST_TOKEN_SECONDS, INTER_TOKEN_SECONDS, REQUEST_SECONDS
from modelport.gateway.metric_snapshots import DurationCounts, ModelCounts, Snapshot

LABELS = ("model", "deployment")
"""The configured name, and which of its deployments; never what a client sent."""
ERROR_LABELS = (*LABELS, "error_type", "status")

_NUMBERS: tuple[tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str, Callable[[ModelCounts], int]], ...] = (
    (
        GaugeMetricFamily,
        "modelport_num_requests_running",
        "Requests that the model works on now.",
        lambda counts: counts.running,
    ),
    (
        GaugeMetricFamily,
        "modelport_num_requests_waiting",
        "Requests that wait for a place at the model now.",
        lambda counts: counts.waiting,
    ),
    (CounterMetricFamily, "modelport_request_success", "Requests that went well.", lambda counts: counts.succeeded),
    (CounterMetricFamily, "modelport_prompt_tokens", "Tokens of prompts.", lambda counts: counts.prompt_tokens),
    (
        CounterMetricFamily,
        "modelport_generation_tokens",
        "Tokens of answers.",
        lambda counts: counts.generation_tokens,
    ),
)
_ERRORS: tuple[tuple[str, str, Callable[[ModelCounts], dict[tuple[str, int], int]]], ...] = (
    (
        "modelport_request_errors",
        "Requests that failed, by the error's type and the status the client got (200: in the middle of a stream).",
        lambda counts: counts.errors,
    ),
    (
        "modelport_failed_attempts",
        "Attempts that failed and were followed by another, of the same request.",
        lambda counts: counts.failed_attempts,
    ),
)
_DURATIONS: tuple[tuple[str, str, tuple[float, ...], Callable[[ModelCounts], DurationCounts]], ...] = (
    (
        "modelport_time_to_first_token_seconds",
        "From the request's head to the first token, or to the whole answer when it is not streamed.",
        FIRST_TOKEN_SECONDS,
        lambda counts: counts.first_token,
    ),
    (
        "modelport_inter_token_latency_seconds",
        "From one token of a stream to the next, as they are written.",
        INTER_TOKEN_SECONDS,
        lambda counts: counts.between_tokens,
    ),
    (
        "modelport_e2e_request_latency_seconds",
        "From the request's head to the end of its answer, of requests that went well.",
        REQUEST_SECONDS,
        lambda counts: counts.whole,
    ),
    (
        "modelport_request_queue_time_seconds",
        "How long requests waited for a place at the model.",
        REQUEST_SECONDS,
        lambda counts: counts.queue,
    ),
)


class SnapshotCollector(Collector):
    """Gives prometheus-client the metrics of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @override
    def collect(self) -> Iterator[Metric]:
        """Return each metric with the samples of all models."""
        models = self._snapshot.models
        yield InfoMetricFamily("modelport_build", "Which modelport this is.", {"version": __version__})
        for family, name, text, number_of in _NUMBERS:
            metric = family(name, text, labels=LABELS)
            for counts in models:
                metric.add_metric([counts.model, counts.deployment], number_of(counts))
            yield metric
        for name, text, errors_of in _ERRORS:
            errors = CounterMetricFamily(name, text, labels=ERROR_LABELS)
            for counts in models:
                for (error_type, status), count in errors_of(counts).items():
                    errors.add_metric([counts.model, counts.deployment, error_type, str(status)], count)
            yield errors
        for name, text, bounds, durations_of in _DURATIONS:
            yield _histogram(name, text, bounds, models, durations_of)
        answers = CounterMetricFamily("modelport_http_requests", "Answers by endpoint.", labels=("endpoint", "status"))
        for (endpoint, status), count in self._snapshot.answers.items():
            answers.add_metric([endpoint, str(status)], count)
        yield answers


def exposition(snapshot: Snapshot, accept: str | None, *, with_process: bool) -> tuple[bytes, str]:
    """Return the text of a snapshot and its content type.

    Args:
        snapshot: The sum of all processes.
        accept: The scraper's `Accept` header; OpenMetrics is written when it asks for that.
        with_process: Whether to show this process's memory, CPU time and garbage collections: only when it is the
            only one, as a scrape meets any of several.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(snapshot))
    PlatformCollector(registry=registry)
    if with_process:
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
    encode, content_type = choose_encoder(accept or "")
    return encode(registry), content_type


def _histogram(
    name: str,
    text: str,
    bounds: tuple[float, ...],
    models: Iterable[ModelCounts],
    durations_of: Callable[[ModelCounts], DurationCounts],
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=LABELS)
    limits = [*map(str, bounds), "+Inf"]
    for counts in models:
        durations = durations_of(counts)
        buckets = list(zip(limits, accumulate(durations.counts), strict=True))
        family.add_metric([counts.model, counts.deployment], buckets, durations.sum_seconds)
    return family
