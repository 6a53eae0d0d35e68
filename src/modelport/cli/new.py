"""`modelport new`: a small project to begin with."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ModelKind(StrEnum):
    """Says what kind of model to begin with."""

    text = "text"
    chat = "chat"
    handler = "handler"
    embedding = "embedding"


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What to call it: small letters, digits and '-'.", show_default=False)
    ],
    kind: Annotated[
        ModelKind,
        typer.Option(
            metavar="KIND",
            help="What it does: text (a prompt in, text out), chat (messages in), handler (a LiteLLM custom handler), "
            "embedding (vectors).",
        ),
    ] = ModelKind.text,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-d", metavar="FOLDER", help="Where to make it. (default: ./NAME)"),
    ] = None,
) -> None:
    """Make a project with a model, its tests, and how it is served.

    A text model:  modelport new my-model
    A chat model:  modelport new my-chat --kind chat
    Then:          cd my-model && make test && make serve

    Nothing that is there is overwritten.
    """
    from modelport.cli.project import Project

    project = Project.named(name, kind.value, directory)
    for file in project.write():
        print(f"  {file}")
    print()
    for line in project.next_steps():
        print(line)
