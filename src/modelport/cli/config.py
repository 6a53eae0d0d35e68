"""`modelport config`: checks a config without serving it, and prints its JSON Schema."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelport.cli.terminal import Command, Group

if TYPE_CHECKING:
    from modelport.gateway.settings import GatewaySettings
    from modelport.gateway.source import Source

config_app = typer.Typer(cls=Group, help="Check a config.yaml, or print what it may say.", no_args_is_help=True)


@config_app.command(cls=Command)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A config.yaml, modelport's or LiteLLM's.")],
) -> None:
    """Check a config: read it, import and make its models; nothing is loaded, called or served."""
    from modelport.gateway.config import load_settings
    from modelport.gateway.model_source import sources_of

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    settings = load_settings(file)
    sources = sources_of(settings)
    print(f"{file.name} is right: {_counted(settings)}")
    for line in _table(settings, sources):
        print(line)


@config_app.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of a config.yaml, for editors."""
    from modelport.gateway.config_schema import config_schema

    print(json.dumps(config_schema(), indent=2))


def _counted(settings: GatewaySettings) -> str:
    counts = {
        "model": len(settings.models),
        "alias": len(settings.aliases),
        "handler": len(settings.handlers),
        "key": len(settings.server.keys),
    }
    plural = {"alias": "aliases"}
    parts = [
        f"{count} {name if count == 1 else plural.get(name, f'{name}s')}"
        for name, count in counts.items()
        if count or name == "model"
    ]
    return ", ".join(parts)


def _table(settings: GatewaySettings, sources: dict[str, list[Source]]) -> list[str]:
    rows = [
        (name, source.label, _kinds(source), ", ".join(settings.models[name].fallbacks))
        for name, several in sources.items()
        for source in several
    ]
    rows += [(alias, f"= {target}", "", "") for alias, target in settings.aliases.items()]
    if not rows:
        return []
    titles = ("MODEL", "USE", "ANSWERS", "FALLBACKS")
    columns = [index for index in range(4) if any(row[index] for row in rows)]
    widths = {index: max(len(row[index]) for row in [titles, *rows]) for index in columns}
    return ["  ".join(row[index].ljust(widths[index]) for index in columns).rstrip() for row in [titles, *rows]]


def _kinds(source: Source) -> str:
    return ", ".join(source.kinds()) or "errors only (see above)"
