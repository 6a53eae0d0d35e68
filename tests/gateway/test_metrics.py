"""`/metrics`: what is counted of requests, under which names, and how several workers add up."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from modelport.gateway.metric_snapshots import Snapshot, SnapshotFolder
from modelport.gateway.metrics import Metrics
from modelport.gateway.model_metrics import ModelMetrics
from modelport.gateway.record import RequestRecord

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(metrics: Metrics) -> Samples:
    text, _ = await metrics.exposition()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return one sample; its model is `m` and its deployment `d` unless other labels are given."""
    wanted = labels if "endpoint" in labels else {"model": "m", "deployment": "d", **labels}
    return samples[name, frozenset(wanted.items())]


def record(**fields: Any) -> RequestRecord:
    made = RequestRecord("req_1", "/chat/completions")
    made.started, made.ended, made.status = 100.0, 101.0, 200
    for name, field in fields.items():
        setattr(made, name, field)
    return made


def run_one(counted: ModelMetrics, **fields: Any) -> None:
    counted.started()
    counted.left()
    counted.finished(record(**fields))


async def test_a_models_metrics_are_there_with_0_before_its_first_request() -> None:
    metrics = Metrics()
    metrics.for_model("m", "d")
    samples = await scrape(metrics)
    for name in (
        "modelport_num_requests_running",
        "modelport_num_requests_waiting",
        "modelport_request_success_total",
        "modelport_prompt_tokens_total",
        "modelport_generation_tokens_total",
        "modelport_time_to_first_token_seconds_count",
        "modelport_inter_token_latency_seconds_count",
        "modelport_e2e_request_latency_seconds_count",
        "modelport_request_queue_time_seconds_count",
    ):
        assert value(samples, name) == 0
    assert value(samples, "modelport_request_errors_total", error_type="server_error", status="500") == 0


async def test_a_request_that_went_well_counts_its_tokens_and_times() -> None:
    metrics = Metrics()
    counted = metrics.for_model("m", "d")
    run_one(counted, first_token_at=100.03, ended=102.0, queue_seconds=0.4, prompt_tokens=7, completion_tokens=11)
    samples = await scrape(metrics)
    assert value(samples, "modelport_request_success_total") == 1
    assert value(samples, "modelport_prompt_tokens_total") == 7
    assert value(samples, "modelport_generation_tokens_total") == 11
    first_token = "modelport_time_to_first_token_seconds"
    assert value(samples, f"{first_token}_sum") == pytest.approx(0.03)
    assert value(samples, f"{first_token}_bucket", le="0.02") == 0
    assert value(samples, f"{first_token}_bucket", le="0.04") == 1
    assert value(samples, f"{first_token}_bucket", le="+Inf") == 1
    assert value(samples, "modelport_e2e_request_latency_seconds_sum") == pytest.approx(2)
    assert value(samples, "modelport_request_queue_time_seconds_sum") == pytest.approx(0.4)


async def test_running_and_waiting_are_told_apart() -> None:
    metrics = Metrics()
    counted = metrics.for_model("m", "d", waiting=lambda: 2)
    for _ in range(3):
        counted.started()
    counted.left()
    samples = await scrape(metrics)
    assert metrics.in_flight == 4
    assert value(samples, "modelport_num_requests_running") == 2
    assert value(samples, "modelport_num_requests_waiting") == 2


async def test_errors_count_by_class_and_do_not_look_like_quick_answers() -> None:
    metrics = Metrics()
    counted = metrics.for_model("m", "d")
    run_one(counted, status=429, error_type="rate_limit_error")
    run_one(counted, status=429, error_type="rate_limit_error")
    run_one(counted, status=200, error_type="timeout_error", first_token_at=100.5)
    samples = await scrape(metrics)
    errors = "modelport_request_errors_total"
    assert value(samples, errors, error_type="rate_limit_error", status="429") == 2
    assert value(samples, errors, error_type="timeout_error", status="200") == 1
    assert value(samples, "modelport_request_success_total") == 0
    assert value(samples, "modelport_e2e_request_latency_seconds_count") == 0
    assert value(samples, "modelport_time_to_first_token_seconds_count") == 1


async def test_types_that_an_author_invents_become_no_series() -> None:
    metrics = Metrics()
    counted = metrics.for_model("m", "d")
    for number in range(50):
        run_one(counted, status=503, error_type=f"quota of {number}")
    run_one(counted, status=499)
    samples = await scrape(metrics)
    errors = {dict(labels)["error_type"] for name, labels in samples if name == "modelport_request_errors_total"}
    assert value(samples, "modelport_request_errors_total", error_type="server_error", status="503") == 50
    assert value(samples, "modelport_request_errors_total", error_type="client_disconnected", status="499") == 1
    assert len(errors) == 5


async def test_an_attempt_that_another_follows_is_no_failed_request() -> None:
    metrics = Metrics()
    first, second = metrics.for_model("m", "d"), metrics.for_model("m", "e")
    first.started()
    first.left()
    first.attempt_failed("server_error", 500)
    run_one(second)
    samples = await scrape(metrics)
    assert value(samples, "modelport_num_requests_running") == 0
    assert value(samples, "modelport_failed_attempts_total", error_type="server_error", status="500") == 1
    assert value(samples, "modelport_request_errors_total", error_type="server_error", status="500") == 0
    assert value(samples, "modelport_request_success_total", deployment="e") == 1


async def test_tokens_that_are_written_together_have_one_gap() -> None:
    metrics = Metrics()
    counted = metrics.for_model("m", "d")
    counted.gap(0.02, 4)
    counted.gap(90.0, 1)
    counted.gap(5.0, 0)
    samples = await scrape(metrics)
    between = "modelport_inter_token_latency_seconds"
    assert value(samples, f"{between}_count") == 5
    assert value(samples, f"{between}_sum") == pytest.approx(90.02)
    assert value(samples, f"{between}_bucket", le="0.001") == 3
    assert value(samples, f"{between}_bucket", le="0.01") == 3
    assert value(samples, f"{between}_bucket", le="0.025") == 4
    assert value(samples, f"{between}_bucket", le="80.0") == 4
    assert value(samples, f"{between}_bucket", le="+Inf") == 5


async def test_a_record_counts_for_its_endpoint_and_for_the_deployment_that_it_came_to() -> None:
    metrics = Metrics()
    metrics.for_model("m", "d", waiting=lambda: 3)
    for fields in (
        {"model": "m", "deployment": "d"},
        {"model": "m", "status": 403, "error_type": "permission_error"},
        {"status": 401, "error_type": "authentication_error"},
    ):
        metrics.finished(record(**fields))
    samples = await scrape(metrics)
    for status in ("200", "403", "401"):
        assert value(samples, "modelport_http_requests_total", endpoint="/chat/completions", status=status) == 1
    refused = {"deployment": "", "error_type": "permission_error", "status": "403"}
    assert value(samples, "modelport_request_success_total") == 1
    assert value(samples, "modelport_request_errors_total", **refused) == 1
    assert value(samples, "modelport_num_requests_waiting") == 3
    assert not [labels for name, labels in samples if ("error_type", "authentication_error") in labels]


async def test_answers_without_a_model_count_by_endpoint_and_invented_paths_as_one() -> None:
    metrics = Metrics()
    metrics.answered("/chat/completions", 401)
    for path in ("/admin", "/wp-login.php", "/v2/chat"):
        metrics.answered(path, 404)
    samples = await scrape(metrics)
    assert value(samples, "modelport_http_requests_total", endpoint="/chat/completions", status="401") == 1
    assert value(samples, "modelport_http_requests_total", endpoint="other", status="404") == 3


async def test_a_models_counts_go_on_after_a_reload() -> None:
    metrics = Metrics()
    run_one(metrics.for_model("m", "d", waiting=lambda: 5))
    counted = metrics.for_model("m", "d", waiting=lambda: 0)
    run_one(counted)
    samples = await scrape(metrics)
    assert value(samples, "modelport_request_success_total") == 2
    assert value(samples, "modelport_num_requests_waiting") == 0


async def test_the_process_shows_its_memory() -> None:
    samples = await scrape(Metrics())
    assert samples["process_resident_memory_bytes", frozenset()] > 0


async def test_openmetrics_is_written_when_the_scraper_asks_for_it() -> None:
    metrics = Metrics()
    run_one(metrics.for_model('a "quoted"\nname', "d"))
    plain, plain_type = await metrics.exposition("text/plain")
    assert plain_type.startswith("text/plain; version=0.0.4")
    text, content_type = await metrics.exposition("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in openmetrics_families(text.decode())}
    assert {"modelport_request_success", "modelport_time_to_first_token_seconds"} <= names
    assert b'model="a \\"quoted\\"\\nname"' in plain


# --- several workers ------------------------------------------------------------------------------


def worker(folder: Path, number: int) -> Metrics:
    return Metrics(SnapshotFolder(folder, number))


def as_of_an_ended_process(folder: Path, number: int, metrics: Metrics) -> None:
    """Show a worker's counts as if a process that is gone had written them."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    snapshot = metrics.snapshot()
    snapshot.pid = ended.pid
    SnapshotFolder(folder, number).publish(snapshot, 1)


async def test_a_scrape_of_any_worker_shows_the_sum_of_all(tmp_path: Path) -> None:
    one, two = worker(tmp_path, 0), worker(tmp_path, 1)
    for metrics, first_token_at in ((one, 100.03), (two, 107.0)):
        counted = metrics.for_model("m", "d", waiting=lambda: 1)
        run_one(counted, first_token_at=first_token_at)
        counted.started()
        counted.started()
        run_one(counted, status=500, error_type="server_error")
        metrics.answered("/chat/completions", 200)
        metrics.publish()
    two.for_model("only two has it", "d")
    two.publish()
    samples = await scrape(one)
    other = await scrape(two)
    assert {key: count for key, count in samples.items() if key[0].startswith("modelport_")} == {
        key: count for key, count in other.items() if key[0].startswith("modelport_")
    }
    assert value(samples, "modelport_request_success_total") == 2
    assert value(samples, "modelport_request_success_total", model="only two has it") == 0
    assert value(samples, "modelport_num_requests_running") == 4
    assert value(samples, "modelport_num_requests_waiting") == 2
    assert value(samples, "modelport_request_errors_total", error_type="server_error", status="500") == 2
    assert value(samples, "modelport_time_to_first_token_seconds_bucket", le="0.04") == 1
    assert value(samples, "modelport_time_to_first_token_seconds_bucket", le="+Inf") == 2
    assert value(samples, "modelport_http_requests_total", endpoint="/chat/completions", status="200") == 2


async def test_one_of_several_workers_does_not_show_its_own_memory_as_the_servers(tmp_path: Path) -> None:
    samples = await scrape(worker(tmp_path, 0))
    assert ("process_resident_memory_bytes", frozenset()) not in samples


async def test_what_a_dead_worker_counted_stays_and_what_it_was_doing_does_not(tmp_path: Path) -> None:
    dead = worker(tmp_path, 1)
    counted = dead.for_model("m", "d", waiting=lambda: 1)
    run_one(counted, prompt_tokens=9)
    counted.started()
    counted.started()
    as_of_an_ended_process(tmp_path, 1, dead)
    samples = await scrape(worker(tmp_path, 0))
    assert value(samples, "modelport_request_success_total") == 1
    assert value(samples, "modelport_prompt_tokens_total") == 9
    assert value(samples, "modelport_num_requests_running") == 0
    assert value(samples, "modelport_num_requests_waiting") == 0


async def test_a_worker_goes_on_counting_where_its_predecessor_died(tmp_path: Path) -> None:
    dead = worker(tmp_path, 1)
    counted = dead.for_model("m", "d")
    run_one(counted, first_token_at=100.5)
    counted.started()
    as_of_an_ended_process(tmp_path, 1, dead)
    successor = worker(tmp_path, 1)
    for _ in range(2):
        run_one(successor.for_model("m", "d"), first_token_at=100.5)
        successor.publish()
    third = worker(tmp_path, 1)
    for metrics in (successor, worker(tmp_path, 0)):
        samples = await scrape(metrics)
        assert value(samples, "modelport_request_success_total") == 3
        assert value(samples, "modelport_time_to_first_token_seconds_count") == 3
        assert value(samples, "modelport_num_requests_running") == 0
    assert value(await scrape(third), "modelport_request_success_total") == 3
    assert len(os.listdir(tmp_path)) == 2


async def test_what_a_scrape_has_shown_is_not_lost_when_its_worker_dies_right_after(tmp_path: Path) -> None:
    dying = worker(tmp_path, 1)
    run_one(dying.for_model("m", "d"))
    shown = value(await scrape(dying), "modelport_request_success_total")
    assert value(await scrape(worker(tmp_path, 0)), "modelport_request_success_total") == shown == 1


def test_an_older_snapshot_never_replaces_a_newer_one(tmp_path: Path) -> None:
    folder, metrics = SnapshotFolder(tmp_path, 0), Metrics()
    counted = metrics.for_model("m", "d")
    before = metrics.snapshot()
    run_one(counted)
    folder.publish(metrics.snapshot(), 2)
    folder.publish(before, 1)
    [shown] = SnapshotFolder(tmp_path, 1).siblings()
    assert shown.models[0].succeeded == 1


def test_a_snapshot_that_says_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    folder, metrics = SnapshotFolder(tmp_path, 0), Metrics()
    folder.publish(metrics.snapshot(), 1)
    file = tmp_path / "worker-0.counts"
    written = file.stat().st_ino
    folder.publish(metrics.snapshot(), 2)
    assert file.stat().st_ino == written
    metrics.answered("/models", 200)
    folder.publish(metrics.snapshot(), 3)
    assert file.stat().st_ino != written


async def test_a_worker_shows_its_counts_by_itself_until_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelport.gateway.metrics.PUBLISH_SECONDS", 0.001)
    loop, shown = asyncio.get_running_loop(), asyncio.Event()

    class Watched(SnapshotFolder):
        def publish(self, snapshot: Snapshot, age: int) -> None:
            super().publish(snapshot, age)
            if [one for one in SnapshotFolder(tmp_path, 1).siblings() if any(m.succeeded for m in one.models)]:
                loop.call_soon_threadsafe(shown.set)

    metrics = Metrics(Watched(tmp_path, 0))
    metrics.for_model("m", "d")
    publishing = asyncio.create_task(metrics.keep_publishing())
    run_one(metrics.for_model("m", "d"))
    async with asyncio.timeout(10):
        await shown.wait()
    publishing.cancel()
    await asyncio.wait([publishing])
    assert publishing.cancelled()
    await Metrics().keep_publishing()


async def test_counts_that_cannot_be_written_or_read_stop_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "worker-1.counts").write_bytes(b"\x00 no counts")
    metrics = worker(tmp_path, 0)
    run_one(metrics.for_model("m", "d"))
    assert value(await scrape(metrics), "modelport_request_success_total") == 1
    assert [entry.levelno for entry in caplog.records] == [logging.WARNING]
    gone = worker(tmp_path / "gone", 0)
    for _ in range(3):
        run_one(gone.for_model("m", "d"))
        gone.publish()
    assert value(await scrape(gone), "modelport_request_success_total") == 3
    assert len(caplog.records) == 2
    assert str(tmp_path) not in caplog.text


def test_a_process_of_somebody_else_is_alive() -> None:
    from modelport.gateway.metric_snapshots import _is_alive

    assert _is_alive(1)
    assert _is_alive(os.getpid())
