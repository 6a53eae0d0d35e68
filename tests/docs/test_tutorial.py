"""The tutorial, word for word: an empty folder, its commands in a shell, its files as it writes them.

Only the installation is spared: packages of this environment are visible in the one that the reader makes, so that pip
finds all that it is asked for.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from tests.page import Reader, blocks_of, is_as_shown

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "tutorial").glob("[0-9]*.md"))
NOT_THE_READERS = ("MODELPORT_MASTER_KEY", "LITELLM_MASTER_KEY", "PYTHONWARNINGS", "PYTEST_ADDOPTS", "VIRTUAL_ENV")


@pytest.mark.timeout(240)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial calls by curl, which is not installed")
def test_a_newcomer_gets_what_the_tutorial_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in NOT_THE_READERS:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "empty"
    folder.mkdir()
    installed = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), sysconfig.get_path("purelib")]),
        "PIP_NO_INDEX": "1",
        "NO_PROXY": "*",
    }
    with Reader(PAGES[0], folder, installed, executes_python=False) as reader:
        for page in PAGES:
            reader.turn_to(page)
            for block in blocks_of(page.read_text(encoding="utf-8")):
                printed = reader.run(block)
                if block.printed is not None:
                    shown = f"{page.name}:{block.line} shows\n{block.printed}\nbut it prints\n{printed}"
                    assert is_as_shown(block.printed, printed), shown


def test_the_tutorial_has_five_pages() -> None:
    assert [page.name[:2] for page in PAGES] == ["1-", "2-", "3-", "4-", "5-"]


def test_every_file_of_the_tutorial_is_run_or_served() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page.read_text(encoding="utf-8"))]
    commands = "\n".join(block.text for block in blocks if block.language == "console")
    files = {block.file for block in blocks if block.language != "console"}
    assert None not in files, "a block of the tutorial is a file, whose name its first line says"
    assert {name for name in files if name and Path(name).stem not in commands} == set()
