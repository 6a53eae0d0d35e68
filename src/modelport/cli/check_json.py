"""The JSON that `modelport check --json` prints; its shape is stable: keys are added, never renamed or left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from modelport._version import __version__
from modelport.cli.findings import counts_of, groups_of
from modelport.testing import CheckResult

OUTCOMES: dict[str, Literal["pass", "fail", "not_applicable"]] = {
    "pass": "pass",
    "fail": "fail",
    "not applicable": "not_applicable",
}


class JsonCounts(msgspec.Struct, frozen=True):
    """Counts outcomes."""

    passed: int
    """How many checks hold."""
    failed: int
    """How many do not."""
    not_applicable: int
    """How many cannot be seen on this model or server."""


class JsonResult(msgspec.Struct, frozen=True):
    """Is what one check found."""

    id: str
    """`group:way:variant`."""
    group: str
    """The guarantee: what stands before the first colon."""
    outcome: Literal["pass", "fail", "not_applicable"]
    """Whether the property holds, does not, or cannot be seen here."""
    sentence: str
    """What the check is about."""
    source: str
    """Where that is promised."""
    seen: str
    """What was seen instead, or why the check does not apply; empty when it passes."""
    mend: str
    """How to mend it; may be empty."""
    seconds: float
    """How long the check took."""


class JsonReport(msgspec.Struct, frozen=True):
    """Is the whole document."""

    modelport: str
    """The version that checked."""
    target: str
    """What was checked, as it was typed."""
    raw: bool
    """Whether the author's own code was checked, without the guarantees around it."""
    seconds: float
    """How long all checks took."""
    counts: JsonCounts
    """All outcomes."""
    groups: dict[str, JsonCounts]
    """The outcomes of each guarantee, in the order of the table."""
    results: list[JsonResult]
    """Every check, in the order in which they ran."""


def json_report(
    results: Sequence[CheckResult], target: str, seconds: float, seconds_of: dict[str, float], *, raw: bool
) -> str:
    """Return the document.

    Args:
        results: What the checks found.
        target: What was checked.
        seconds: How long all of them took.
        seconds_of: How long each took, by its id.
        raw: Whether the author's own code was checked.
    """
    report = JsonReport(
        modelport=__version__,
        target=target,
        raw=raw,
        seconds=round(seconds, 3),
        counts=_counts(results),
        groups={group: _counts(several) for group, several in groups_of(results).items()},
        results=[_result(one, seconds_of.get(one.id, 0.0)) for one in results],
    )
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def _counts(results: Sequence[CheckResult]) -> JsonCounts:
    counts = counts_of(results)
    return JsonCounts(counts.passed, counts.failed, counts.not_applicable)


def _result(one: CheckResult, seconds: float) -> JsonResult:
    group = one.id.partition(":")[0]
    return JsonResult(
        one.id, group, OUTCOMES[one.outcome], one.sentence, one.source, one.seen, one.mend, round(seconds, 3)
    )
