"""JUnit's XML of what checks found, as CI systems read it: a suite for each guarantee, a case for each check."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from modelport.cli.findings import counts_of, groups_of
from modelport.testing import CheckResult

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def junit_xml(results: Sequence[CheckResult], target: str, seconds_of: Mapping[str, float]) -> bytes:
    """Return the document, in UTF-8.

    Args:
        results: What the checks found.
        target: What was checked.
        seconds_of: How long each check took, by its id.
    """
    root = ET.Element("testsuites", {"name": _text(f"modelport check {target}"), **_totals(results, seconds_of)})
    for group, several in groups_of(results).items():
        suite = ET.SubElement(root, "testsuite", {"name": group, **_totals(several, seconds_of)})
        for result in several:
            _add_case(suite, group, result, seconds_of.get(result.id, 0.0))
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _add_case(suite: ET.Element, group: str, result: CheckResult, seconds: float) -> None:
    facts = {"classname": f"modelport.{group}", "name": result.id, "time": f"{seconds:.3f}"}
    case = ET.SubElement(suite, "testcase", facts)
    if result.outcome == "fail":
        failure = ET.SubElement(case, "failure", {"message": _text(result.seen), "type": "CheckFailure"})
        lines = [result.sentence, f"seen: {result.seen}", f"mend: {result.mend}" if result.mend else ""]
        failure.text = _text("\n".join([*filter(None, lines), f"source: {result.source}"]))
    elif result.outcome == "not applicable":
        ET.SubElement(case, "skipped", {"message": _text(result.seen)})


def _totals(results: Sequence[CheckResult], seconds_of: Mapping[str, float]) -> dict[str, str]:
    counts = counts_of(results)
    return {
        "tests": str(counts.total),
        "failures": str(counts.failed),
        "errors": "0",
        "skipped": str(counts.not_applicable),
        "time": f"{sum(seconds_of.get(one.id, 0.0) for one in results):.3f}",
    }


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
