"""A side's server: a process tree on a core of its own, paused while it is not its turn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway_sides import Side
from gateway_tokens import KEY

TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 90.0
"""How long a server may take until it serves."""
SETTLED_SHARE, SETTLE_SECONDS, LONGEST_SETTLE_SECONDS = 0.1, 0.2, 10.0
"""A server that uses less of its core than this share over so long has ended what it was asked before."""
TAIL_CHARACTERS = 1_500


class NotServingError(Exception):
    """Says that a server did not start, or died."""


@dataclass(frozen=True)
class Cores:
    """Where servers run, and where the load client does."""

    server: int
    client: int

    @classmethod
    def available(cls) -> Cores:
        """The first and the last core that this process may use: one and the same where there is only one."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1])

    def pin_client(self) -> None:
        """Keep this process on the client's core."""
        os.sched_setaffinity(0, {self.client})


class Server:
    """One side's running process."""

    def __init__(self, side: Side, python: str, folder: Path, cores: Cores) -> None:
        self.side = side
        self.port = _free_port()
        self.ready_seconds = 0.0
        """From the start of the process to its first 200."""
        self._python = python
        self._folder = folder
        self._cores = cores
        self._log = folder / f"{side.name}.log"
        self._start()

    def _start(self) -> None:
        started = time.monotonic()
        with self._log.open("ab") as log:
            # A child is born with the affinity of whom it is made by.
            os.sched_setaffinity(0, {self._cores.server})
            try:
                self._process = subprocess.Popen(
                    [self._python, *self.side.arguments(self._folder, self.port)],
                    cwd=self._folder,
                    env=_environment(self.side, self._folder),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            finally:
                self._cores.pin_client()
        try:
            self._wait_until_ready(started)
        except BaseException:
            self.stop()
            raise
        self.ready_seconds = time.monotonic() - started

    def _wait_until_ready(self, started: float) -> None:
        while time.monotonic() < started + READY_SECONDS:
            if self._process.poll() is not None:
                raise NotServingError(f"{self.side.name} ended with status {self._process.returncode}:\n{self.tail()}")
            if _is_ready(self.port, self.side.ready_path):
                return
            time.sleep(0.005)
        raise NotServingError(f"{self.side.name} did not serve within {READY_SECONDS:g} s:\n{self.tail()}")

    def tail(self) -> str:
        """Return the end of what the server wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-TAIL_CHARACTERS:]

    def cpu_seconds(self) -> float:
        """Return the processor time that the process tree has used."""
        return sum(_cpu_seconds(one) for one in _tree(self._process.pid))

    def cores_seconds(self) -> tuple[float, float]:
        """Return the time that the server's core and the client's have worked, for whomever."""
        return _core_seconds(self._cores.server), _core_seconds(self._cores.client)

    def resident_mb(self) -> float:
        """Return the memory of the process tree that is in RAM, in MB; what processes share counts for each."""
        return sum(_resident_mb(one) for one in _tree(self._process.pid))

    def pause(self) -> None:
        """Stop the whole tree where it is."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGCONT)

    def settle(self) -> bool:
        """Wait until it has nothing left to do, but not forever; return whether that came."""
        end = time.monotonic() + LONGEST_SETTLE_SECONDS
        while time.monotonic() < end:
            before = self.cpu_seconds()
            time.sleep(SETTLE_SECONDS)
            if self.cpu_seconds() - before < SETTLED_SHARE * SETTLE_SECONDS:
                return True
        return False

    @contextmanager
    def turn(self) -> Generator[None]:
        """Let it run for one measurement; one that goes on working for clients that left is started anew."""
        self.resume()
        try:
            self.settle()
            yield
        finally:
            if not self.settle():
                self.stop()
                self._start()
                self.settle()
            self.pause()

    def stop(self) -> None:
        """End the process tree."""
        self.resume()
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self.side.stop_seconds)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _environment(side: Side, folder: Path) -> dict[str, str]:
    ours = [] if side.is_peer else [os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(one for one in (str(folder), *ours) if one)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **side.environment}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _is_ready(port: int, path: str) -> bool:
    # LitServe wants a key here too.
    asked = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {KEY}\r\nconnection: close\r\n\r\n".encode()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(asked)
        return connection.recv(64).startswith(b"HTTP/1.1 200")
    return False


def _tree(root: int) -> list[int]:
    """The process and all below it."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                waiting.extend(map(int, children.read_text().split()))
    return found


def _core_seconds(core: int) -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, fields[:8])
            return (user + nice + system + interrupts + soft + stolen) / TICKS
    return 0.0


def _cpu_seconds(process_id: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def _resident_mb(process_id: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def check_system() -> None:
    """Refuse systems without what is measured with.

    Raises:
        SystemExit: There is no /proc, or processes cannot be pinned.
    """
    if not hasattr(os, "sched_setaffinity") or not Path("/proc/self/stat").exists():
        raise SystemExit(f"this benchmark pins processes and reads /proc, which needs Linux, not {sys.platform!r}")
