"""The report of `modelport check`: what is on the screen, at two widths, with and without colours."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from modelport.cli.report import MEANINGS, print_report
from modelport.testing.checks import AREAS
from tests.cli.results import RESULTS, passing


def report(columns: int = 80, *, colours: bool = False, every: bool = False, results: list | None = None) -> str:
    shown = io.StringIO()
    console = Console(
        file=shown, width=columns, color_system="256" if colours else None, force_terminal=colours, highlight=False
    )
    print_report(console, RESULTS if results is None else results, 1.25, every=every)
    return shown.getvalue()


def test_it_says_what_fails_and_how_to_mend_it() -> None:
    assert report() == (
        "   GUARANTEE  PASS  FAIL  N/A  WHAT IT SAYS\n"
        "✓  parity        1     ·    ·  stream = invoke, sync = async, alone = batched\n"
        "✗  stop          1     4    ·  cut at the first match, also across chunks\n"
        "·  cancel        ·     ·    1  leaving, closing or a timeout stop the model\n"
        "\n"
        "✗ stop:*:cut\n"
        "  Each of these ways ends the answer at a stop string.\n"
        "  ways  invoke, astream, batch\n"
        "  seen  invoke, astream: the text of `invoke` is 'a'\n"
        "        batch: OSError: <none> &\n"
        "  mend  cut it\n"
        "\n"
        "✗ stop:stream:closed\n"
        "  `stream` closes the model.\n"
        "  seen  it went on\n"
        "  mend  as above\n"
        "\n"
        "4 failed, 2 passed, 1 not applicable  (7 checks in 1.2 s)\n"
        "to look at one alone, add:  --only 'stop:*:cut'\n"
    )


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(columns: int) -> None:
    lines = report(columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line != line.rstrip()] == []
    assert any(line.startswith("✗  stop          1     4    ·") for line in lines)


def test_without_a_terminal_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in report()


def test_its_colours_read_on_dark_and_on_light() -> None:
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", report(colours=True)))
    assert codes == {"0", "1", "1;38;5;28", "1;38;5;196", "1;38;5;31", "38;5;243"}


def test_every_check_can_be_shown_with_why_it_does_not_apply() -> None:
    lines = report(every=True).splitlines()
    assert "  ✓ parity:stream:same-text" in lines
    assert "  ✗ stop:invoke:cut" in lines
    at = lines.index("  · cancel:stream:break")
    assert lines[at + 1] == "    does not apply: the class has no streaming hook"


def test_when_all_pass_it_is_a_table_and_one_line() -> None:
    assert report(results=[passing("stop:invoke:cut")]).splitlines()[-2:] == ["", "1 passed  (1 check in 1.2 s)"]


def test_each_guarantee_of_the_kit_is_told_in_a_line_that_fits() -> None:
    assert set(AREAS) <= set(MEANINGS)
    groups = {area: max(map(len, MEANINGS if area.startswith("wire-") else ["GUARANTEE"])) for area in MEANINGS}
    longest = {area: 80 - len("✓    PASS  FAIL  N/A  ") - group for area, group in groups.items()}
    assert [area for area, meaning in MEANINGS.items() if len(meaning) > longest[area]] == []
