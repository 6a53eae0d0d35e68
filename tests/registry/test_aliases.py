"""Import aliases: a package that is not installed, and another one's modules in its place."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from modelport.registry import aliases
from modelport.registry.aliases import add_import_alias
from modelport.registry.loader import load_object
from modelport.values.errors import LoadError


@pytest.fixture(autouse=True)
def unchanged_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Take back what a test adds to the process: modules, import folders, aliases."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(aliases, "_finder", aliases._AliasFinder())
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package `stand_in` with a value, a module and a package in it; `absent` is its alias."""
    place = tmp_path / "installed"
    write(place / "stand_in" / "__init__.py", "value = 'ours'\nsettings = []")
    write(place / "stand_in" / "module.py", "import stand_in\nvalue = stand_in.value + ' module'")
    write(place / "stand_in" / "inner" / "__init__.py", "")
    write(place / "stand_in" / "inner" / "deep.py", "value = 'ours, deep'")
    monkeypatch.syspath_prepend(str(place))
    add_import_alias("absent", "stand_in")
    return "stand_in"


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def is_installed() -> bool:
    return any(isinstance(finder, aliases._AliasFinder) for finder in sys.meta_path)


@pytest.mark.usefixtures("stand_in")
def test_a_loaded_file_imports_the_stand_in_by_the_other_name(tmp_path: Path) -> None:
    write(tmp_path / "asking.py", "import absent\nvalue = absent.value")
    assert load_object("asking:value") == "ours"


@pytest.mark.usefixtures("stand_in")
def test_both_names_are_the_same_module_objects(tmp_path: Path) -> None:
    write(tmp_path / "setting.py", "import absent\nimport absent.inner.deep as deep\nabsent.settings.append(deep)")
    load_object("setting:absent")
    import stand_in  # pyright: ignore[reportMissingImports]

    assert stand_in.settings == [importlib.import_module("stand_in.inner.deep")]
    assert stand_in.__name__ == getattr(stand_in.__spec__, "name", None) == "stand_in"
    assert sys.modules["absent"] is stand_in


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("from absent import value", "ours"),
        ("from absent.module import value", "ours module"),
        ("from absent import module\nvalue = module.value", "ours module"),
        ("import absent.inner.deep\nvalue = absent.inner.deep.value", "ours, deep"),
        ("from absent.inner import deep\nvalue = deep.value", "ours, deep"),
        ("import importlib\nvalue = importlib.import_module('absent.module').value", "ours module"),
    ],
)
def test_every_form_of_import_works(tmp_path: Path, text: str, value: str) -> None:
    write(tmp_path / "form.py", text)
    assert load_object("form:value") == value


@pytest.mark.usefixtures("stand_in")
def test_a_submodule_is_executed_once_under_both_names(tmp_path: Path) -> None:
    write(tmp_path / "installed" / "stand_in" / "counted.py", "import stand_in\nstand_in.settings.append('executed')")
    write(tmp_path / "both.py", "import stand_in.counted\nimport absent.counted\nfrom absent import settings")
    assert load_object("both:settings") == ["executed"]


@pytest.mark.usefixtures("stand_in")
def test_a_package_that_is_installed_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "more" / "absent" / "__init__.py", "value = 'theirs'")
    write(tmp_path / "more" / "absent" / "module.py", "value = 'theirs, module'")
    monkeypatch.syspath_prepend(str(tmp_path / "more"))
    write(tmp_path / "asking.py", "from absent import value\nfrom absent.module import value as deeper")
    assert load_object("asking:value") == "theirs"
    assert load_object("asking:deeper") == "theirs, module"


@pytest.mark.usefixtures("stand_in")
def test_a_mere_folder_of_that_name_does_not_win(tmp_path: Path) -> None:
    write(tmp_path / "absent" / "config.yaml", "")
    write(tmp_path / "asking.py", "from absent import value")
    assert load_object("asking:value") == "ours"


@pytest.mark.usefixtures("stand_in")
def test_outside_of_a_loaded_file_the_name_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "plain.py", "value = 1")
    load_object("plain:value")
    assert not is_installed()
    with pytest.raises(ModuleNotFoundError, match="absent"):
        importlib.import_module("absent")


@pytest.mark.usefixtures("stand_in")
def test_a_method_may_import_it_when_it_is_called(tmp_path: Path) -> None:
    write(tmp_path / "lazy.py", "def value():\n    import absent.module\n    return absent.module.value")
    assert load_object("lazy:value")() == "ours module"


@pytest.mark.usefixtures("stand_in")
def test_a_neighbour_that_imported_it_may_import_it_again_later(tmp_path: Path) -> None:
    write(
        tmp_path / "neighbour.py",
        "import absent\ndef later():\n    from absent.inner import deep\n    return deep.value",
    )
    write(tmp_path / "first.py", "from neighbour import later")
    assert load_object("first:later")() == "ours, deep"


@pytest.mark.usefixtures("stand_in")
def test_a_submodule_that_the_stand_in_has_not_is_an_import_error(tmp_path: Path) -> None:
    write(tmp_path / "asking.py", "import absent.nothing")
    with pytest.raises(LoadError, match=r"No module named 'absent.nothing' \(asking.py, line 1\)"):
        load_object("asking:absent")


@pytest.mark.usefixtures("stand_in")
def test_a_name_that_the_stand_in_has_not_says_which_is_near(tmp_path: Path) -> None:
    write(tmp_path / "asking.py", "from absent import valu")
    with pytest.raises(LoadError, match=r"cannot import name 'valu'.*did you mean 'value'\?"):
        load_object("asking:valu")


@pytest.mark.usefixtures("stand_in")
def test_the_aliases_end_when_a_file_fails_that_did_not_use_them(tmp_path: Path) -> None:
    write(tmp_path / "broken.py", "1 / 0")
    with pytest.raises(LoadError, match="division by zero"):
        load_object("broken:value")
    assert not is_installed()


@pytest.mark.usefixtures("stand_in")
def test_a_module_that_is_no_file_beside_the_config_may_use_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "site" / "a_plugin" / "__init__.py", "")
    write(
        tmp_path / "site" / "a_plugin" / "handlers.py", "def value():\n    from absent import value\n    return value"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert load_object("a_plugin.handlers:value")() == "ours"
