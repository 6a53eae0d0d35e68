"""How the command line looks: consoles, and colours that read on dark and on light terminals alike.

The colours are fixed ones of the 256: the sixteen named ones are whatever a terminal makes of them, and its yellow or
its dim grey can hardly be read on white.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TextIO

from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

if TYPE_CHECKING:
    from rich.console import Console

GOOD = "bold color(28)"
"""What holds."""
BAD = "bold color(196)"
"""What does not."""
QUIET = "color(243)"
"""What is said beside; a grey in the middle between black and white."""
NAME = "bold color(31)"
"""Names to type: commands, options, models."""


_CONTROLS = {code: None for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Return a text of a model's without what would steer a terminal."""
    return text.translate(_CONTROLS)


def has_colours(stream: TextIO) -> bool:
    """Tell whether a stream shows colours: a terminal, or `FORCE_COLOR`; never with `NO_COLOR` or a dumb terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def console_on(stream: TextIO) -> Console:
    """Return a console that writes to a stream, with no escape sequence where it shows no colours."""
    from rich.console import Console

    is_colourful = has_colours(stream)
    return Console(
        file=stream,
        force_terminal=is_colourful,
        color_system="256" if is_colourful else None,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=False,
        legacy_windows=False,
    )


def painted(text: str, style: str, stream: TextIO) -> str:
    """Return a text with a style's escape sequences, where a stream shows colours."""
    if not has_colours(stream):
        return text
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(style).render(text, color_system=ColorSystem.EIGHT_BIT)


def _make_help_readable() -> None:
    """Give typer's help our colours, and no others; without colours no bold letters either."""
    from typer import rich_utils

    styles: Any = rich_utils
    plain, border = "", QUIET
    for names, style in (
        (("OPTION", "SWITCH", "NEGATIVE_OPTION", "NEGATIVE_SWITCH", "COMMANDS_TABLE_FIRST_COLUMN"), NAME),
        (("USAGE", "USAGE_COMMAND"), "bold"),
        (("HELPTEXT_FIRST_LINE", "HELPTEXT", "OPTION_HELP"), plain),
        (("TYPES", "METAVAR", "OPTION_DEFAULT", "OPTION_ENVVAR", "TYPES_SEPARATOR", "METAVAR_SEPARATOR"), QUIET),
        (("OPTIONS_PANEL_BORDER", "COMMANDS_PANEL_BORDER"), border),
        (("REQUIRED_SHORT", "REQUIRED_LONG"), BAD),
    ):
        for name in names:
            setattr(styles, f"STYLE_{name}", style)
    styles.COLOR_SYSTEM = "256" if has_colours(sys.stdout) else None


def help_of(function: Callable[..., object]) -> str:
    """Return a command's docstring as help: paragraphs of examples keep their lines, others are wrapped anew."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(one if ":  " in one else " ".join(one.split()) for one in paragraphs)


def _no_type(ctx: Any) -> None:
    """Say nothing about a type."""


def _make_params_readable(params: Iterable[Any]) -> None:
    """Let the help show no types for what needs none: options that take no value, and arguments."""
    for param in params:
        if param.param_type_name == "argument":
            param.display_type_rich = _no_type
        elif getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""


class Group(TyperGroup):
    """Is a group of commands whose help reads on any terminal."""

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _make_help_readable()
        _make_params_readable(self.get_params(ctx))
        super().format_help(ctx, formatter)


class Command(TyperCommand):
    """Is a command whose help reads on any terminal."""

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _make_help_readable()
        _make_params_readable(self.get_params(ctx))
        super().format_help(ctx, formatter)

    @override
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]
