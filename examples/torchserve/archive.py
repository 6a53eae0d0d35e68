"""Packs `text_handler.py` for torch-serve: `python archive.py model-store/text.mar`.

An archive is a zip file of the handler and a manifest; a model with weights puts them in as well.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

HANDLER = Path(__file__).with_name("text_handler.py")


def write_archive(file: Path) -> None:
    """Write the archive of the model that the file is named after."""
    model = {"modelName": file.stem, "modelVersion": "1.0", "handler": HANDLER.name}
    manifest = {"runtime": "python", "model": model, "archiverVersion": "0.12.0"}
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(HANDLER, HANDLER.name)
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))


if __name__ == "__main__":
    write_archive(Path(sys.argv[1]))
