"""The checks as tests of pytest's: one class, one fixture, one test for each check.

import pytest
from modelport.testing.pytest import ModelConformance


class TestMyModel(ModelConformance):
    xfails = {"stop:stream:cut": "the server ends at its own stop strings only, see ticket 12"}

    @pytest.fixture
    def make_model(self):
        return lambda: MyModel(url="http://localhost:8000")

`pytest` then shows `TestMyModel::test_check[stop:stream:cut]` and so on: a check that does not apply is skipped with
its reason, one in `xfails` must fail. Nothing else imports this module, and nothing but this module imports pytest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from modelport.testing.checks import registered
from modelport.testing.kit import CheckResult, run_checks, unknown_id

_FIXTURES = ("make_model", "model")


class ModelConformance:
    """Tests one model or handler by every check of the kit; subclass it, with a name that pytest collects.

    Give one fixture, in the class, its module or a conftest: `make_model`, which returns a callable that makes a fresh
    model; or `model`, one model that all checks share.
    """

    xfails: ClassVar[Mapping[str, str]] = {}
    """The checks that are known to fail, by id, each with the reason; one of them that passes is a failure."""
    prompts: ClassVar[Sequence[Any] | None] = None
    """What the model is asked: at least three inputs, all different, that it answers with some words."""
    through: ClassVar[Any] = None
    """Makes the runnable that is called in the model's place: as for `run_checks`, as a static method."""
    raw: ClassVar[bool] = False
    """True: the author's hooks as they are, without the guarantees; as for `run_checks`."""

    timeout_seconds: ClassVar[float | None] = None
    """How long one answer may take; as for `run_checks`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("test_check", "pytest_generate_tests", "__test__"):
            # Found by the method resolution order: a class beside this one may have it too.
            if inspect.getattr_static(cls, name, None) is not vars(ModelConformance).get(name):
                raise TypeError(
                    f"{cls.__name__} replaces {name!r} of ModelConformance: checks are never overridden nor left out; "
                    f'name one that is known to fail in `xfails = {{"its id": "the reason"}}`'
                )
        _check_xfails(cls.__name__, cls.xfails)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of each check."""
        if "check_id" not in metafunc.fixturenames:
            return
        cases = [pytest.param(one.id, id=one.id, marks=_marks(self.xfails.get(one.id))) for one in registered()]
        metafunc.parametrize("check_id", cases)

    def test_check(self, check_id: str, request: pytest.FixtureRequest) -> None:
        """Run one check; its id is the test's."""
        [result] = run_checks(
            _factory(request),
            prompts=self.prompts,
            through=self.through,
            raw=self.raw,
            timeout_seconds=self.timeout_seconds,
            ids=[check_id],
        )
        if result.outcome == "not applicable":
            pytest.skip(result.seen)
        if result.outcome == "fail":
            pytest.fail(_message(result), pytrace=False)


def _marks(reason: str | None) -> list[pytest.MarkDecorator]:
    return [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]


def _message(result: CheckResult) -> str:
    return f"{result.sentence}\nseen: {result.seen}\nmend: {result.mend}\nfrom: {result.source}"


def _check_xfails(name: str, xfails: Any) -> None:
    """Refuse expected failures of checks that are not there, and those without a reason.

    Raises:
        TypeError: They are no dict of ids and reasons.
        ValueError: An id is unknown, or a reason empty.
    """
    if not isinstance(xfails, Mapping):
        raise TypeError(f'{name}.xfails is {xfails!r:.100}; write {{"its id": "the reason"}}')
    known = {one.id for one in registered()}
    for check_id, reason in xfails.items():  # pyright: ignore[reportUnknownVariableType]
        if check_id not in known:
            raise ValueError(f"{name}.xfails: {unknown_id(str(check_id))}")  # pyright: ignore[reportUnknownArgumentType]
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"{name}.xfails: {check_id!r} needs a reason, a sentence that says why it fails")


def _factory(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return what makes the model, of whichever fixture there is.

    Raises:
        TypeError: `make_model` gives no callable.
    """
    for name in _FIXTURES:
        try:
            given = request.getfixturevalue(name)
        except pytest.FixtureLookupError as error:
            if error.argname == name:
                continue
            raise  # the fixture is there, and asks for one that is not
        if name == "model":
            return lambda: given
        if not callable(given) or inspect.iscoroutine(given):
            raise TypeError(
                f"the fixture make_model gave {given!r:.100}; it returns a callable that makes a model: "
                f"`return MyModel` or `return lambda: MyModel(…)`"
            )
        return given
    pytest.fail(
        f"{request.node.parent.name} needs a fixture: `make_model`, which returns a callable that "
        f"makes a fresh model, or `model`, a model",
        pytrace=False,
    )
