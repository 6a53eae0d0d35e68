"""The command `modelport`."""

from __future__ import annotations

import importlib.util
import sys

from modelport.values.errors import MissingExtraError, ModelportError

EXIT_MISTAKE = 2
"""The exit status when what was asked for cannot be done as it was asked."""


def main() -> None:
    """Run the command line; a mistake of the user is one message and exit status 2, never a traceback."""
    try:
        if importlib.util.find_spec("typer") is None:
            raise MissingExtraError("the command line", "cli")
        from modelport.cli.app import app

        app()
    except ModelportError as error:
        print(f"modelport: {error}", file=sys.stderr)
        sys.exit(EXIT_MISTAKE)
