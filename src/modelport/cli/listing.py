"""`modelport list`: the models that can be called from here."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelport.cli.terminal import NAME, QUIET, console_on
from modelport.values.errors import InputError, LoadError

if TYPE_CHECKING:
    from modelport.gateway.source import Source

LIST_SECONDS = 15.0
"""How long a server may take to list its models."""
_BUILTIN = {
    "openai": ("chat, embedding, image", 'modelport call openai/gpt-4o-mini "hello" (needs OPENAI_API_KEY)'),
    "openai_compatible": ("chat, embedding, image", 'modelport call NAME "hello" --url http://host/v1 --key KEY'),
    "http": ("chat", "described by templates in a config.yaml, or http/torchserve"),
    "mock": ("chat, embedding, image", 'modelport call mock/any "hello" (answers without a model)'),
}
"""What the providers that come with modelport answer, and how one is called."""


def list_models(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="List the models of this config.yaml.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="List the models of this server: http://host/v1.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="KEY", envvar="MODELPORT_KEY", help="The server's key.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array of objects instead of the table.")
    ] = False,
) -> None:
    """List the models of a config or a server; without either, the providers that are there.

    A config:   modelport list --config config.yaml
    A server:   modelport list --url http://127.0.0.1:4000/v1 --key sk-local
    Providers:  modelport list
    """
    if config is not None and url is not None:
        raise InputError("give --config or --url, not both")
    if config is not None:
        rows = _of_config(config)
    elif url is not None:
        rows = [{"model": name} for name in server_models(url, key)]
    else:
        rows = _providers()
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not rows:
        raise InputError(f"{config or url} has no models")
    _print_table(rows)


def _print_table(rows: Sequence[Mapping[str, str]]) -> None:
    columns = [name for name in rows[0] if any(row.get(name) for row in rows)]
    if sys.stdout.isatty():
        _print_wrapped(columns, rows)
        return
    lines = [[name.upper() for name in columns], *([row.get(name, "") for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _print_wrapped(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Print a table in which what is too long for the terminal goes on in its own column."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=QUIET)
    for index, name in enumerate(columns):
        table.add_column(name.upper(), style=NAME if index == 0 else "", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(Text(row.get(name, "")) for name in columns))
    console_on(sys.stdout).print(table)


def _of_config(config: Path) -> list[dict[str, str]]:
    from modelport.gateway.config import load_settings
    from modelport.gateway.model_source import sources_of

    settings = load_settings(config)
    rows = [
        {"model": name, "use": _uses(several), "answers": _kinds(several)}
        for name, several in sources_of(settings).items()
    ]
    return rows + [{"model": alias, "use": f"= {target}", "answers": ""} for alias, target in settings.aliases.items()]


def _uses(sources: Sequence[Source]) -> str:
    return ", ".join(dict.fromkeys(source.label for source in sources))


def _kinds(sources: Sequence[Source]) -> str:
    return ", ".join(dict.fromkeys(kind for source in sources for kind in source.kinds()))


def server_models(url: str, key: str | None) -> list[str]:
    """Return the names of a server's models.

    Raises:
        InputError: It cannot be reached, refuses the key, or its answer is no list of models.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from modelport.cli.addresses import check_url

    check_url(url)
    address = f"{url.rstrip('/')}/models"
    request = Request(address, headers={"Authorization": f"Bearer {key}"} if key else {})  # noqa: S310 - checked above
    try:
        with urlopen(request, timeout=LIST_SECONDS) as answer:  # noqa: S310 - as above
            body: Any = json.load(answer)
    except HTTPError as error:
        error.close()  # it holds the connection
        hint = "; give the server's key with --key" if error.code in (401, 403) else ""
        if error.code == 404:
            hint = "; an OpenAI-compatible server's address ends with /v1"
        raise InputError(f"{address} answers with status {error.code}{hint}") from None
    except (URLError, OSError) as error:
        raise InputError(f"{url} cannot be reached: {getattr(error, 'reason', error)}; does the server run?") from None
    except HTTPException:
        raise InputError(f"{url} does not speak HTTP; is it the right port?") from None
    except ValueError:
        raise InputError(f"{address} does not answer with JSON; is this the server's address up to /v1?") from None
    try:
        return [str(entry["id"]) for entry in body["data"]]
    except (KeyError, TypeError):
        raise InputError(
            f"{address} does not answer with a list of models; is this the server's address up to /v1?"
        ) from None


def _providers() -> list[dict[str, str]]:
    from modelport.registry.providers import provider_names

    rows: list[dict[str, str]] = []
    for name in provider_names():
        answers, example = _BUILTIN.get(name) or (_answers_of(name), f'modelport call {name}/MODEL "hello"')
        rows.append({"provider": name, "answers": answers, "example": example})
    return rows


def _answers_of(name: str) -> str:
    """Return what a provider of a package, or a registered one, answers; it is loaded for that."""
    from modelport.cli.addresses import Addressed
    from modelport.registry.provider import FactoryProvider
    from modelport.registry.providers import resolve

    try:
        target = resolve(f"{name}/any")
    except (InputError, LoadError) as error:
        return f"cannot be loaded: {error}"
    if isinstance(target.source, FactoryProvider):
        return "what its package says"
    return ", ".join(Addressed(target, {}).kinds())
