"""Wrong models: a model and a cut, the checks that must fail on it, and what else fails with them, and why.

Only the checks that the cut is about need fail; beside them one check of every other topic (a check without its way to
call) looks on. What fails of those stands in `fails_together.json`, with the reason, and nothing else may.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from modelport.testing import all_checks
from modelport.testing.checks import Check
from modelport.testing.kit import find_check, run_check
from modelport.testing.subjects import Subjects
from tests.conformance.echoes import HANDLERS, VALUE_MODELS, make_class

if TYPE_CHECKING:
    import pytest

TABLE = Path(__file__).with_name("fails_together.json")
RECORD = os.environ.get("MODELPORT_RECORD_WRONG_MODELS")
"""A file into which what fails is written, in place of being asserted: to make the table anew."""

_subjects: dict[Any, Subjects] = {}
_outcomes: dict[Any, dict[str, tuple[str, str]]] = {}


class WrongModel(NamedTuple):
    """Is a model with a cut."""

    cut: str
    """Which file and test function cut: `answers: sync hooks run on the loop`."""
    ids: tuple[str, ...]
    """The checks that must fail."""
    options: Mapping[str, Any]
    """Which model is cut."""
    is_first: bool
    """Whether it is the one of its function on which no other check may fail."""

    @property
    def model_name(self) -> str:
        make = self.options.get("make")
        name = self.options.get("of") or (self.options.get("hooks", "_stream") if make is None else make.__name__)
        return f"{name.replace(' ', '+')}{'-chat' if self.options.get('chat') else ''}"

    @property
    def is_handler(self) -> bool:
        return self.options.get("of") in HANDLERS

    @property
    def key(self) -> Any:
        """Tell models apart, not cuts."""
        return self.options.get("make") or self.model_name

    def make(self) -> Any:
        options = self.options
        known = options.get("make") or {**VALUE_MODELS, **HANDLERS}.get(options.get("of", ""))
        return known or make_class(options.get("hooks", "_stream").split(), chat=options.get("chat", False))

    def neighbours(self, subjects: Subjects) -> list[str]:
        """One check of each topic that the cut is not about: of a way to call that it is about, where there is one."""
        own = {find_check(one).topic for one in self.ids}
        ways = [find_check(one).way for one in self.ids]
        chosen: dict[str, Check] = {}
        for one in all_checks():
            if one.topic in own or one.topic in LEFT_OUT or (self.is_handler and one.area in NOT_OF_HANDLERS):
                continue
            if subjects.why_not(one) is not None:
                continue
            known = chosen.get(one.topic)
            if known is None or (known.way not in ways and one.way in ways):
                chosen[one.topic] = one
        return [one.id for one in chosen.values()]

    def is_known(self, check_id: str) -> bool:
        """Tell whether the table says that a check fails too."""
        return find_check(check_id).topic in self.declared

    @property
    def declared(self) -> list[str]:
        """The topics that the table tells, beside those that the cut is about."""
        return fails_together().get(self.cut, {}).get("also", [])

    @property
    def is_told_apart(self) -> bool:
        """Whether other checks look on: not where so much fails, or waits, that the table gives no list."""
        return self.is_first and not (self.cut in fails_together() and "also" not in fails_together()[self.cut])

    def assert_no_other(self, found: Iterable[str]) -> None:
        """Compare what fails with the table."""
        own = sorted({find_check(one).topic for one in self.ids})
        also = sorted({find_check(one).topic for one in found} - set(own))
        if RECORD:
            with Path(RECORD).open("a") as file:
                print(json.dumps([self.cut, self.model_name, own, also]), file=file)
            return
        assert also == self.declared


def cut_name(file: str, function: str) -> str:
    """What a test function cuts: `answers: sync hooks run on the loop`."""
    return f"{file.removeprefix('test_checks_catch_')}: {function.removeprefix('test_').replace('_', ' ')}"


def marks_of(function: Any) -> Iterator[tuple[pytest.Mark, bool]]:
    """The marks of a cut, from the top, and whether others look on: at the first of each kind of model."""
    seen: set[str] = set()
    for mark in reversed(function.pytestmark):
        if mark.name == "cuts":
            yield mark, kind_of(mark) not in seen
            seen.add(kind_of(mark))


def kind_of(mark: pytest.Mark) -> str:
    """What kind of model a mark is about: embedding, image, handler or text."""
    area = mark.args[0].partition(":")[0]
    return area if area in ("embedding", "image", "handler") else "text"


def cut_of(cut: str, mark: pytest.Mark) -> str:
    """The cut's name, of images with the kind: embedding models have the same."""
    return f"{cut} (images)" if cut.startswith(("values: ", "vectors: ")) and kind_of(mark) == "image" else cut


LEFT_OUT = frozenset({"threads:sixty-four", "threads:sixty-four-tasks"})
"""Topics whose checks do not look on: they call a model 64 times."""
BY_THEMSELVES = frozenset({"threads", "secrets", "derive"})
"""Areas whose checks look at what all share: global state, the log, the loop."""
NOT_OF_HANDLERS = frozenset({"cache", "compose", "batch", "threads", "input", "order", "unicode"})
"""Areas whose checks do not look on at handlers: they see its chat model, which is a model like any other."""


@functools.cache
def fails_together() -> dict[str, Any]:
    """The table: by cut, the topics that fail beside those that it is about, and why."""
    return json.loads(TABLE.read_text()) if TABLE.exists() else {}


def subjects_of(wrong: WrongModel) -> Subjects:
    """The model to cut, made once for all cuts."""
    if wrong.key not in _subjects:
        _subjects[wrong.key] = Subjects(wrong.make())
        _outcomes[wrong.key] = {}
    return _subjects[wrong.key]


async def outcomes(wrong: WrongModel, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What some checks find of the model before the cut, each asked once for all cuts."""
    subjects, known = subjects_of(wrong), _outcomes[wrong.key]
    for check_id in ids:
        if check_id not in known:
            result = await run_check(find_check(check_id), subjects)
            known[check_id] = (result.outcome, result.seen)
    return known


async def failing(subjects: Subjects, ids: Iterable[str], *, together: int = 1) -> dict[str, str]:
    """What fails of some checks, with what was seen; so many wait for what they wait for at the same time."""
    found: dict[str, str] = {}
    turns = asyncio.Semaphore(together)

    async def ask(check_id: str) -> None:
        async with turns:
            result = await run_check(find_check(check_id), subjects)
        if result.outcome == "fail":
            found[check_id] = result.seen

    alone = [one for one in ids if find_check(one).area in BY_THEMSELVES]
    async with asyncio.TaskGroup() as tasks:
        for check_id in ids:
            if check_id not in alone:
                tasks.create_task(ask(check_id))
    for check_id in alone:
        await ask(check_id)
    return found
