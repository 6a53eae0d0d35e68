"""`modelport new`: what it writes works as written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Run = Callable[..., tuple[int, str, str]]

KINDS = ("text", "chat", "handler", "embedding")
FILES = {"Makefile", "README.md", "config.yaml", ".gitignore", "pyproject.toml", "tests/test_model.py"}


def made(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a project, with this interpreter first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # What a `make` that runs these tests tells its own children is none of theirs.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command,
        cwd=folder,
        env={**inherited, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.timeout(300)
def test_the_project_passes_its_own_tests_as_written(modelport: Run, models: Path) -> None:
    modelport("new", "my-first")
    tested = made(models / "my-first", "make", "test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert re.search(r"\d{3,} passed, \d+ skipped", tested.stdout)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(300)
def test_a_project_of_each_kind_keeps_every_promise(modelport: Run, models: Path, kind: str) -> None:
    code, out, errors = modelport("new", "my-first", "--kind", kind)
    assert (code, errors) == (0, "")
    project = models / "my-first"
    written = {str(file.relative_to(project)) for file in project.rglob("*") if file.is_file()}
    assert written == FILES | {"my_first.py"}
    assert {line.strip() for line in out.partition("\n\n")[0].splitlines()} == {f"my-first/{name}" for name in written}
    checked = made(project, "make", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert re.search(r"^\d{3} passed, \d+ not applicable", checked.stdout, re.MULTILINE)
    # All checks have run: of the tests, those that are the kind's own, and one of the kit's.
    tested = made(project, "make", "test", PYTEST_ADDOPTS="-k 'not test_check or derive:invoke:answers'")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert re.search(r"\d passed", tested.stdout)
    config = made(project, sys.executable, "-m", "modelport", "config", "check", "config.yaml")
    assert (config.returncode, config.stderr) == (0, "")


@pytest.mark.parametrize(
    ("kind", "said"), [("text", "HELLO THERE"), ("chat", "HELLO THERE"), ("handler", "HELLO THERE")]
)
def test_the_commands_of_its_readme_work(modelport: Run, models: Path, kind: str, said: str) -> None:
    modelport("new", "mine", "--kind", kind)
    readme = (models / "mine" / "README.md").read_text()
    [line] = [line.strip() for line in readme.splitlines() if "loud=true" in line]
    done = made(models / "mine", "sh", "-c", line.replace("modelport", f"{sys.executable} -m modelport", 1))
    assert (done.stdout, done.stderr) == (f"{said}\n", "")


def test_what_it_says_to_do_next_can_be_typed(modelport: Run) -> None:
    out = modelport("new", "mine", "--directory", "some where/else")[1]
    assert "  cd 'some where/else'\n" in out
    assert '  modelport call mine:Mine "hello there"' in out


def test_its_files_name_the_model_as_it_was_named(modelport: Run, models: Path) -> None:
    modelport("new", "big-model_2", "--kind", "chat")
    config = yaml.safe_load((models / "big-model_2" / "config.yaml").read_text())
    assert config["models"]["big-model_2"]["use"] == "big_model_2:BigModel2"
    assert "class BigModel2(ChatModel):" in (models / "big-model_2" / "big_model_2.py").read_text()
    for file in (models / "big-model_2").rglob("*.*"):
        assert not file.is_file() or "%%" not in file.read_text()


def test_a_missing_pytest_is_one_line_that_says_what_to_do(modelport: Run, models: Path) -> None:
    modelport("new", "mine")
    (models / "pytest.py").write_text("raise ImportError")
    done = made(models / "mine", "make", "test", PYTHONPATH=f"{models}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert done.returncode == 2
    assert "The tests need pytest: pip install pytest" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("awk") is None, reason="awk is not installed")
def test_make_alone_lists_its_targets(modelport: Run, models: Path) -> None:
    modelport("new", "mine")
    lines = made(models / "mine", "make").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["help", "test", "check", "serve"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My Model", "'My Model' cannot be a project's name: it is small letters, digits and single '-'"),
        ("My Model", "a letter first; try 'my-model'"),
        ("3d", "a letter first; try 'd'"),
        ("", "a letter first"),
        ("../x", "a letter first; try 'x'"),
        ("class", "Python has a 'class' already; try 'my-class'"),
        ("json", "Python has a 'json' already; try 'my-json'"),
        ("pydantic", "Python has a 'pydantic' already; try 'my-pydantic'"),
        ("modelport", "Python has a 'modelport' already; try 'my-modelport'"),
        ("chat-model", "its files import a ChatModel; try 'my-chat-model'"),
    ],
)
def test_a_name_that_would_not_work_is_refused(modelport: Run, models: Path, name: str, said: str) -> None:
    before = sorted(models.iterdir())
    code, out, errors = modelport("new", name)
    assert (code, out) == (2, "")
    assert said in errors
    assert sorted(models.iterdir()) == before


def test_nothing_is_overwritten(modelport: Run, models: Path) -> None:
    (models / "mine").mkdir()
    (models / "mine" / "kept").write_text("kept")
    (models / "file").write_text("kept")
    for arguments in (["mine"], ["other", "--directory", "mine"], ["file"]):
        code, out, errors = modelport("new", *arguments)
        assert (code, out) == (2, "")
        assert "is there already; choose another name, or another --directory" in errors
    assert [file.name for file in (models / "mine").iterdir()] == ["kept"]


def test_an_empty_folder_is_filled(modelport: Run, models: Path) -> None:
    (models / "empty").mkdir()
    assert modelport("new", "mine", "-d", "empty")[0] == 0
    assert (models / "empty" / "mine.py").is_file()


def test_an_unknown_kind_is_a_mistake(modelport: Run) -> None:
    code, _, errors = modelport("new", "mine", "--kind", "video")
    assert code == 2
    assert "'text', 'chat', 'handler', 'embedding'" in errors
