"""Running a page of the documentation from top to bottom, as a reader who types what it shows."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

ADDRESS = "127.0.0.1:4000"
"""Where pages say that the gateway is; it is served on a free port."""
ANYTHING = "…"
"""Stands in what a page says is printed for what differs from run to run."""
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
FILE = re.compile(r"# (?P<name>\w+\.(?:py|yaml))\b.*\n")
END_SECONDS = 20


class Block(NamedTuple):
    """Is one block of code."""

    language: str
    """As the page says: `python`, `yaml`, `sh`, `text`, `json`."""
    text: str
    """What is in it."""
    line: int
    """The number of its first line."""
    printed: str | None
    """What it prints: the block of `text` or `json` that follows at once."""

    @property
    def file(self) -> str | None:
        """The name of the file that it is, which its first line says as a comment."""
        found = FILE.match(self.text)
        return found["name"] if found else None


def blocks_of(page: str) -> list[Block]:
    """Return a page's blocks that are run, in order."""
    found = list(BLOCK.finditer(page))
    blocks: list[Block] = []
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block["language"] in ("text", "json"):
            continue
        follows = after is not None and not page[block.end() : after.start()].strip()
        printed = after["text"] if after is not None and follows and after["language"] in ("text", "json") else None
        blocks.append(Block(block["language"], block["text"], page.count("\n", 0, block.start("text")) + 1, printed))
    return blocks


class Reader:
    """Types what a page shows; leaving it ends the gateway that was started, which has to end well."""

    def __init__(self, page: Path, folder: Path, environment: Mapping[str, str]) -> None:
        """Begin a page.

        Args:
            page: The page.
            folder: Where its files are written and its commands run.
            environment: More variables for its commands.
        """
        self._page = page
        self._folder = folder
        self._namespace: dict[str, Any] = {"__name__": "__main__"}
        self._runner = asyncio.Runner()
        self._server: subprocess.Popen[str] | None = None
        self._address = ADDRESS
        (folder / ".curlrc").write_text("silent\nshow-error\nmax-time = 20\nnoproxy = *\n")
        self._environment = {
            **os.environ,
            **environment,
            "CURL_HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()
        self._stop()

    def run(self, block: Block) -> str:
        """Do what a block says; return what it prints, at the address that pages have."""
        if block.file is not None:
            (self._folder / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "python":
            printed = self._python(block)
        elif block.language == "yaml":
            printed = self._command(f"modelport config check {block.file}")
        else:
            assert block.language == "sh", f"nothing runs a block of {block.language!r}"
            lines = re.sub(r"\\\n *", "", block.text).splitlines()
            printed = "".join(self._command(line) for line in lines)
        return printed.replace(self._address, ADDRESS)

    def _python(self, block: Block) -> str:
        # Padded, so that a traceback shows the page's own line.
        text = "\n" * (block.line - 1) + block.text.replace(ADDRESS, self._address)
        code = compile(text, self._page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            # Evaluated, it is a coroutine when it awaits something.
            result = eval(code, self._namespace)
            if asyncio.iscoroutine(result):
                self._runner.run(result)
        return printed.getvalue()

    def _command(self, line: str) -> str:
        if line.startswith("modelport serve"):
            return self._serve(line)
        done = subprocess.run(
            ["sh", "-c", line.replace(ADDRESS, self._address)],
            check=False,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _serve(self, line: str) -> str:
        """Start a gateway in the place of the one before; return its greeting."""
        self._stop()
        with (self._folder / "log").open("w") as log:
            server = self._server = subprocess.Popen(
                ["sh", "-c", f"exec {line} --port 0"],
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert server.stdout is not None
        greeting: list[str] = []
        while greeting[-2:-1] != ["try it:\n"]:
            greeting.append(server.stdout.readline())
            assert greeting[-1], self._log()
        self._address = greeting[0].split("//")[1].split("/")[0]
        return "".join(greeting)

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        with server:
            server.send_signal(signal.SIGTERM)
            assert server.wait(END_SECONDS) == 0, self._log()
        assert "Traceback" not in self._log(), self._log()

    def _log(self) -> str:
        return (self._folder / "log").read_text()


def is_as_shown(shown: str, printed: str) -> bool:
    """Tell whether what was printed is what a page shows, where `…` stands for anything."""
    pattern = re.escape(shown.strip()).replace(re.escape(ANYTHING), ".*")
    return re.fullmatch(pattern, printed.strip(), re.S) is not None
