"""Refuses a site that loads anything from elsewhere: scripts, styles, fonts, pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=\"(?:https?:)?//[^\"]+|<link[^>]*\shref=\"(?:https?:)?//[^\"]+"
)
IMPORTED = re.compile(r"(?:@import\s+|url\()[\"']?(?:https?:)?//[^\"')]+")


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at what was built."""
    app.connect("build-finished", _check_files)
    return {"parallel_read_safe": True}


def _check_files(app: Sphinx, failure: Exception | None) -> None:
    if failure is not None or app.builder.format != "html":
        return
    for pattern, found_by in (("*.html", LOADED), ("*.css", IMPORTED)):
        for file in Path(app.outdir).rglob(pattern):
            if found := found_by.search(file.read_text(encoding="utf-8")):
                raise ExtensionError(f"{file} loads from elsewhere: {found[0]}")
