"""Runs the programs of clients that are installed beside the tests, and reads what each of their scenarios gave."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "programs"
CLIENTS = Path(sys.prefix) / "clients" / "bin"
NODE_PACKAGES = Path(sys.prefix) / "clients-node"
RUN_SECONDS = 100
_QUIET = {
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "NO_PROXY": "127.0.0.1",
}
_HOW = "run `make test-clients`"


def need_clients() -> None:
    """Skip a test where the other clients for Python are not installed."""
    if not (Path(sys.prefix) / ".clients").exists():
        pytest.skip(f"langchain-openai and litellm are not installed: {_HOW}")


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return what a client's process gets: the paths of our own interpreter are none of theirs."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**inherited, **_QUIET, **more}


def outcomes_of(client: str, inputs: Mapping[str, Any], *, url: str = "", key: str = "") -> dict[str, Any]:
    """Run a client's program; return what its scenarios gave."""
    here = {"GATEWAY_URL": url, "GATEWAY_KEY": key, "INPUTS": json.dumps(inputs), "PACKAGES": str(NODE_PACKAGES)}
    run = subprocess.run(
        _command_of(client),
        env=environment(here),
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.rstrip("\n").rpartition("\n")[2])


def _command_of(client: str) -> list[str]:
    if client == "openai_node":
        node = shutil.which("node")
        if node is None:
            pytest.skip(f"Node is not installed: install Node 20 or newer, then {_HOW}")
        if not (Path(sys.prefix) / ".clients-node").exists():
            pytest.skip(f"the openai package for Node is not installed: {_HOW}")
        return [node, str(PROGRAMS / "openai_node.mjs")]
    need_clients()
    return [str(CLIENTS / "python"), str(PROGRAMS / f"{client}.py")]
