"""What the tests of the command line share: a folder with models, and commands as a person types them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelport.cli import main
from tests.cli.models import written

Outcome = tuple[int, str, str]
"""The exit status, what is on stdout, and what is on stderr."""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be in a folder with models and a config."""
    for name in list(os.environ):
        if name.startswith(("MODELPORT", "OPENAI")) or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(written(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    try:
        yield tmp_path
    finally:
        for name in set(sys.modules) - before:
            place = getattr(sys.modules[name], "__file__", None) or ""
            if place.startswith(str(tmp_path)):
                del sys.modules[name]


@pytest.fixture
def modelport(models: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command in this process."""

    def run(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, errors = capsys.readouterr()
        assert "Traceback" not in errors
        return int(ended.value.code or 0), out, errors

    return run


@pytest.fixture
def modelport_process(models: Path) -> Callable[..., Outcome]:
    """Run a command in a process of its own."""

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "modelport", *arguments],
            cwd=models,
            env={**os.environ, **environment},
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run
