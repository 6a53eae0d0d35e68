"""Import paths: where they are looked for, and what is said when there is nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from modelport.registry.loader import load_object
from modelport.values.errors import LoadError


@pytest.fixture(autouse=True)
def unchanged_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Take back what a test adds to the process: modules and import folders."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_module_beside_the_config_is_found(tmp_path: Path) -> None:
    write(tmp_path / "conf" / "beside_it.py", "value = 5")
    assert load_object("beside_it:value", tmp_path / "conf") == 5


def test_a_module_in_the_current_folder_is_found_too(tmp_path: Path) -> None:
    write(tmp_path / "in_cwd.py", "value = 6")
    (tmp_path / "conf").mkdir()
    assert load_object("in_cwd:value", tmp_path / "conf") == 6


def test_the_one_beside_the_config_wins(tmp_path: Path) -> None:
    write(tmp_path / "both.py", "value = 'cwd'")
    write(tmp_path / "conf" / "both.py", "value = 'config'")
    assert load_object("both:value", tmp_path / "conf") == "config"


def test_a_path_is_relative_to_the_config(tmp_path: Path) -> None:
    write(tmp_path / "conf" / "sub" / "deep.py", "value = 7")
    assert load_object("sub/deep.py:value", tmp_path / "conf") == 7
    assert load_object(f"{tmp_path}/conf/sub/deep.py:value") == 7


def test_a_file_can_import_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "neighbour.py", "value = 8")
    write(tmp_path / "sub" / "importing.py", "from neighbour import value")
    assert load_object("sub/importing.py:value") == 8


def test_a_package_is_imported_with_its_relative_imports(tmp_path: Path) -> None:
    write(tmp_path / "a_package" / "__init__.py", "")
    write(tmp_path / "a_package" / "inner.py", "from .other import value")
    write(tmp_path / "a_package" / "other.py", "value = 9")
    assert load_object("a_package.inner:value", tmp_path) == 9


def test_an_installed_module_is_found_and_an_attribute_may_have_dots() -> None:
    assert load_object("pathlib:Path.cwd")() == Path.cwd()


def test_a_file_is_executed_once_however_it_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "only_once.py", "value = object()")
    first = load_object("only_once:value", tmp_path)
    assert load_object("only_once.py:value", tmp_path) is first
    assert load_object("./only_once.py:value") is first
    assert load_object(f"{file}:value") is first
    assert sys.modules["only_once"].value is first


def test_the_script_that_runs_is_not_executed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "script.py", "value = 'executed again'")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(file), raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "value", "running", raising=False)
    assert load_object("script:value") == "running"


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    write(tmp_path / "one" / "same.py", "value = 1")
    write(tmp_path / "two" / "same.py", "value = 2")
    assert [load_object("same:value", tmp_path / folder) for folder in ("one", "two")] == [1, 2]


def test_a_file_named_like_a_loaded_module_replaces_nothing(tmp_path: Path) -> None:
    import json

    write(tmp_path / "json.py", "value = 'mine'")
    assert load_object("json:value", tmp_path) == "mine"
    assert sys.modules["json"] is json


@pytest.mark.parametrize("use", ["", "module", "module:", ":attr", "file.py"])
def test_a_path_without_an_object_says_how_to_write_it(use: str) -> None:
    with pytest.raises(LoadError, match="write 'module:attr'"):
        load_object(use)


def test_a_missing_module_is_named_with_the_near_file(tmp_path: Path) -> None:
    write(tmp_path / "my_models.py", "")
    with pytest.raises(LoadError, match=r"no module 'my_model'.*did you mean 'my_models'\?") as caught:
        load_object("my_model:X", tmp_path)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_missing_file_is_named_with_the_near_file(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "my_models.py", "")
    with pytest.raises(LoadError, match=r"no file 'sub/my_model.py'.*did you mean 'my_models.py'\?"):
        load_object("sub/my_model.py:X", tmp_path)


def test_a_missing_attribute_is_named_with_the_near_one(tmp_path: Path) -> None:
    write(tmp_path / "with_class.py", "class EchoLLM: ...")
    with pytest.raises(LoadError, match=r"'with_class' has no 'EchoLM'; did you mean 'EchoLLM'\?"):
        load_object("with_class:EchoLM", tmp_path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("import a_missing_dependency", r"No module named 'a_missing_dependency' \(broken.py, line 1\)"),
        ("\nx = 1 / 0", r"ZeroDivisionError: division by zero \(broken.py, line 2\)"),
        ("def f(:", "SyntaxError: .*line 1"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_the_original_error_of_an_import_is_shown_and_kept(tmp_path: Path, text: str, shown: str) -> None:
    write(tmp_path / "broken.py", text)
    with pytest.raises(LoadError, match=f"importing 'broken' failed: .*{shown}") as caught:
        load_object("broken:X", tmp_path)
    assert caught.value.__cause__ is not None
    assert "broken" not in sys.modules


def test_a_file_that_was_mended_loads_in_the_same_process(tmp_path: Path) -> None:
    file = write(tmp_path / "mended.py", "import a_missing_dependency")
    with pytest.raises(LoadError):
        load_object("mended:value", tmp_path)
    file.write_text("value = 'well'")
    assert load_object("mended:value", tmp_path) == "well"
