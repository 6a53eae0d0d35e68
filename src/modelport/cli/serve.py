"""`modelport serve`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from modelport.values.errors import InputError

LOG_LEVELS = ("debug", "info", "warning", "error")


def serve(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE:ATTR",
            help="A model's class or instance: my_models:MyLLM, or path/to/my_models.py:MyLLM.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="A config.yaml with models and server, or LiteLLM's."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="The address to listen on; 0.0.0.0 lets other machines in. (default: 127.0.0.1)"
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="The port to listen on; 0 takes a free one. (default: 4000)")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A key that clients may call with; may be repeated."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="How many processes serve; each loads the models. (default: 1)"),
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Take over the config and the models' files whenever they change.")
    ] = False,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help=f"What is logged at least: {', '.join(LOG_LEVELS)}.")
    ] = "info",
) -> None:
    """Serve models over HTTP in OpenAI's formats.

    One model:   modelport serve my_models:MyLLM
    Several:     modelport serve --config config.yaml

    It prints its address, its models and a line to try. Ctrl-C or SIGTERM lets open requests finish and ends it; a
    second one ends it at once. SIGHUP reads the config again.
    """
    from modelport.gateway.launch import serve as run_gateway
    from modelport.gateway.options import ServeOptions
    from modelport.gateway.worker import LOG_FORMAT

    if log_level.lower() not in LOG_LEVELS:
        raise InputError(f"--log-level must be one of {', '.join(LOG_LEVELS)}, not {log_level!r}")
    logging.basicConfig(level=log_level.upper(), format=LOG_FORMAT)
    options = ServeOptions(model=model, config=config, host=host, port=port, keys=tuple(key or ()), workers=workers)
    raise typer.Exit(run_gateway(options, _say, watch=reload))


def _say(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError:
        # Whoever started it reads no further; a server goes on, and what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
