"""The commands and their options."""

from __future__ import annotations

import typer

from modelport._version import __version__
from modelport.cli.call import call
from modelport.cli.chat import chat
from modelport.cli.check import check
from modelport.cli.config import config_app
from modelport.cli.listing import list_models
from modelport.cli.new import new
from modelport.cli.serve import serve
from modelport.cli.terminal import Command, Group, help_of

_TRY, _PROVE, _SERVE = "Make and try a model", "Prove that it is right", "Serve it"

app = typer.Typer(
    name="modelport",
    cls=Group,
    rich_markup_mode="rich",
    no_args_is_help=True,
    # Tracebacks with local variables would show keys.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def usage_mistakes() -> tuple[type[Exception], ...]:
    """Return the exceptions for arguments that are no command's; typer brings the class, and does not export it."""
    return tuple(
        one for one in typer.BadParameter.__mro__ if issubclass(one, Exception) and one.__name__ == "ClickException"
    )


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Write one method; call your model every way people call models.

    Begin with:  modelport new my-model

    Each command's --help has examples: modelport call --help
    """


for _name, _function, _panel in (
    ("new", new, _TRY),
    ("call", call, _TRY),
    ("chat", chat, _TRY),
    ("list", list_models, _TRY),
    ("check", check, _PROVE),
    ("serve", serve, _SERVE),
):
    app.command(_name, cls=Command, help=help_of(_function), rich_help_panel=_panel)(_function)
app.add_typer(config_app, name="config", rich_help_panel=_SERVE)
