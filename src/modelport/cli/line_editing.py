"""Reads what a person types, with the line editing of the standard library where it is present, or lines of a pipe."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

_ESCAPES = re.compile(r"(\x1b\[[0-9;]*m)")
_FENCE = '"""'
HISTORY_LINES = 1000
"""How many lines the arrow keys go back to."""


class Prompter:
    """Reads one text after the other."""

    def __init__(self, prompt: str, *, commands: Sequence[str] = ()) -> None:
        """Make one.

        Args:
            prompt: What stands before the line; it may be coloured.
            commands: What the tab key completes.
        """
        self.is_person = sys.stdin.isatty()
        """Whether somebody types, and sees the prompt."""
        self._prompt, self._more = prompt, ". "
        if self.is_person and sys.stdout.isatty() and _edit_lines(commands):
            # Readline has to know what of the prompt takes no room.
            self._prompt = _ESCAPES.sub("\x01\\1\x02", prompt)

    def read(self) -> str | None:
        '''Return the next text, None at the end; what stands between two `"""` is one text, and so is what is pasted.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed.
        '''
        line = self._line(self._prompt)
        if line is None or not line.strip().startswith(_FENCE):
            return line
        text = line.strip().removeprefix(_FENCE)
        while not text.rstrip().endswith(_FENCE):
            more = self._line(self._more)
            if more is None:
                return text.strip("\n")
            text = f"{text}\n{more}"
        return text.rstrip().removesuffix(_FENCE).strip("\n")

    def _line(self, prompt: str) -> str | None:
        if not self.is_person:
            line = sys.stdin.readline()
            return line.removesuffix("\n") if line else None
        try:
            return input(prompt)
        except EOFError:
            return None


def _edit_lines(commands: Sequence[str]) -> bool:
    """Let `input` edit lines; tell whether it does."""
    try:
        import readline
    except ImportError:
        return False

    def complete(text: str, state: int) -> str | None:
        found = [one for one in commands if one.startswith(text)] if text.startswith("/") else []
        return found[state] if state < len(found) else None

    readline.set_history_length(HISTORY_LINES)
    readline.set_completer(complete)
    readline.set_completer_delims(" \n")
    if "libedit" in (getattr(readline, "__doc__", None) or ""):
        readline.parse_and_bind("bind ^I rl_complete")
    else:
        readline.parse_and_bind("tab: complete")
        # What is pasted comes as one text, its line breaks kept.
        readline.parse_and_bind("set enable-bracketed-paste on")
    return True
