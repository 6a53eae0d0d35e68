"""The pages' links go to pages and headings that there are, and every page is reached from the first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
TOCTREE = re.compile(r"^```\{toctree\}\n(?P<body>.*?)^```$", re.M | re.S)

by_page = pytest.mark.parametrize(
    "page", [ROOT / "README.md", *PAGES], ids=lambda page: page.relative_to(ROOT).as_posix()
)


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> set[str]:
    """Return a page's anchors, made as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@by_page
def test_links_go_to_pages_and_headings_that_there_are(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        to = (page.parent / file).resolve() if file else page
        assert to.is_file(), f"{page.name} links to {target}"
        assert not anchor or anchor in headings(to), f"{page.name} links to {target}; {to.name} has {headings(to)}"


def test_every_page_is_in_the_contents() -> None:
    listed = {DOCS / "index.md"}
    for page in PAGES:
        for body in TOCTREE.findall(page.read_text(encoding="utf-8")):
            for line in body.splitlines():
                entry = line.strip().partition("<")[2].rstrip(">") or line.strip()
                if entry and not entry.startswith(":"):
                    listed |= listed_by(entry, page)
    assert {page.relative_to(DOCS).as_posix() for page in set(PAGES) - listed} == set()


def listed_by(entry: str, page: Path) -> set[Path]:
    folder = DOCS if entry.startswith("/") else page.parent
    return {found.resolve() for found in folder.glob(f"{entry.lstrip('/')}.md")} or {(folder / f"{entry}.md").resolve()}
