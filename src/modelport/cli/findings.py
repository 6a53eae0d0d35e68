"""What checks found, put together for people: counts by guarantee, and failures of one property as one finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from modelport.testing import CheckResult

if TYPE_CHECKING:
    from modelport.cli.check_targets import Listed

_NAMES = re.compile(r"(`[^`]*`|/[a-z/]*[a-z])")
_ANSWERING = ("derive", "embedding", "image")
_THESE = {"`": "each of these ways", "/": "each of these"}


class Counts(msgspec.Struct):
    """Counts outcomes."""

    passed: int = 0
    """How many checks hold."""
    failed: int = 0
    """How many do not."""
    not_applicable: int = 0
    """How many cannot be seen on this model or server."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.not_applicable

    def count(self, result: CheckResult) -> None:
        """Count one more."""
        if result.outcome == "pass":
            self.passed += 1
        elif result.outcome == "fail":
            self.failed += 1
        else:
            self.not_applicable += 1


class Finding(msgspec.Struct, frozen=True):
    """Is one property that does not hold, by one or several ways to call."""

    results: tuple[CheckResult, ...]
    """The failures; they differ in the way."""

    @property
    def id(self) -> str:
        """The check's id, with `*` for the way where there are several; `--only` takes it."""
        group, _, variant = parts_of(self.results[0])
        return self.results[0].id if len(self.results) == 1 else f"{group}:*:{variant}"

    @property
    def ways(self) -> list[str]:
        """The ways to call by which it fails."""
        return [parts_of(one)[1] for one in self.results]

    @property
    def sentence(self) -> str:
        """What should hold."""
        first, *others = self.results
        if not others:
            return first.sentence
        # Where two sentences differ, they name their ways to call, or their endpoints.
        words, other_words = (_NAMES.split(one.sentence) for one in (first, others[0]))
        pairs = zip(words, other_words, strict=False)
        said = "".join(word if word == other else _THESE.get(word[:1], word) for word, other in pairs)
        return f"E{said[1:]}" if said.startswith("each of these") else said

    @property
    def seen(self) -> dict[str, list[str]]:
        """What was seen, and by which ways each."""
        return _ways_by(self.results, [one.seen for one in self.results])

    @property
    def mends(self) -> dict[str, list[str]]:
        """How it is mended, and by which ways each."""
        return _ways_by(self.results, [one.mend for one in self.results])


def _ways_by(results: Sequence[CheckResult], texts: Sequence[str]) -> dict[str, list[str]]:
    """Group ways by a text; texts that differ only in the way's own name are one."""
    found: dict[str, tuple[str, list[str]]] = {}
    for result, text in zip(results, texts, strict=True):
        way = parts_of(result)[1]
        plain = re.sub(rf"\b{re.escape(way).replace('-', '[-_]')}\b", "*", text)
        found.setdefault(plain, (text, []))[1].append(way)
    return {text: ways for text, ways in found.values() if text}


def parts_of(result: Listed) -> tuple[str, str, str]:
    """Return the group, the way and the variant in the id of a check or a result."""
    group, _, rest = result.id.partition(":")
    way, _, variant = rest.partition(":")
    return group, way, variant


def groups_of(results: Iterable[CheckResult]) -> dict[str, list[CheckResult]]:
    """Return the results of each guarantee, in their order."""
    groups: dict[str, list[CheckResult]] = {}
    for result in results:
        groups.setdefault(parts_of(result)[0], []).append(result)
    return groups


def counts_of(results: Iterable[CheckResult]) -> Counts:
    """Return how many results there are of each outcome."""
    counts = Counts()
    for result in results:
        counts.count(result)
    return counts


def findings_of(results: Iterable[CheckResult]) -> list[Finding]:
    """Return what does not hold: one finding for each property, whatever the ways to call."""
    found: dict[tuple[str, str], list[CheckResult]] = {}
    for result in results:
        if result.outcome == "fail":
            group, _, variant = parts_of(result)
            found.setdefault((group, variant), []).append(result)
    return [Finding(tuple(several)) for several in found.values()]


def answers_nothing(results: Sequence[CheckResult], checks: Sequence[Listed]) -> bool:
    """Tell whether a model was by now asked in every way, in vain: then no other check can see more than that.

    Args:
        results: What was found so far.
        checks: The checks there are.
    """
    group, _, variant = parts_of(results[-1])
    if variant != "answers" or group not in _ANSWERING:
        return False
    ways = {one.id for one in checks if parts_of(one)[0] == group and parts_of(one)[2] == variant}
    outcomes = [one.outcome for one in results if one.id in ways]
    return len(outcomes) == len(ways) and "pass" not in outcomes and "fail" in outcomes
