"""Running a page of the documentation from top to bottom, as a reader who types what it shows."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.shell import Shell

ADDRESS = "127.0.0.1:4000"
"""Where pages say that the gateway is; it is served on a free port."""
OTHER_PORT = "8642"
"""Where pages say that a server of the reader's own is; it is a free port too."""
ANYTHING = "…"
"""Stands in what a page says is printed for what differs from run to run."""
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
FILE = re.compile(r"# (?P<name>[\w/-]+\.(?:py|yaml))\b.*\n")
PROMPT = "$ "
END_SECONDS = 20


class Block(NamedTuple):
    """Is one block of code."""

    language: str
    """As the page says: `python`, `yaml`, `sh`, `console`, `text`, `json`."""
    text: str
    """What is in it."""
    line: int
    """The number of its first line."""
    printed: str | None
    """What it prints: the block of `text` or `json` that follows at once, or what a `console` shows."""

    @property
    def file(self) -> str | None:
        """The name of the file that it is, which its first line says as a comment."""
        found = FILE.match(self.text)
        return found["name"] if found else None


def blocks_of(page: str) -> list[Block]:
    """Return a page's blocks that are run, in order; of a `console` each command is one."""
    found = list(BLOCK.finditer(page))
    blocks: list[Block] = []
    for block, after in zip_longest(found, found[1:]):
        if block["language"] in ("text", "json"):
            continue
        line = page.count("\n", 0, block.start("text")) + 1
        if block["language"] == "console":
            blocks += _commands(block["text"], line)
            continue
        follows = after is not None and not page[block.end() : after.start()].strip()
        printed = after["text"] if after is not None and follows and after["language"] in ("text", "json") else None
        blocks.append(Block(block["language"], block["text"], line, printed))
    return blocks


def _commands(text: str, line: int) -> list[Block]:
    """Return the commands of a console, each with what it prints; a backslash lets one go on."""
    commands: list[Block] = []
    for number, shown in enumerate(text.splitlines(keepends=True), line):
        last = commands[-1] if commands else None
        if shown.startswith(PROMPT):
            commands.append(Block("console", shown.removeprefix(PROMPT), number, ""))
        elif last is not None and not last.printed and last.text.endswith("\\\n"):
            commands[-1] = last._replace(text=last.text + shown)
        else:
            assert last is not None, f"line {number}: a console begins with {PROMPT!r}"
            commands[-1] = last._replace(printed=f"{last.printed}{shown}")
    return commands


class Reader:
    """Types what a page shows; leaving it ends the gateway that was started, which has to end well."""

    def __init__(
        self, page: Path, folder: Path, environment: Mapping[str, str], *, executes_python: bool = True
    ) -> None:
        """Begin a page.

        Args:
            page: The page.
            folder: Where its files are written and its commands run.
            environment: More variables for its commands.
            executes_python: Whether blocks of Python are executed where they stand; else they are files, which
                commands of the page run.
        """
        self._page = page
        self._folder = folder
        self._executes_python = executes_python
        self._namespace: dict[str, Any] = {"__name__": "__main__"}
        self._runner = asyncio.Runner()
        self._server: subprocess.Popen[str] | None = None
        self._address = ADDRESS
        self._other_port = _free_port()
        home = folder.parent / f"{folder.name}-home"
        home.mkdir()
        (home / ".curlrc").write_text("silent\nshow-error\nmax-time = 20\nnoproxy = *\n")
        # What stands above a reader's folder configures no pytest; here it may.
        (folder.parent / "pytest.ini").write_text("[pytest]\n")
        self._log_file = home / "log"
        self._environment = {
            **os.environ,
            "COLUMNS": "80",
            "NO_COLOR": "1",
            **environment,
            "CURL_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self._shell: Shell | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()
        self._stop()
        if self._shell is not None:
            self._shell.close()

    def turn_to(self, page: Path) -> None:
        """Go on with another page, in the same folder; a server of the page before is ended."""
        self._stop()
        self._page = page

    def run(self, block: Block) -> str:
        """Do what a block says; return what it prints, at the address that pages have."""
        if block.file is not None:
            self._write(block.file, block.text)
        if block.language == "python":
            printed = self._python(block) if self._executes(block) else ""
        elif block.language == "yaml":
            printed = self._command(f"modelport config check {block.file}") if self._executes_python else ""
        elif block.language == "console":
            printed = self._typed(block)
        else:
            assert block.language == "sh", f"nothing runs a block of {block.language!r}"
            lines = re.sub(r"\\\n *", "", block.text).splitlines()
            printed = "".join(self._command(line) for line in lines)
        return printed.replace(self._address, ADDRESS).replace(self._other_port, OTHER_PORT)

    def _with_ports(self, text: str) -> str:
        """Return what a page says, with the ports that are free here."""
        return text.replace(ADDRESS, self._address).replace(OTHER_PORT, self._other_port)

    def _executes(self, block: Block) -> bool:
        """Tell whether a block of Python is run where it stands: not when a command of the page runs the file."""
        if block.file is None or not self._executes_python:
            return self._executes_python
        commands = rf"^\$ (?:python|pytest .*|uvicorn) {re.escape(block.file.removesuffix('.py'))}"
        return re.search(commands, self._page.read_text(encoding="utf-8"), re.M) is None

    @property
    def _here(self) -> Path:
        """Where the reader's terminal is."""
        return self._folder if self._shell is None else self._shell.folder

    def _write(self, name: str, text: str) -> None:
        file = self._here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._with_ports(text), encoding="utf-8")

    def _typed(self, block: Block) -> str:
        """Type a command into the page's one shell; it may fail when the page goes on by asking for its status."""
        if self._shell is None:
            self._shell = Shell(self._folder, self._environment)
        command = self._with_ports(block.text).rstrip("\n")
        if command.startswith("modelport serve"):
            return self._serve(command, self._shell.folder, self._shell.environment)
        printed = self._shell.run(command)
        if command.endswith("&"):
            self._wait_for_other_server()
        return printed

    def _wait_for_other_server(self) -> None:
        """Wait as a reader does, who sees when a server in the background is ready."""
        for _ in range(END_SECONDS * 10):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", int(self._other_port))) == 0:
                    return
            threading.Event().wait(0.1)
        raise AssertionError(f"nothing listens on the page's port {OTHER_PORT}")

    def _python(self, block: Block) -> str:
        # Padded, so that a traceback shows the page's own line.
        text = "\n" * (block.line - 1) + self._with_ports(block.text)
        # A page has its own `from __future__` imports, not this file's.
        code = compile(text, self._page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            # Evaluated, it is a coroutine when it awaits something.
            result = eval(code, self._namespace)
            if asyncio.iscoroutine(result):
                self._runner.run(result)
        return printed.getvalue()

    def _command(self, line: str) -> str:
        if line.startswith("modelport serve"):
            return self._serve(line, self._here, self._environment)
        done = subprocess.run(
            ["sh", "-c", self._with_ports(line)],
            check=False,
            cwd=self._here,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _serve(self, line: str, folder: Path, environment: Mapping[str, str]) -> str:
        """Start a gateway in the place of the one before; return its greeting."""
        self._stop()
        with self._log_file.open("w") as log:
            server = self._server = subprocess.Popen(
                ["sh", "-c", f"exec {line} --port 0"],
                cwd=folder,
                env=environment,
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
        self._address = ADDRESS
        if server is None:
            return
        with server:
            server.send_signal(signal.SIGTERM)
            assert server.wait(END_SECONDS) == 0, self._log()
        assert "Traceback" not in self._log(), self._log()

    def _log(self) -> str:
        return self._log_file.read_text()


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def is_as_shown(shown: str, printed: str) -> bool:
    """Tell whether what was printed is what a page shows, where `…` stands for anything; spaces at ends count not."""
    pattern = re.escape(_stripped(shown)).replace(re.escape(ANYTHING), ".*")
    return re.fullmatch(pattern, _stripped(printed), re.S) is not None


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()
