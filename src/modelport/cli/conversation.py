"""The conversation of `modelport chat`: what was said, the commands, and one answer after the other."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from modelport.cli import EXIT_FAILURE, asking
from modelport.cli.addresses import Addressed
from modelport.cli.line_editing import Prompter
from modelport.cli.terminal import BAD, NAME, QUIET, painted, printable
from modelport.values.errors import ModelportError

HELP = {
    "/help": "show these commands",
    "/reset": "forget what was said",
    "/system TEXT": "what the model is told first; without a text: nothing",
    "/exit": "leave, as Ctrl-D does",
    '"""': "begin and end a text of several lines",
    "Ctrl-C": "stop the answer",
}
"""What can be typed, and what it does."""


class Conversation:
    """Is one conversation with a model."""

    def __init__(
        self,
        addressed: Addressed,
        name: str,
        system: str | None,
        given: Mapping[str, Any],
        *,
        shows_stats: bool,
    ) -> None:
        self._addressed = addressed
        self._name = name
        self._system = system
        self._given = given
        self._shows_stats = shows_stats
        self._said: list[asking.Message] = []
        self._is_shown = sys.stdout.isatty()
        self._prompter = Prompter(painted("> ", NAME, sys.stdout), commands=[one.split()[0] for one in HELP])
        self._failed = False

    def run(self) -> int:
        """Talk until the person leaves; return the exit status: of piped lines 1 when an answer failed."""
        if self._prompter.is_person:
            print(
                f"{painted(self._name, NAME, sys.stdout)}  {self._quiet('/help shows the commands, Ctrl-D leaves')}\n"
            )
        with asyncio.Runner() as runner:
            try:
                while self._turn(runner):
                    pass
            finally:
                runner.run(asking.unload(self._addressed))
        return EXIT_FAILURE if self._failed and not self._prompter.is_person else 0

    def _turn(self, runner: asyncio.Runner) -> bool:
        """Take one line; tell whether there may be more."""
        try:
            line = self._prompter.read()
        except KeyboardInterrupt:
            if not self._prompter.is_person:
                raise
            print(self._quiet("\n(Ctrl-D leaves)"))
            return True
        if line is None:
            if self._prompter.is_person:
                print()
            return False
        text = line.strip()
        if text.startswith("/") and "\n" not in text:
            return self._command(text)
        if text:
            self._answer(runner, text)
        return True

    def _command(self, text: str) -> bool:
        name, _, rest = text.partition(" ")
        rest = rest.strip()
        match name:
            case "/exit" | "/quit" | "/bye":
                return False
            case "/reset":
                self._said.clear()
                self._note("forgotten")
            case "/system":
                self._system = rest or None
                self._note("the model is told so from now on" if rest else "the model is told nothing first")
            case "/help":
                width = max(map(len, HELP))
                for command, does in HELP.items():
                    print(f"  {painted(command.ljust(width), NAME, sys.stdout)}  {does}")
                print()
            case _:
                self._complain(f"there is no command {name}; /help shows them")
        return True

    def _answer(self, runner: asyncio.Runner, text: str) -> None:
        """Ask, print the answer, and remember both; an answer that was stopped is kept as far as it came."""
        self._said.append({"role": "user", "content": text})
        pieces: list[str] = []
        try:
            runner.run(self._stream(pieces))
        except KeyboardInterrupt:
            if not self._prompter.is_person:
                raise
            print(f" {self._quiet('(stopped)')}\n")
        except ModelportError as error:
            if pieces:
                print()
            self._failed = True
            self._complain(asking.failure_of(error))
        else:
            if self._prompter.is_person:
                print()
        if pieces:
            self._said.append({"role": "assistant", "content": "".join(pieces)})
        else:
            self._said.pop()

    async def _stream(self, pieces: list[str]) -> None:
        shown = printable if self._is_shown else str
        begun, used = time.monotonic(), None
        system = [] if self._system is None else [{"role": "system", "content": self._system}]
        async with aclosing(asking.chunks_of(self._addressed, [*system, *self._said], self._given)) as chunks:
            async for chunk in chunks:
                used = getattr(chunk, "usage", None) or used
                text = "".join(choice.delta.content or "" for choice in chunk.choices)
                if text:
                    pieces.append(text)
                    sys.stdout.write(shown(text))
                    sys.stdout.flush()
        if not pieces or not pieces[-1].endswith("\n"):
            print(flush=True)
        if self._shows_stats:
            print(self._quiet(_stats(used, time.monotonic() - begun)), flush=True)

    def _note(self, text: str) -> None:
        if self._prompter.is_person:
            print(self._quiet(f"({text})") + "\n")

    def _complain(self, text: str) -> None:
        print(painted(f"modelport: {text}", BAD, sys.stderr), file=sys.stderr)
        if self._prompter.is_person:
            print()

    @staticmethod
    def _quiet(text: str) -> str:
        return painted(text, QUIET, sys.stdout)


def _stats(used: Any, seconds: float) -> str:
    """Return the line about an answer: its tokens, its time, and how fast it came."""
    time_taken = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    if used is None or not used.completion_tokens:
        return time_taken
    count = used.completion_tokens
    speed = f", {count / seconds:,.0f} a second" if seconds >= 0.1 else ""
    return f"{count} token{'' if count == 1 else 's'} in {time_taken}{speed}"
