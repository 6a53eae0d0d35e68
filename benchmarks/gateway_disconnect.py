"""How soon a model hears that its client has left: from the client's close to the model's own clock.

    python benchmarks/gateway_disconnect.py                # with 200 other streams open
    python benchmarks/gateway_disconnect.py --others 0

One real server; the models would work for ten seconds. Sync hooks ask `run_manager.cancelled`, or yield, every
millisecond: that is part of their figures.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

MODELS = """
import asyncio, os, time
from modelport import LLM, CustomLLM

pipe = os.open(os.environ["SAID"], os.O_WRONLY)

def say(what):
    os.write(pipe, f"{what} {time.monotonic()}\\n".encode())

async def work():
    say("running")
    try:
        await asyncio.sleep(10)
        say("finished")
    except asyncio.CancelledError:
        say("stopped")
        raise

class Model(LLM):
    chat_template: str | None = "last"

class AsyncCall(Model):
    async def _acall(self, prompt):
        await work()
        return "done"

class SyncCall(Model):
    def _call(self, prompt, run_manager):
        say("running")
        for _ in range(10_000):
            if run_manager.cancelled:
                say("stopped")
                return "too late"
            time.sleep(0.001)
        return "done"

class AsyncStream(Model):
    async def _astream(self, prompt):
        yield "first"
        await work()

class SyncStream(Model):
    def _stream(self, prompt):
        say("running")
        try:
            for _ in range(10_000):
                yield "x"
                time.sleep(0.001)
        except GeneratorExit:
            say("stopped")
            raise

class Handler(CustomLLM):
    async def acompletion(self, *args, **kwargs):
        await work()
        return "done"

    async def astreaming(self, *args, **kwargs):
        yield {"text": "first"}
        await work()

class Others(Model):
    async def _astream(self, prompt):
        while True:
            yield "x"
            await asyncio.sleep(0.02)
"""
NAMES = ("AsyncCall", "SyncCall", "AsyncStream", "SyncStream", "Handler")
LIMIT_MS = 100.0
"""A model is to be stopped within that."""


class Said:
    """Reads what the model says, line by line."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._lines: list[bytes] = []

    def next(self) -> tuple[str, float]:
        """Wait for the next thing that is said: what, and when."""
        while not self._lines:
            if not select.select([self._pipe], [], [], 20)[0]:
                raise TimeoutError("the model says nothing")
            self._lines += os.read(self._pipe, 4096).splitlines()
        what, when = self._lines.pop(0).decode().split()
        return what, float(when)


def asked(port: int, model: str, *, stream: bool) -> socket.socket:
    """Ask a model, and do not wait."""
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "x"}]}).encode()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    return connection


def stopped_after_ms(port: int, said: Said, model: str, *, stream: bool) -> float:
    """Ask, leave when the model runs, and return how long it ran on."""
    connection = asked(port, model, stream=stream)
    what, _ = said.next()
    assert what == "running", what
    time.sleep(0.02)
    left_at = time.monotonic()
    connection.close()
    what, when = said.next()
    assert what == "stopped", what
    return (when - left_at) * 1000


@contextmanager
def served() -> Generator[tuple[int, Said]]:
    """Run a server; give its port, and what its models say."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "models.py").write_text(MODELS, encoding="utf-8")
        lines = [f"  {one}: {{use: 'models:{one}'}}" for one in (*NAMES, "Others")]
        (folder / "config.yaml").write_text("\n".join(["models:", *lines]), encoding="utf-8")
        said = Said(folder / "said")
        server = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "modelport", "serve", "--config", "config.yaml", "--port", "0"],
                cwd=folder,
                env={**os.environ, "SAID": str(folder / "said")},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        stack.callback(server.kill)
        assert server.stdout is not None
        yield int(server.stdout.readline().split()[2].removesuffix("/v1").rpartition(":")[2]), said


def main() -> int:
    """Print a line for each model; return 1 when one was stopped too late."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="how often each is left")
    parser.add_argument("--others", type=int, default=200, help="how many other streams are open meanwhile")
    options = parser.parse_args()
    worst = 0.0
    with served() as (port, said):
        others = [asked(port, "Others", stream=True) for _ in range(options.others)]
        print(f"from the client's close to the model's stop, in ms; {options.rounds} times, {len(others)} others open")
        for name in NAMES:
            for stream in (False, True):
                times = sorted(stopped_after_ms(port, said, name, stream=stream) for _ in range(options.rounds))
                worst = max(worst, times[-1])
                kind = "streaming" if stream else "whole"
                print(f"{name:<12} {kind:<10} median {median(times):6.2f}   most {times[-1]:6.2f}", flush=True)
        for other in others:
            other.close()
    return 0 if worst <= LIMIT_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
