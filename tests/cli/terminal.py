"""A terminal to run commands in: a pseudo-terminal that types when it sees what it waits for."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ENTER, CTRL_C, CTRL_D = "\r", "\x03", "\x04"
PATIENCE_SECONDS = 30.0
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x01\x02]")


def plain(text: str) -> str:
    """Return what was shown without escape sequences, its lines ended as in files."""
    return _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def seen_on_terminal(
    arguments: Sequence[str],
    typed: Sequence[tuple[str, str]] = (),
    *,
    folder: Path,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run `modelport` on a terminal; return the exit status and all that it showed.

    Args:
        arguments: What comes after `modelport`.
        typed: What to wait for, and what to type then, one after the other.
        folder: Where to run it.
        columns: The terminal's width.
        environment: More variables.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        given = {**kept, "TERM": "xterm-256color", **(environment or {})}
        os.execve(sys.executable, [sys.executable, "-m", "modelport", *arguments], given)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    try:
        shown = _talk(terminal, list(typed))
    finally:
        os.close(terminal)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown


def _talk(terminal: int, typed: list[tuple[str, str]]) -> str:
    shown, looked_at = b"", 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more came after {shown.decode()!r}, still to be typed: {typed}"
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            piece = b""
        if not piece:
            assert not typed, f"it ended after {shown.decode()!r}, before {typed} was typed"
            return shown.decode()
        shown += piece
        while typed and (at := shown.find(typed[0][0].encode(), looked_at)) >= 0:
            looked_at = at + len(typed[0][0])
            os.write(terminal, typed.pop(0)[1].encode())
