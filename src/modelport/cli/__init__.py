"""The command `modelport`."""

from __future__ import annotations

import importlib.util
import io
import sys
from typing import TYPE_CHECKING, Any

from modelport.values.errors import MissingExtraError, ModelportError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILURE = 1
"""The exit status when a model failed, or does not keep what it was checked for."""
EXIT_MISTAKE = 2
"""The exit status when what was asked for cannot be done as it was asked."""
EXIT_INTERRUPTED = 130
"""The exit status after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a mistake of the user is one message and exit status 2, never a traceback.

    Args:
        arguments: What was typed after `modelport`; None: this process's own.

    Raises:
        SystemExit: Always; it has the exit status.
    """
    _take_any_text()
    try:
        if importlib.util.find_spec("typer") is None or importlib.util.find_spec("rich") is None:
            raise MissingExtraError("the command line", "cli")
        from modelport.cli.app import app, usage_mistakes

        try:
            ended = app(args=arguments, prog_name="modelport", standalone_mode=False)
        except usage_mistakes() as error:
            print(_said(error), file=sys.stderr)
            sys.exit(EXIT_MISTAKE)
        sys.exit(ended)
    except ModelportError as error:
        print(f"modelport: {error}", file=sys.stderr)
        sys.exit(EXIT_MISTAKE)


def _take_any_text() -> None:
    """Read and print a mark for what an encoding has not: a file of Windows's, a terminal without UTF-8, odd bytes."""
    streams: tuple[Any, ...] = (sys.stdin, sys.stdout)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _said(error: Any) -> str:
    """Return what is said about arguments that are no command's, and where to read more."""
    said = error.format_message().strip()
    said = said[:1].lower() + said[1:].removesuffix(".")
    context: Any = error.ctx
    where = context.command_path if context is not None else "modelport"
    return f"modelport: {said}\nTry '{where} --help' for help." if said else f"Try '{where} --help' for help."
