"""The line that lives while checks run on a terminal: how many are done, which guarantee is looked at, what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelport.cli.findings import Counts, parts_of
from modelport.cli.terminal import BAD, GOOD, QUIET

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from modelport.testing import CheckResult


class Progress:
    """Notes each result as it comes, and when."""

    def __init__(self, total: int, show: Callable[[Text], None] | None = None) -> None:
        self.results: list[CheckResult] = []
        """What was found so far."""
        self.seconds: dict[str, float] = {}
        """How long each check took, by its id."""
        self._total = total
        self._show = show
        self._counts = Counts()
        self._since = time.monotonic()

    def note(self, result: CheckResult) -> None:
        """Note one more result."""
        now = time.monotonic()
        self.results.append(result)
        self.seconds[result.id], self._since = now - self._since, now
        self._counts.count(result)
        if self._show is not None:
            self._show(self.line(parts_of(result)[0]))

    def line(self, group: str) -> Text:
        """Return what the line says."""
        from rich.text import Text

        counts = self._counts
        line = Text.assemble((f"{counts.total}/{self._total}", "bold"), f"  {group}", (f"  ✓ {counts.passed}", GOOD))
        return line.append(f"  ✗ {counts.failed}", style=BAD) if counts.failed else line


@contextmanager
def progress_on(console: Console, total: int) -> Generator[Progress, None, None]:
    """Give what notes the results; its line lives on a console that shows colours, and nowhere else."""
    if console.color_system is None:
        yield Progress(total)
        return
    with console.status("", spinner="dots", spinner_style=QUIET) as status:
        progress = Progress(total, status.update)
        status.update(progress.line("begins"))
        yield progress
