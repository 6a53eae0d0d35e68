"""A shell that stays open, as a reader's terminal does: `cd` and an activated environment last."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

COMMAND_SECONDS = 50


class Shell:
    """Runs commands one after the other; what they print to either stream comes back together."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in a folder."""
        self._process = subprocess.Popen(
            ["sh"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._mark = secrets.token_hex(8)
        self._status = 0
        self._failed = ""

    @property
    def folder(self) -> Path:
        """Where it is now."""
        return Path(self._typed("pwd")[0].strip())

    @property
    def environment(self) -> dict[str, str]:
        """The variables that its commands have."""
        pairs = (one.partition("=") for one in self._typed("env -0")[0].split("\0"))
        return {name: value for name, _, value in pairs if name}

    def run(self, command: str) -> str:
        """Run a command and return what it prints.

        One that fails is remembered: the next command has to be `echo $?`, which is how a page says that it knows.
        """
        if command == "echo $?":
            self._failed = ""
            return f"{self._status}\n"
        assert not self._failed, self._failed
        printed, self._status = self._typed(command)
        if self._status != 0:
            self._failed = f"{command}\nfailed with status {self._status}:\n{printed}"
        return printed

    def close(self) -> None:
        """End it; a command that failed and was not asked about is an error."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(COMMAND_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert not self._failed, self._failed

    def _typed(self, command: str) -> tuple[str, int]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        # Commands read nothing of what is typed next.
        process.stdin.write(f"{{ {command}\n}} < /dev/null\nprintf '\\n%s %s\\n' {self._mark} $?\n")
        process.stdin.flush()
        watchdog = threading.Timer(COMMAND_SECONDS, process.kill)
        watchdog.start()
        lines: list[str] = []
        try:
            for line in process.stdout:
                if line.startswith(self._mark):
                    return "".join(lines).removesuffix("\n"), int(line.split()[1])
                lines.append(line)
        finally:
            watchdog.cancel()
        raise AssertionError(f"{command}\nended the shell, or took more than {COMMAND_SECONDS} s:\n{''.join(lines)}")
