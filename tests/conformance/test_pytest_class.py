"""One class and one fixture make a test of each check; none can be overridden, and known failures need a reason."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from modelport.testing import all_checks
from modelport.testing.pytest import ModelConformance

MODEL = """
import pytest
from modelport import LLM
from modelport.testing.pytest import ModelConformance


class Refusing(LLM):
    \"\"\"Answers, and fails for the third prompt.\"\"\"

    def _call(self, prompt, stop=None, run_manager=None, **kwargs):
        if prompt == "three":
            raise ValueError("no")
        return prompt


"""
ONLY = "derive:invoke:answers or parity:stream:same-text or stop:stream:across-chunks"
SCOPE = "asyncio_default_fixture_loop_scope = function\n"  # which the plugin itself demands where warnings are errors
CONFIGURATIONS = {
    "plain": "[pytest]\naddopts = -p no:asyncio\nfilterwarnings = error\n",
    "with asyncio in auto mode": f"[pytest]\nasyncio_mode = auto\n{SCOPE}filterwarnings = error\n",
    "with asyncio in strict mode": f"[pytest]\n{SCOPE}filterwarnings = error\n",
}


def run(folder: Path, code: str, *options: str, configuration: str = "plain") -> str:
    """What pytest prints about a file of tests in a folder of its own."""
    (folder / "test_it.py").write_text(MODEL + textwrap.dedent(code))
    (folder / "pytest.ini").write_text(CONFIGURATIONS[configuration])
    options = ("-q", "-rA", "-p", "no:cacheprovider", *options)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


FIXTURE = """
class TestRefusing(ModelConformance):
    xfails = {"parity:stream:same-text": "the third prompt is too much for it"}
    prompts = ["one", "two", "three"]

    @pytest.fixture
    def make_model(self):
        return Refusing
"""


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_each_check_is_a_test_with_its_id(tmp_path, configuration):
    seen = run(tmp_path, FIXTURE, "-k", ONLY, configuration=configuration)
    assert "PASSED test_it.py::TestRefusing::test_check[derive:invoke:answers]" in seen
    assert "XFAIL test_it.py::TestRefusing::test_check[parity:stream:same-text] - the third prompt is too much" in seen
    assert "the class has no streaming hook" in seen
    assert "1 passed, 1 skipped, " in seen
    assert "1 xfailed" in seen
    assert f"{len(all_checks()) - 3} deselected" in seen


MANY = """
class TestPassing(ModelConformance):
    xfails = {"derive:invoke:answers": "the third prompt is too much for it"}
    prompts = ["one", "two", "three"]

    @pytest.fixture
    def make_model(self):
        return Refusing


class TestFailing(ModelConformance):
    prompts = ["one", "two", "three"]

    @pytest.fixture
    def make_model(self):
        return Refusing


class TestOneModel(ModelConformance):
    @pytest.fixture
    def model(self):
        return Refusing()


class TestNoFixture(ModelConformance):
    pass


class TestMissing(ModelConformance):
    @pytest.fixture
    def make_model(self, no_such_fixture):
        return Refusing


class TestNoFactory(ModelConformance):
    @pytest.fixture
    def make_model(self):
        return Refusing()


class TestRaw(ModelConformance):
    raw = True

    @pytest.fixture
    def make_model(self):
        return Refusing
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What pytest prints about some classes."""
    only = "derive:invoke:answers or parity:stream:same-text or stop:invoke:cut"
    return run(tmp_path_factory.mktemp("classes"), MANY, "-k", only)


def test_a_known_failure_that_passes_fails(seen):
    assert "FAILED test_it.py::TestPassing::test_check[derive:invoke:answers]" in seen
    assert "[XPASS(strict)] the third prompt is too much for it" in seen


def test_a_failure_says_what_was_seen_and_how_to_mend_it(seen):
    assert "`stream` gives the text that `invoke` gives." in seen
    assert "seen: ValueError: no" in seen
    assert "mend: make every hook answer alike" in seen


def test_one_model_may_be_given_in_place_of_a_factory(seen):
    assert "PASSED test_it.py::TestOneModel::test_check[derive:invoke:answers]" in seen


def test_a_fixture_of_the_module_serves_as_well(tmp_path):
    code = "@pytest.fixture\ndef model():\n    return Refusing()\n\nclass TestIt(ModelConformance):\n    pass\n"
    assert "PASSED test_it.py::TestIt::test_check[derive:invoke:answers]" in run(tmp_path, code, "-k", ONLY)


def test_without_a_fixture_the_test_says_which_one_is_missing(seen):
    assert "TestNoFixture needs a fixture: `make_model`, which returns a callable that makes a fresh model" in seen


def test_a_fixture_that_asks_for_what_is_not_there_is_pytests_error(seen):
    assert "fixture 'no_such_fixture' not found" in seen


def test_a_model_in_place_of_a_factory_is_told_so(seen):
    assert "`return MyModel` or `return lambda: MyModel(…)`" in seen


def test_the_authors_own_code_can_be_tested_raw(seen):
    assert "FAILED test_it.py::TestRaw::test_check[stop:invoke:cut]" in seen
    assert "PASSED test_it.py::TestOneModel::test_check[stop:invoke:cut]" in seen


@pytest.mark.parametrize("name", ["test_check", "pytest_generate_tests", "__test__"])
def test_a_check_is_never_overridden(name):
    with pytest.raises(TypeError, match=f"Mine replaces '{name}' of ModelConformance: checks are never overridden"):
        type("Mine", (ModelConformance,), {name: False})
    beside = type("Beside", (), {name: False})
    with pytest.raises(TypeError, match=f"Mine replaces '{name}'"):
        type("Mine", (beside, ModelConformance), {})


def test_an_unknown_check_among_the_known_failures_is_named_with_the_near_one():
    with pytest.raises(ValueError, match="there is no check 'stop:stream:cuts'; did you mean 'stop:stream:cut'"):
        type("Mine", (ModelConformance,), {"xfails": {"stop:stream:cuts": "known"}})


@pytest.mark.parametrize("reason", ["", "  ", None, True])
def test_a_known_failure_needs_a_reason(reason):
    with pytest.raises(ValueError, match="'stop:stream:cut' needs a reason"):
        type("Mine", (ModelConformance,), {"xfails": {"stop:stream:cut": reason}})


def test_known_failures_are_a_dict():
    with pytest.raises(TypeError, match=re.escape('write {"its id": "the reason"}')):
        type("Mine", (ModelConformance,), {"xfails": ["stop:stream:cut"]})


def test_nothing_imports_pytest_by_default():
    code = "import modelport.testing, sys; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
