"""The commands and their options."""

from __future__ import annotations

import typer

from modelport._version import __version__
from modelport.cli.config import config_app
from modelport.cli.serve import serve

app = typer.Typer(
    name="modelport",
    help="Write one method; call your model every way people call models.",
    no_args_is_help=True,
    add_completion=False,
    # Tracebacks with local variables would show keys.
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Write one method; call your model every way people call models."""


app.command()(serve)
app.add_typer(config_app, name="config")
