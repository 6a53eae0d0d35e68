"""Import paths: where they are looked for, and what is said when there is nothing."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
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


def test_litellms_form_is_split_at_its_last_dot(tmp_path: Path) -> None:
    write(tmp_path / "conf" / "custom_handler.py", "my_custom_llm = object()")
    write(tmp_path / "conf" / "folder" / "inner_handler.py", "value = 10")
    first = load_object("custom_handler.my_custom_llm", tmp_path / "conf")
    assert load_object("custom_handler:my_custom_llm", tmp_path / "conf") is first
    assert load_object("folder.inner_handler.value", tmp_path / "conf") == 10


def test_a_file_of_a_package_is_loaded_as_its_module(tmp_path: Path) -> None:
    write(tmp_path / "handlers_one" / "__init__.py", "")
    write(tmp_path / "handlers_one" / "deep" / "__init__.py", "")
    write(tmp_path / "handlers_one" / "deep" / "inner.py", "from ..other import value\nname = __name__")
    write(tmp_path / "handlers_one" / "other.py", "value = 11")
    assert load_object("handlers_one/deep/inner.py:value") == 11
    assert load_object("handlers_one/deep/inner.py:name") == "handlers_one.deep.inner"
    assert sys.modules["handlers_one.deep.inner"].value == 11


def test_a_file_of_a_folder_may_import_its_neighbours_relatively(tmp_path: Path) -> None:
    write(tmp_path / "mere_folder" / "inner.py", "from .other import value")
    write(tmp_path / "mere_folder" / "other.py", "value = 12")
    assert load_object("mere_folder.inner.value", tmp_path) == 12


def test_a_file_of_a_package_may_import_its_neighbours_by_their_bare_names(tmp_path: Path) -> None:
    write(tmp_path / "handlers_two" / "__init__.py", "")
    write(tmp_path / "handlers_two" / "inner.py", "from bare_neighbour import value")
    write(tmp_path / "handlers_two" / "bare_neighbour.py", "value = 13")
    assert load_object("handlers_two/inner.py:value") == 13


def test_a_package_named_like_a_loaded_one_is_another_package(tmp_path: Path) -> None:
    import json

    write(tmp_path / "json" / "__init__.py", "value = 'mine'")
    write(tmp_path / "json" / "inner.py", "from . import value\nfrom .other import value as beside")
    write(tmp_path / "json" / "other.py", "value = 'beside'")
    assert load_object("json.inner:value", tmp_path) == "mine"
    assert load_object("json/inner.py:beside") == "beside"
    assert load_object("json:value", tmp_path) == "mine"
    assert sys.modules["json"] is json


def test_a_file_beside_the_config_wins_over_an_installed_module_of_its_name(tmp_path: Path) -> None:
    write(tmp_path / "email" / "policy.py", "value = 'mine'")
    assert load_object("email.policy.value", tmp_path) == "mine"


def test_a_class_is_given_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "with_class_only.py", "class Handler: ...")
    assert isinstance(load_object("with_class_only.Handler", tmp_path), type)


def test_a_dataclass_with_postponed_annotations_loads(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nimport dataclasses\n\n@dataclasses.dataclass\nclass D:\n    x: int = 1\n"
    )
    write(tmp_path / "with_dataclass.py", text)
    assert load_object("with_dataclass.D", tmp_path)().x == 1


def test_a_file_is_executed_once_for_two_providers_in_many_threads(tmp_path: Path) -> None:
    write(tmp_path / "counted.py", "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\none = two = object()")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: load_object(f"counted.{name}", tmp_path), ["one", "two"] * 8))
    assert len(set(found)) == 1
    assert getattr(sys, "counted") == 1  # noqa: B009 - the file put it there
    delattr(sys, "counted")


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


@pytest.mark.parametrize("use", ["", "module", "module:", ":attr", "file.py", "module.", ".attr", "a..attr"])
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
