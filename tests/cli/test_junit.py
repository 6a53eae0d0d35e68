"""The JUnit file of `modelport check`, as CI systems read it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from modelport.cli.junit import junit_xml
from tests.cli.results import RESULTS

SECONDS = {one.id: 0.5 for one in RESULTS}


def test_there_is_a_suite_for_each_group_and_a_case_for_each_check() -> None:
    root = ET.fromstring(junit_xml(RESULTS, "my_models:Echo", SECONDS))
    assert root.tag == "testsuites"
    assert (root.attrib["name"], root.attrib["tests"], root.attrib["failures"]) == (
        "modelport check my_models:Echo",
        "7",
        "4",
    )
    stop = root.find("testsuite[@name='stop']")
    assert stop is not None
    assert {name: stop.attrib[name] for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "5",
        "failures": "4",
        "errors": "0",
        "skipped": "0",
        "time": "2.500",
    }
    assert [case.attrib["name"] for case in root.iter("testcase")] == [one.id for one in RESULTS]
    assert {case.attrib["classname"] for case in stop} == {"modelport.stop"}


def test_a_failure_says_what_was_seen_how_to_mend_it_and_where_that_is_promised() -> None:
    root = ET.fromstring(junit_xml(RESULTS, "my_models:Echo", SECONDS))
    failure = root.find(".//testcase[@name='stop:invoke:cut']/failure")
    assert failure is not None
    assert failure.attrib["message"] == "the text of `invoke` is 'a'"
    assert failure.text == (
        "`invoke` ends the answer at a stop string.\n"
        "seen: the text of `invoke` is 'a'\n"
        "mend: cut it\n"
        "source: guarantee 3 (stop)"
    )
    left_out = root.find(".//testcase[@name='cancel:stream:break']/skipped")
    assert left_out is not None
    assert left_out.attrib["message"] == "the class has no streaming hook"


def test_what_xml_cannot_hold_is_replaced() -> None:
    root = ET.fromstring(junit_xml(RESULTS, "a\x1bb", {}))
    failure = root.find(".//testcase[@name='stop:batch:cut']/failure")
    assert failure is not None
    assert failure.attrib["message"] == "OSError: <none> & \ufffd"
    assert root.attrib["name"] == "modelport check a\ufffdb"
