"""Failures of one property are one finding, whatever the ways to call."""

from __future__ import annotations

from modelport.cli.findings import counts_of, findings_of, groups_of
from tests.cli.results import RESULTS, failing


def test_the_ways_of_one_property_are_one_finding() -> None:
    cut, closed = findings_of(RESULTS)
    assert cut.id == "stop:*:cut"
    assert cut.ways == ["invoke", "astream", "batch"]
    assert cut.sentence == "Each of these ways ends the answer at a stop string."
    assert list(cut.seen.items()) == [
        ("the text of `invoke` is 'a'", ["invoke", "astream"]),
        ("OSError: <none> & \x00", ["batch"]),
    ]
    assert cut.mends == {"cut it": ["invoke", "astream", "batch"]}
    assert (closed.id, closed.sentence) == ("stop:stream:closed", "`stream` closes the model.")


def test_only_the_way_that_differs_is_taken_out_of_a_sentence() -> None:
    results = [
        failing("cache:invoke:read", "`invoke` gives what `invoke` has found.", "x"),
        failing("cache:with-retry:read", "`with_retry` gives what `invoke` has found.", "x"),
    ]
    [found] = findings_of(results)
    assert found.sentence == "Each of these ways gives what `invoke` has found."
    assert found.mends == {}


def test_the_endpoints_of_one_property_are_one_finding() -> None:
    results = [
        failing("wire-limit:chat:stream", "max_tokens cuts a stream of /chat/completions, which ends.", "x"),
        failing("wire-limit:text:stream", "max_tokens cuts a stream of /completions, which ends.", "x"),
    ]
    [found] = findings_of(results)
    assert found.sentence == "max_tokens cuts a stream of each of these, which ends."
    assert found.ways == ["chat", "text"]


def test_results_are_counted_by_group_in_their_order() -> None:
    groups = groups_of(RESULTS)
    assert list(groups) == ["parity", "stop", "cancel"]
    counts = counts_of(groups["stop"])
    assert (counts.passed, counts.failed, counts.not_applicable, counts.total) == (1, 4, 0, 5)
    assert counts_of(groups["cancel"]).not_applicable == 1
