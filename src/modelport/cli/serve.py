"""`modelport serve`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.gateway.settings import GatewaySettings


def serve(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODULE:ATTR]", help="A model's class or instance, as my_models:MyLLM.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A config.yaml with models and server.")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.  [default: 4000]")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A key that clients may call with; may be repeated.")] = None,
) -> None:
    """Serve models over HTTP in OpenAI's formats."""
    from modelport.gateway.server import serve as run_server

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings = _settings(model, config, host, port, key or [])
    raise typer.Exit(run_server(settings, _say))


def _say(line: str) -> None:
    print(line, flush=True)


def _settings(
    model: str | None, config: Path | None, host: str | None, port: int | None, keys: list[str]
) -> GatewaySettings:
    """Return the config's settings with those of the command line on top."""
    from modelport.gateway.config import load_settings
    from modelport.gateway.settings import GatewaySettings, KeySettings, ModelSettings

    if model is None and config is None:
        raise InputError(
            "there is nothing to serve; name a model (modelport serve my_models:MyLLM) or a config "
            "(modelport serve --config config.yaml)"
        )
    settings = load_settings(config) if config is not None else GatewaySettings()
    if model is not None:
        settings.models[model.rpartition(":")[2]] = ModelSettings(use=model)
    if host is not None:
        settings.server.host = host
    if port is not None:
        if not 0 <= port <= 65535:
            raise InputError(f"--port must be from 0 to 65535, not {port}")
        settings.server.port = port
    settings.server.keys.extend(KeySettings(key=SecretStr(one)) for one in keys)
    return settings
