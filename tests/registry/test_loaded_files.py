"""A changed file is executed anew, with those that import it; everything else stays the object that it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelport.registry.loaded_files import bring_back, forget_changed, loaded_files
from modelport.registry.loader import load_object


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    sys.path[:] = path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder.joinpath(*name.split("__in__")[::-1]).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_nothing_is_forgotten_while_nothing_changes(folder: Path) -> None:
    write(folder, lf_a="value = object()")
    first = load_object("lf_a:value", folder)
    (folder / "lf_a.py").touch()
    assert forget_changed() == {}
    assert load_object("lf_a:value", folder) is first


def test_a_changed_file_is_executed_anew(folder: Path) -> None:
    write(folder, lf_b="value = 1", lf_c="value = object()")
    other = load_object("lf_c:value", folder)
    assert load_object("lf_b.py:value", folder) == 1
    write(folder, lf_b="value = 'another'")
    assert load_object("lf_b.py:value", folder) == 1
    assert list(forget_changed()) == ["lf_b"]
    assert load_object("lf_b.py:value", folder) == "another"
    assert load_object("lf_c:value", folder) is other
    assert forget_changed() == {}


def test_a_change_within_the_same_second_to_the_same_size_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for value in range(5):
        write(folder, lf_h=f"value = {value}")
        os.utime(folder / "lf_h.py", (1e9, 1e9))
        forget_changed()
        assert load_object("lf_h:value", folder) == value


@pytest.mark.parametrize(
    "imports",
    ["import lf_low", "from lf_low import number", "def late():\n    import lf_low as other", "from lf_low import *"],
)
def test_files_that_import_a_changed_one_are_executed_anew_too(folder: Path, imports: str) -> None:
    write(
        folder, lf_low="number = 1", lf_mid=f"{imports}\nimport lf_low", lf_top="import lf_mid\nx = 1", lf_own="x = 1"
    )
    load_object("lf_top:x", folder)
    load_object("lf_own:x", folder)
    write(folder, lf_low="number = 2222")
    assert sorted(forget_changed()) == ["lf_low", "lf_mid", "lf_top"]
    assert "lf_own" in sys.modules
    load_object("lf_top:x", folder)
    assert sys.modules["lf_mid"].lf_low.number == 2222


def test_relative_imports_in_a_package_count(folder: Path) -> None:
    write(
        folder,
        __init____in__lf_pack="",
        low__in__lf_pack="n = 1",
        high__in__lf_pack="from .low import n",
        apart__in__lf_pack="n = 7",
    )
    assert load_object("lf_pack/high.py:n", folder) == 1
    assert load_object("lf_pack/apart.py:n", folder) == 7
    write(folder, low__in__lf_pack="n = 22")
    assert sorted(forget_changed()) == ["lf_pack.high", "lf_pack.low"]
    assert load_object("lf_pack/high.py:n", folder) == 22
    assert "lf_pack.apart" in sys.modules


def test_what_is_brought_back_is_there_and_still_counts_as_changed(folder: Path) -> None:
    write(folder, lf_d="value = object()")
    first = load_object("lf_d:value", folder)
    write(folder, lf_d="value = (")
    forgotten = forget_changed()
    bring_back(forgotten)
    assert load_object("lf_d:value", folder) is first
    write(folder, lf_d="value = object()")
    assert list(forget_changed()) == ["lf_d"]


def test_a_file_that_is_gone_counts_as_changed(folder: Path) -> None:
    write(folder, lf_e="value = 1")
    load_object("lf_e:value", folder)
    (folder / "lf_e.py").unlink()
    assert list(forget_changed()) == ["lf_e"]


def test_only_the_users_files_are_watched(folder: Path) -> None:
    write(folder, lf_f="import json\nimport modelport\nimport lf_g\nvalue = 1", lf_g="", lf_unused="")
    load_object("lf_f:value", folder)
    mine: Any = {file.name for file in loaded_files() if file.is_relative_to(folder)}
    assert mine == {"lf_f.py", "lf_g.py"}
    assert not any("site-packages" in file.parts or file.name == "json" for file in loaded_files())
