"""The sides of the gateway benchmark: how each server is started, what must be installed, what it is asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway_tokens import DELAYS_SECONDS, ECHO, KEY, SYNC
from table import FLOOR, OURS

GRANIAN, FASTAPI, LITSERVE, LITELLM = "granian", "FastAPI", "LitServe", "LiteLLM"
OURS_SYNC = "(sync hook)"
"""The column of modelport's model with a sync hook."""
HANDLERS = ("tokens", "floor", "models", "litellm", "litserve", "fastapi")
"""The modules that servers import; they stand in the folder that servers run in."""

UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", "--log-level", "warning", "--no-access-log")
FAST = ("--loop", "uvloop", "--http", "httptools")
GRANIAN_OPTIONS = (
    "--interface",
    "asgi",
    "--host",
    "127.0.0.1",
    "--loop",
    "uvloop",
    "--no-ws",
    "--log-level",
    "warning",
)


@dataclass(frozen=True)
class Side:
    """One server."""

    name: str
    distributions: Sequence[str]
    """What must be installed; the versions of these are printed."""
    arguments: Callable[[Path, int], Sequence[str]]
    """What follows the interpreter, from the folder that it runs in and the port."""
    ready_path: str = "/health/live"
    """Answers 200 once the server serves."""
    is_peer: bool = True
    """Whether it runs on the peers' interpreter."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_seconds: float = 5.0
    """How long it may take to end when it is told to."""


@dataclass(frozen=True)
class Column:
    """A side and the model that it is asked for where there is no delay."""

    name: str
    side: str
    model: str = ECHO


def _modelport(folder: Path, port: int) -> Sequence[str]:
    paced = {name: {"use": "gateway_models.py:Paced", "params": {"delay_seconds": d}} for name, d in _delays()}
    models: dict[str, Any] = {
        ECHO: {"use": "gateway_models.py:Echo"},
        SYNC: {"use": "gateway_models.py:SyncEcho"},
        **paced,
    }
    config = _written(folder / "modelport.yaml", {"models": models, "server": {"port": port, "keys": [KEY]}})
    return ["-m", "modelport", "serve", "--config", config]


def _litellm(folder: Path, port: int) -> Sequence[str]:
    names = [ECHO, *DELAYS_SECONDS]
    handler = {"provider": "bench", "custom_handler": "gateway_litellm.echo"}
    config = {
        "model_list": [{"model_name": name, "litellm_params": {"model": f"bench/{name}"}} for name in names],
        "litellm_settings": {"custom_provider_map": [handler]},
        "general_settings": {"master_key": KEY},
    }
    start = "from litellm import run_server; run_server()"
    path = _written(folder / "litellm.yaml", config)
    return ["-c", start, "--config", path, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def _delays() -> Sequence[tuple[str, float]]:
    return list(DELAYS_SECONDS.items())


def _written(path: Path, config: Mapping[str, Any]) -> str:
    """Write a config as JSON, which YAML contains."""
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")
    return str(path)


def uvicorn_arguments(app: str, *options: str) -> Callable[[Path, int], Sequence[str]]:
    """Return what starts an app under uvicorn."""
    return lambda _folder, port: [*UVICORN, *options, "--port", str(port), app]


def granian_arguments(_folder: Path, port: int) -> Sequence[str]:
    """Return what starts the floor under granian."""
    return ["-m", "granian", *GRANIAN_OPTIONS, "--port", str(port), "gateway_floor:app"]


SIDES = {
    side.name: side
    for side in (
        Side(OURS, ["modelport", "uvicorn"], _modelport, is_peer=False),
        Side(
            FLOOR,
            ["uvicorn", "uvloop", "httptools", "msgspec"],
            uvicorn_arguments("gateway_floor:app", *FAST),
            is_peer=False,
        ),
        Side(GRANIAN, ["granian", "uvloop", "msgspec"], granian_arguments),
        Side(FASTAPI, ["fastapi", "uvicorn", "pydantic"], uvicorn_arguments("gateway_fastapi:app", *FAST)),
        Side(
            LITSERVE,
            ["litserve"],
            lambda _folder, port: ["gateway_litserve.py", str(port)],
            ready_path="/health",
            environment={"LIT_SERVER_API_KEY": KEY},
        ),
        Side(
            LITELLM,
            ["litellm"],
            _litellm,
            ready_path="/health/liveliness",
            environment={
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
                "LITELLM_LOG": "ERROR",
            },
        ),
    )
}
"""All of them, in the order of the table."""


def columns_of(names: Sequence[str]) -> list[Column]:
    """Return the table's columns for some sides."""
    columns: list[Column] = []
    for name in names:
        columns.append(Column(name, name))
        if name == OURS:
            columns.append(Column(OURS_SYNC, name, SYNC))
    return columns


def copy_handlers(folder: Path) -> None:
    """Copy what servers import into the folder that they run in, so that nothing else of ours is on their path."""
    for name in HANDLERS:
        file = Path(__file__).with_name(f"gateway_{name}.py")
        shutil.copy(file, folder / file.name)


_ASKING = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def versions_of(python: str, distributions: Sequence[str]) -> dict[str, str]:
    """Return the versions of those distributions that an interpreter has, and its own as `python`."""
    asked = subprocess.run([python, "-c", _ASKING, *distributions], capture_output=True, text=True, check=False)
    if asked.returncode:
        raise SystemExit(f"{python!r} is no Python that starts: {asked.stderr.strip()[-300:]}")
    return json.loads(asked.stdout)


def installed(sides: Sequence[Side], peers_python: str) -> tuple[list[Side], list[str]]:
    """Return the sides whose packages are there, and a line about each side: its versions, or that it is left out."""
    found: list[Side] = []
    lines: list[str] = []
    for side in sides:
        python = peers_python if side.is_peer else sys.executable
        versions = versions_of(python, side.distributions)
        missing = [name for name in side.distributions if name not in versions]
        if missing:
            lines.append(f"{side.name} IS LEFT OUT: {', '.join(missing)} not installed in its interpreter")
        else:
            found.append(side)
            has = ", ".join(f"{name} {versions[name]}" for name in side.distributions)
            lines.append(f"{side.name}: {has}, Python {versions['python']}")
    return found, lines
