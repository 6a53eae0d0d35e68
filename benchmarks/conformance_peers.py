"""The wire checks over four servers: modelport's gateway, LiteLLM's proxy, llama.cpp's server and LitServe.

    python benchmarks/conformance_peers.py --peers-python PYTHON --llama-python PYTHON [--findings FILE]

Each is started with the least that its own guide shows, and asked over HTTP. Servers whose packages are not there are
left out, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from gateway_sides import versions_of
from modelport.testing import CheckResult
from modelport.testing.wire import run_wire_checks
from modelport.testing.wire.asking import QUESTION

KEY = "sk-conformance-0001"
READY_SECONDS = 180.0
ANSWER_SECONDS = 120.0
"""How long one answer may take; a model on a slow machine is no finding."""
SHOWN_CHARACTERS = 120
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """One server."""

    name: str
    distributions: Sequence[str]
    """What must be installed, and is printed with its version."""
    arguments: Any
    """Gives what follows the interpreter, from a folder and a port."""
    ready_path: str
    interpreter: str = "peers"
    """`own`, `peers` or `llama`."""
    key: str | None = None
    model: str | None = None
    """The model to ask; None: the first listed one that answers."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def _modelport(folder: Path, port: int) -> Sequence[str]:
    uses = {"echo": "Echo", "vectors": "Vectors", "pixel": "Pixel"}
    models = {name: {"use": f"conformance_models.py:{use}"} for name, use in uses.items()}
    config = {"models": models, "server": {"port": port, "keys": [KEY]}}
    return ["-m", "modelport", "serve", "--config", _written(folder / "modelport.yaml", config)]


def _litellm(folder: Path, port: int) -> Sequence[str]:
    handler = {"provider": "own", "custom_handler": "conformance_litellm.echo"}
    config = {
        "model_list": [{"model_name": "echo", "litellm_params": {"model": "own/echo"}}],
        "litellm_settings": {"custom_provider_map": [handler]},
        "general_settings": {"master_key": KEY},
    }
    path = _written(folder / "litellm.yaml", config)
    start = "from litellm import run_server; run_server()"
    return ["-c", start, "--config", path, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def _written(path: Path, config: Mapping[str, Any]) -> str:
    """Write a config as JSON, which YAML contains."""
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")
    return str(path)


PEERS = (
    Peer("modelport", ["modelport", "uvicorn"], _modelport, "/health/live", "own", key=KEY),
    Peer(
        "LiteLLM",
        ["litellm"],
        _litellm,
        "/health/liveliness",
        key=KEY,
        environment={
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            "LITELLM_LOG": "ERROR",
        },
    ),
    Peer(
        "llama.cpp",
        ["xllamacpp"],
        lambda folder, port: ["conformance_llama.py", str(port), KEY],
        "/health",
        "llama",
        key=KEY,
    ),
    Peer(
        "LitServe",
        ["litserve"],
        lambda folder, port: ["conformance_litserve.py", str(port)],
        "/health",
        model="echo",
    ),
)


@contextmanager
def running(peer: Peer, python: str, folder: Path) -> Generator[str]:
    """Start a server in a process group of its own; gives its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    own_path = os.environ.get("PYTHONPATH", "") if peer.interpreter == "own" else ""
    path = os.pathsep.join(one for one in (str(folder), own_path) if one)
    with (folder / f"{peer.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [python, *peer.arguments(folder, port)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **peer.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}{peer.ready_path}", folder / f"{peer.name}.log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), urlopen(Request(url), timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise SystemExit(f"{url} does not answer:\n{log.read_text(errors='replace')[-1500:]}")


def table_of(found: Mapping[str, Sequence[CheckResult]]) -> str:
    """Return a Markdown table: a line for each group, passed/failed/not applicable for each server."""
    groups = list(dict.fromkeys(result.id.partition(":")[0] for results in found.values() for result in results))
    lines = [
        "| | " + " | ".join(found) + " |",
        "|---|" + "---|" * len(found),
    ]
    for group in [*groups, ""]:
        cells = [_cell([one for one in results if one.id.startswith(group)]) for results in found.values()]
        lines.append(f"| {group.removeprefix('wire-') or '**all**'} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(results: Sequence[CheckResult]) -> str:
    counts = Counter(result.outcome for result in results)
    return f"{counts['pass']} / {counts['fail']} / {counts['not applicable']}"


def findings_of(name: str, results: Sequence[CheckResult]) -> str:
    """Return a server's findings as a Markdown list; what both text endpoints have is one line."""
    failed = {result.id.removeprefix("wire-"): result for result in results if result.outcome == "fail"}
    lines: list[str] = []
    for check_id, result in failed.items():
        twin, label = check_id.replace(":chat:", ":text:"), check_id
        if twin != check_id and twin in failed:
            label = check_id.replace(":chat:", ":chat,text:")
        elif check_id.replace(":text:", ":chat:") in failed and ":text:" in check_id:
            continue
        lines.append(f"- **{label}**: `{_short(result.seen)}`")
    return "\n".join([f"### {name}: {len(failed)} findings", "", *(lines or ["None."])])


def _short(seen: str) -> str:
    text = " ".join(seen.split()).replace("`", "").replace("POST /chat/completions → ", "")
    text = text.replace(QUESTION, f"{QUESTION[:23]} … {QUESTION[-3:]}")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1].rstrip()}…"


def _show(result: CheckResult) -> None:
    """Show that the run goes on."""
    print(f"{result.id}: {result.outcome}", file=sys.stderr, flush=True)


def main() -> None:
    """Start each server, check it, and print the table and the findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", default=sys.executable, help="an interpreter that has litellm and litserve")
    parser.add_argument("--llama-python", default=sys.executable, help="an interpreter that has xllamacpp and weights")
    parser.add_argument("--findings", type=Path, help="write table and findings to this file, too")
    parser.add_argument("--only", nargs="*", help="only these servers, by name")
    chosen = parser.parse_args()
    interpreters = {"own": sys.executable, "peers": chosen.peers_python, "llama": chosen.llama_python}
    found: dict[str, list[CheckResult]] = {}
    lines = [f"{datetime.now(UTC):%Y-%m-%d}"]
    for peer in PEERS:
        python = interpreters[peer.interpreter]
        versions = versions_of(python, peer.distributions)
        if missing := [name for name in peer.distributions if name not in versions]:
            lines.append(f"{peer.name} IS LEFT OUT: {', '.join(missing)} not installed in its interpreter")
            continue
        if chosen.only and peer.name not in chosen.only:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file in HERE.glob("conformance_*.py"):
                shutil.copy(file, folder / file.name)
            started = time.monotonic()
            with running(peer, python, folder) as url:
                found[peer.name] = run_wire_checks(
                    url, key=peer.key, model=peer.model, timeout_seconds=ANSWER_SECONDS, on_result=_show
                )
        has = ", ".join(f"{one} {versions[one]}" for one in peer.distributions)
        lines.append(f"{peer.name}: {has}, Python {versions['python']}, {time.monotonic() - started:.0f} s")
        print(lines[-1], file=sys.stderr, flush=True)
    findings = [findings_of(name, results) for name, results in found.items()]
    text = "\n\n".join(["\n".join(lines), "passed / failed / not applicable", table_of(found), *findings])
    print(text)
    if chosen.findings is not None:
        chosen.findings.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
