"""A kit that does not wait long, and the means to cut guarantees out: that makes wrong models.

A test marked `cuts("stop:*:cut", hooks="_call")` takes a piece of the framework away by `patch`, then calls `caught()`,
which asserts that the checks fail which the pattern names, and on the model of the first mark no others than the
table `fails_together.json` tells. The mark says on which model: `hooks` of an echo, a class (`make`), or the name of
one in `echoes.py` (`of`).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

import pytest

from modelport.testing import all_checks, gates
from modelport.testing.guarantees import inputs
from tests.conformance.echoes import HANDLERS, VALUE_MODELS, make_class
from tests.conformance.wrong_models import WrongModel, cut_name, cut_of, failing, marks_of, outcomes, subjects_of


@pytest.fixture
def subject_class() -> Callable[[str], Callable[[], Any]]:
    """A class of an embedding or image model, or of a handler, by its name."""
    return {**VALUE_MODELS, **HANDLERS}.__getitem__


@pytest.fixture
def echo_class() -> Callable[..., type[Any]]:
    """A class of a text or chat model with the given hooks."""
    return make_class


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "GLANCE_SECONDS", 0.01)
    monkeypatch.setattr(gates, "SOON_SECONDS", 0.003)
    monkeypatch.setattr(inputs, "HUGE_CHARACTERS", 150_000)


class Patch:
    """Takes pieces of the framework away, wherever they are imported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.kept: list[Any] = []

    def everywhere(self, piece: Any, replacement: Any) -> None:
        """Replace a function or class in every module of the framework that has it."""
        found = 0
        for name, module in list(sys.modules.items()):
            if name.startswith("modelport.") and not name.startswith("modelport.testing"):
                for key, value in list(vars(module).items()):
                    if value is piece:
                        self.monkeypatch.setattr(module, key, replacement)
                        found += 1
        assert found, f"nothing to cut: {piece}"

    def method(self, cls: type, name: str, replacement: Any) -> None:
        """Replace what a class has itself."""
        assert name in vars(cls), f"nothing to cut: {cls}.{name}"
        self.monkeypatch.setattr(cls, name, replacement)

    def number(self, name: str, value: float) -> None:
        """Replace a constant of the engine."""
        modules = [one for key, one in sys.modules.items() if key.startswith("modelport.") and hasattr(one, name)]
        assert modules, f"nothing to cut: {name}"
        for module in modules:
            if not module.__name__.startswith("modelport.testing"):
                self.monkeypatch.setattr(module, name, value)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cuts(*checks, hooks, chat, make, of): the checks that must fail after this cut")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "caught" not in metafunc.fixturenames:
        return
    cases = []
    cut = cut_name(metafunc.definition.path.stem, metafunc.definition.name)
    for mark, is_first in marks_of(metafunc.function):
        ids = [one.id for pattern in mark.args for one in all_checks() if fnmatch(one.id, pattern)]
        assert ids, f"no check is named {mark.args}"
        wrong = WrongModel(cut_of(cut, mark), tuple(dict.fromkeys(ids)), mark.kwargs, is_first=is_first)
        cases.append(pytest.param(wrong, id=f"{mark.args[0].replace(':', '-')}-{wrong.model_name}"))
    metafunc.parametrize("wrong", cases)


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> Patch:
    """Means to take pieces of the framework away until the test ends."""
    return Patch(monkeypatch)


@pytest.fixture
def caught(wrong: WrongModel, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Asserts that the checks fail, on the function's first model no others; before the cut all passed."""
    subjects = subjects_of(wrong)
    chosen = wrong.neighbours(subjects) if wrong.is_told_apart else []
    whole = asyncio.run(outcomes(wrong, (*wrong.ids, *chosen)))
    assert {one: (outcome, seen) for one, (outcome, seen) in whole.items() if outcome == "fail"} == {}
    assert [one for one in wrong.ids if whole[one][0] != "pass"] == []
    chosen = [one for one in chosen if whole[one][0] == "pass"]

    def assert_caught() -> None:
        # A look must be long enough to see what is wrong, a wait for what never comes may be short.
        monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.15)
        with asyncio.Runner() as runner:
            monkeypatch.setattr(gates, "GLANCE_SECONDS", 0.1)
            found = runner.run(failing(subjects, wrong.ids, together=6))
            found |= runner.run(failing(subjects, [one for one in wrong.ids if one not in found]))
            assert sorted(set(wrong.ids) - found.keys()) == [], "these did not notice"
            monkeypatch.setattr(gates, "GLANCE_SECONDS", 0.01)
            beside = runner.run(failing(subjects, chosen, together=8))
            # Who differs from the table is asked again: the machine may have been slow.
            monkeypatch.setattr(gates, "GLANCE_SECONDS", 0.1)
            monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.6)
            differing = [one for one in chosen if (one in beside) != wrong.is_known(one)]
            again = runner.run(failing(subjects, differing))
        if wrong.is_told_apart:
            wrong.assert_no_other((beside.keys() - differing) | again.keys())

    return assert_caught
