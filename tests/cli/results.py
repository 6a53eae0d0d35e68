"""Results of checks, made up: what the report, the JSON and the JUnit file are made of."""

from __future__ import annotations

from modelport.testing import CheckResult


def passing(check_id: str) -> CheckResult:
    return CheckResult(check_id, "pass", "It holds.", "a promise")


def skipped(check_id: str, why: str = "the class has no streaming hook") -> CheckResult:
    return CheckResult(check_id, "not applicable", "It would hold.", "a promise", why)


def failing(check_id: str, sentence: str, seen: str, mend: str = "") -> CheckResult:
    return CheckResult(check_id, "fail", sentence, "guarantee 3 (stop)", seen, mend)


RESULTS = [
    passing("parity:stream:same-text"),
    passing("stop:invoke:literal"),
    failing("stop:invoke:cut", "`invoke` ends the answer at a stop string.", "the text of `invoke` is 'a'", "cut it"),
    failing(
        "stop:astream:cut", "`astream` ends the answer at a stop string.", "the text of `astream` is 'a'", "cut it"
    ),
    failing("stop:batch:cut", "`batch` ends the answer at a stop string.", "OSError: <none> & \x00", "cut it"),
    failing("stop:stream:closed", "`stream` closes the model.", "it went on", "cut it"),
    skipped("cancel:stream:break"),
]
"""Two groups with passes, one property that fails by three ways, one that fails by one, and one that does not apply."""
