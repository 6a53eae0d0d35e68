"""The page `docs/checks-and-wrong-models.md`, made of the wrong models' marks and of `fails_together.json`.

`python -m tests.conformance.wrong_models_page` writes it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from modelport.testing import all_checks
from modelport.testing.checks import find_topics
from tests.conformance.wrong_models import (
    LEFT_OUT,
    NOT_OF_HANDLERS,
    cut_name,
    cut_of,
    fails_together,
    kind_of,
    marks_of,
)

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "checks-and-wrong-models.md"
INTRODUCTION = """\
# Checks and wrong models

A check that cannot fail says nothing. So for each check of `modelport.testing` there is a *wrong model* on which it
fails: a model, and a piece of the framework, or of the model, that was taken away. The tests of modelport run the check
before (it passes) and after (it fails). A topic is a check without its way to call: `stop:cut` is that of
`stop:invoke:cut`, `stop:astream:cut` and so on, which look at one property.

On one model of each cut a check of every other topic looks on, and what fails must be exactly what is written here.
Only {left_out} do not look on: they call a model 64 times. At handlers those of
the areas {not_of_handlers} do not look on: they see
its chat model, which is a model like any other.

```python
from modelport.testing import all_checks

print(len(all_checks()))
```

```text
{count}
```
"""


class Cut(NamedTuple):
    """Is one wrong model, as the page tells of it."""

    name: str
    """What is wrong."""
    own: list[str]
    """The topics that must fail on the model which others look on at."""
    ids: set[str]
    """All checks that fail on some model with this cut."""

    @property
    def is_told_apart(self) -> bool:
        return self.name not in fails_together() or "also" in fails_together()[self.name]

    @property
    def also(self) -> list[str]:
        return fails_together().get(self.name, {}).get("also", [])

    @property
    def why(self) -> str:
        return fails_together().get(self.name, {}).get("why", "")

    @property
    def is_alone(self) -> bool:
        """Whether one topic fails, and no other."""
        return self.is_told_apart and len(self.own) == 1 and not self.also


def all_cuts() -> Iterator[Cut]:
    """Every wrong model of the tests."""
    for path in sorted(HERE.glob("test_checks_catch_*.py")):
        module = importlib.import_module(f"tests.conformance.{path.stem}")
        for name, function in vars(module).items():
            if not name.startswith("test_") or not inspect.isfunction(function) or not hasattr(function, "pytestmark"):
                continue
            marks = list(marks_of(function))
            for mark, is_first in marks:
                if is_first:
                    kind = kind_of(mark)
                    ids = {one for other, _ in marks if kind_of(other) == kind for one in _ids(other.args)}
                    cut = cut_of(cut_name(path.stem, name), mark)
                    yield Cut(cut, sorted(find_topics(_ids(mark.args))), ids)


def _ids(patterns: tuple[str, ...]) -> set[str]:
    return {one.id for pattern in patterns for one in all_checks() if fnmatch(one.id, pattern)}


def _codes(topics: list[str]) -> str:
    return ", ".join(f"`{one}`" for one in topics)


def page() -> str:
    """The page's text."""
    cuts = list(all_cuts())
    topics = sorted(find_topics(one.id for one in all_checks()))
    alone = {cut.own[0]: cut.name for cut in reversed(cuts) if cut.is_alone}
    lines = [
        INTRODUCTION.format(
            left_out=_codes(sorted(LEFT_OUT)), not_of_handlers=_codes(sorted(NOT_OF_HANDLERS)), count=len(all_checks())
        )
    ]
    lines += [f"## Caught alone: {len(alone)} of {len(topics)} topics", ""]
    lines += ["| Topic | Wrong model on which nothing else fails |", "|---|---|"]
    lines += [f"| `{topic}` | {alone[topic]} |" for topic in topics if topic in alone]
    lines += [
        "",
        "## Caught together",
        "",
        "Of these topics no wrong model was found that is wrong in nothing else.",
        "",
    ]
    lines += ["| Topic | Wrong model | Why others fail with it |", "|---|---|---|"]
    for topic in topics:
        if topic not in alone:
            cut = min((one for one in cuts if topic in find_topics(one.ids)), key=lambda one: _breadth(one, topic))
            lines.append(f"| `{topic}` | {cut.name} | {cut.why} |")
    lines += ["", "## What fails on each wrong model that is wrong in more than one way", ""]
    lines += ["| Wrong model | Topics that it is about | Topics that fail too | Why |", "|---|---|---|---|"]
    for cut in cuts:
        if not cut.is_alone:
            also = (_codes(cut.also) or "none") if cut.is_told_apart else "many, not listed"
            lines.append(f"| {cut.name} | {_codes(cut.own)} | {also} | {cut.why} |")
    return "\n".join(lines) + "\n"


def _breadth(cut: Cut, topic: str) -> tuple[bool, bool, int]:
    return (topic not in cut.own, not cut.is_told_apart, len(cut.own) + len(cut.also))


if __name__ == "__main__":
    PAGE.write_text(page())
