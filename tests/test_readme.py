"""Every block of the README and of the docs runs, and prints the block of text after it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.page import Reader, blocks_of, is_as_shown

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs" / "tutorial"
"""Its pages go on from each other: `tests/docs/test_tutorial.py`."""
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if not page.is_relative_to(TUTORIAL) and blocks_of(page.read_text(encoding="utf-8"))
]
SET = {"OPENAI_API_KEY": "sk-none", "TEAM_KEY": "sk-team"}
"""The variables that the pages' configs want."""


@pytest.mark.usefixtures("own_names")
@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages call by curl, which is not installed")
@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MODELPORT_MASTER_KEY", "LITELLM_MASTER_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    folder = tmp_path / "empty"
    folder.mkdir()
    with Reader(page, folder, SET) as reader:
        for block in blocks_of(page.read_text(encoding="utf-8")):
            printed = reader.run(block)
            if block.printed is not None:
                shown = f"{page.name}:{block.line} shows\n{block.printed}\nbut it prints\n{printed}"
                assert is_as_shown(block.printed, printed), shown
