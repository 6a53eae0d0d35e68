"""What `modelport check` prints: a table by guarantee, what does not hold and how to mend it, and a summary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from modelport.cli.findings import Counts, Finding, counts_of, findings_of, groups_of
from modelport.cli.terminal import BAD, GOOD, NAME, QUIET, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from modelport.testing import CheckResult

MEANINGS = {
    "derive": "one hook is enough for every way to call",
    "parity": "stream = invoke, sync = async, alone = batched",
    "stop": "cut at the first match, also across chunks",
    "order": "one event per piece, in time; ends follow starts",
    "batch": "concurrent, in order; a failure stays in its slot",
    "cancel": "leaving, closing or a timeout stop the model",
    "deadline": "a timeout covers the whole call and all inside it",
    "usage": "tokens and finish_reason are always there",
    "choices": "n answers to one prompt",
    "secrets": "never in repr, logs, events or errors",
    "errors": "the hook's own exception, unchanged",
    "unicode": "no character is torn, lost or changed",
    "threads": "calls from many threads and loops at once",
    "identity": "equality, copies, pickles and what is printed",
    "cache": "equal calls share an answer, others never",
    "compose": "the same inside pipes, retries and fallbacks",
    "checklist": "the custom LLM guide's own checklist",
    "printing": "what print(model) tells, and what it does not",
    "input": "empty, huge and odd prompts",
    "embedding": "one vector per text, in order",
    "image": "images as bytes or addresses, as many as asked",
    "handler": "what LiteLLM's handlers are given and give",
    "wire-models": "the list of models, and each of them",
    "wire-chat": "answers have OpenAI's shape",
    "wire-stream": "events: roles, pieces, one end, [DONE]",
    "wire-stop": "cut before the first match, streamed too",
    "wire-limit": "max_tokens cuts, and finish_reason says so",
    "wire-usage": "tokens are counted, and the counts add up",
    "wire-choices": "n answers to one question",
    "wire-request": "what OpenAI's clients send is taken",
    "wire-errors": "wrong requests get OpenAI's error objects",
    "wire-auth": "no key, or a wrong one, is refused",
    "wire-http": "methods, headers, connections, bodies",
    "wire-text": "completions of a prompt have OpenAI's shape",
    "wire-embedding": "one vector per input, in order",
    "wire-image": "images have OpenAI's shape",
    "wire-tools": "tool calls are whole, streamed too",
    "wire-unicode": "no character is torn, lost or changed",
    "wire-load": "many at once, and clients that leave",
}
"""What each guarantee says, in words that fit beside the counts on 80 columns; other groups say nothing."""
_FILLING = re.compile(r" +((?:\x1b\[[0-9;]*m)*)$", re.MULTILINE)
_CROSS, _TICK = "✗", "✓"


def print_report(console: Console, results: Sequence[CheckResult], seconds: float, *, every: bool) -> None:
    """Print the whole report.

    Args:
        console: Where.
        results: What the checks found.
        seconds: How long that took.
        every: Whether to print each check, and not just those that fail.
    """
    _print(console, table_of(results))
    if every:
        _print_each(console, results)
    found = findings_of(results)
    before: Finding | None = None
    for finding in found:
        _print(console, Text())
        _print_finding(console, finding, before)
        before = finding
    _print(console, Text())
    _print(console, _summary(counts_of(results), seconds))
    if found:
        shown = f"'{found[0].id}'" if "*" in found[0].id else found[0].id
        _print(console, Text(f"to look at one alone, add:  --only {shown}", style=QUIET))


def table_of(results: Sequence[CheckResult]) -> Table:
    """Return the table of the guarantees: how many of their checks hold, fail, or do not apply."""
    groups = groups_of(results)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=QUIET)
    table.add_column("", min_width=1, no_wrap=True)
    table.add_column("GUARANTEE", no_wrap=True, min_width=max([len("GUARANTEE"), *map(len, groups)]))
    for title in ("PASS", "FAIL", "N/A"):
        table.add_column(title, justify="right", no_wrap=True, min_width=len(title))
    table.add_column("WHAT IT SAYS", style=QUIET)  # the only one that may be wrapped
    for group, several in groups.items():
        counts = counts_of(several)
        table.add_row(
            _mark(counts),
            Text(group, style=BAD if counts.failed else "" if counts.passed else QUIET),
            _number(counts.passed, GOOD),
            _number(counts.failed, BAD),
            _number(counts.not_applicable, QUIET),
            MEANINGS.get(group, ""),
        )
    return table


def _mark(counts: Counts) -> Text:
    if counts.failed:
        return Text(_CROSS, style=BAD)
    return Text(_TICK, style=GOOD) if counts.passed else Text("·", style=QUIET)


def _number(count: int, style: str) -> Text:
    return Text(str(count), style=style) if count else Text("·", style=QUIET)


def _print_finding(console: Console, finding: Finding, before: Finding | None) -> None:
    _print(console, Text.assemble((f"{_CROSS} ", BAD), (finding.id, "bold")))
    _print(console, Padding(Text(finding.sentence), (0, 0, 0, 2)))
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style=QUIET, no_wrap=True)
    facts.add_column(overflow="fold")
    if len(finding.results) > 1:
        facts.add_row("ways", Text(", ".join(finding.ways), style=NAME))
    _add_facts(facts, "seen", finding.seen)
    if before is not None and list(before.mends) == list(finding.mends):
        if finding.mends:
            facts.add_row("mend", Text("as above", style=QUIET))
    else:
        _add_facts(facts, "mend", finding.mends)
    _print(console, Padding(facts, (0, 0, 0, 2)))


def _add_facts(facts: Table, title: str, texts: Mapping[str, Sequence[str]]) -> None:
    for number, (text, ways) in enumerate(texts.items()):
        by = f"{', '.join(ways)}: " if len(texts) > 1 else ""
        facts.add_row(title if number == 0 else "", Text.assemble((by, NAME), printable(text)))


def _print_each(console: Console, results: Sequence[CheckResult]) -> None:
    styles = {"pass": (_TICK, GOOD), "fail": (_CROSS, BAD)}
    for group, several in groups_of(results).items():
        _print(console, Text())
        _print(console, Text(group, style="bold"))
        for result in several:
            mark, style = styles.get(result.outcome, ("·", QUIET))
            _print(console, Text.assemble((f"  {mark} ", style), result.id))
            if result.outcome == "not applicable":
                _print(console, Padding(Text(f"does not apply: {printable(result.seen)}", style=QUIET), (0, 0, 0, 4)))


def _print(console: Console, what: RenderableType) -> None:
    """Print without the blanks that fill lines up: a report is kept in files and compared."""
    with console.capture() as captured:
        console.print(what)
    console.file.write(_FILLING.sub(r"\1", captured.get()))


def _summary(counts: Counts, seconds: float) -> Text:
    line = Text()
    if counts.failed:
        line.append(f"{counts.failed} failed", style=BAD)
        line.append(", ")
    line.append(f"{counts.passed} passed", style=GOOD if counts.passed else "")
    if counts.not_applicable:
        line.append(f", {counts.not_applicable} not applicable")
    line.append(f"  ({_checks(counts.total)} in {seconds:.1f} s)", style=QUIET)
    return line


def _checks(count: int) -> str:
    return f"{count} check{'' if count == 1 else 's'}"
