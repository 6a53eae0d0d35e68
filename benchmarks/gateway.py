"""What a request through the gateway costs, beside other servers and the floor: a bare ASGI app.

    pip install 'litellm[proxy]' litserve fastapi granian hypercorn uvicorn uvloop httptools msgspec
    python benchmarks/gateway.py [--quick] [--only NAME] [--side NAME] [--peers-python PYTHON]
    python benchmarks/gateway.py --servers [--quick]

Every side is a real server on one core; the load client runs on another one. All check the same key and answer the
same 200 bytes. They take turns in every round, paused in between; the median counts, of those rounds in which other
processes were least busy. Rows: JSON at four concurrencies, streams of 200 tokens without delay, timed models with
many streams, start-up and memory. `--servers` compares the servers that could carry the gateway, under the same bare
app. Peers are best installed into an environment of their own; what is not installed is left out. A target that is
missed is printed as such and fails nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import uvloop

import gateway_memory
import gateway_rows
import gateway_servers
from gateway_load import Pace
from gateway_process import Cores, NotServingError, Server, check_system
from gateway_sides import SIDES, Side, columns_of, copy_handlers, installed
from gateway_table import Line, print_heading, print_line, print_summary
from table import FLOOR, OURS

FULL = Pace(5, warm_seconds=0.5, sample_seconds=2.0, longest_seconds=15.0, ramp_seconds=1.0, window_seconds=4.0)
QUICK = Pace(2, warm_seconds=0.3, sample_seconds=0.7, longest_seconds=6.0, ramp_seconds=1.0, window_seconds=1.5)
FULL_MEMORY = gateway_memory.Amount(starts=5, requests=100_000, longest_seconds=60)
QUICK_MEMORY = gateway_memory.Amount(starts=2, requests=10_000, longest_seconds=8)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples: rough")
    parser.add_argument("--only", action="append", metavar="NAME", help="only rows whose name contains NAME")
    parser.add_argument("--side", action="append", choices=list(SIDES), help="only this side, besides modelport")
    parser.add_argument("--peers-python", default=sys.executable, metavar="PYTHON", help="the interpreter of the peers")
    parser.add_argument("--servers", action="store_true", help="compare the servers under the floor instead")
    return parser.parse_args(arguments)


def _end(_number: int, _frame: object) -> None:
    sys.exit(1)


def _wanted_sides(options: argparse.Namespace) -> list[Side]:
    if options.servers:
        return gateway_servers.SERVERS
    names = SIDES if options.side is None else [OURS, *options.side]
    return [side for name, side in SIDES.items() if name in names]


def _raise_file_limit() -> None:
    """Allow as many open connections as there may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _print_setting(lines: Sequence[str], cores: Cores, pace: Pace) -> None:
    for line in lines:
        print(line)
    print(f"client: {platform.python_implementation()} {platform.python_version()}, uvloop {uvloop.__version__}")
    print(
        f"{platform.system()} {platform.machine()}; servers on core {cores.server}, the client on core {cores.client};"
        f" TCP over loopback"
    )
    if cores.server == cores.client:
        print("THERE IS ONE CORE ONLY: servers and client share it, so absolute values say little.")
    print(f"The sides in turns, {pace.rounds} rounds of {pace.sample_seconds:g} s; medians of the quieter half.")
    print(f"{FLOOR} = a bare ASGI app on uvicorn; '/side' = {OURS}'s value over the side's.", flush=True)


class _Benchmark:
    """Starts sides and measures rows."""

    def __init__(self, sides: Sequence[Side], options: argparse.Namespace, folder: Path, cores: Cores) -> None:
        self._sides = {side.name: side for side in sides}
        self._peers_python: str = options.peers_python
        self._names: list[str] = [name.lower() for name in options.only or [""]]
        self._is_quick: bool = options.quick
        self._compares_servers: bool = options.servers
        self._rows = gateway_rows.SERVER_ROWS if options.servers else gateway_rows.ROWS
        self._pace = QUICK if options.quick else FULL
        self._folder = folder
        self._cores = cores

    def start(self, name: str) -> Server:
        """Start a side's server."""
        side = self._sides[name]
        return Server(side, self._peers_python if side.is_peer else sys.executable, self._folder, self._cores)

    def wants(self, name: str) -> bool:
        """Whether a row is asked for."""
        return any(wanted in name.lower() for wanted in self._names)

    def memory_lines(self, runner: asyncio.Runner) -> list[Line]:
        """Measure and print start-up and memory, where they are asked for."""
        with_load = self.wants(gateway_memory.MEMORY) and not self._compares_servers
        if not with_load and not self.wants(gateway_memory.START):
            return []
        print_heading("start and memory, each side alone", list(self._sides))
        amount = QUICK_MEMORY if self._is_quick else FULL_MEMORY
        lines, notes = gateway_memory.measured(
            list(self._sides), self.start, runner.run, amount, self._pace, with_load=with_load
        )
        for line in lines:
            print_line(line, list(self._sides))
        _print_notes(notes)
        return lines

    def load_lines(self, runner: asyncio.Runner) -> list[Line]:
        """Measure and print the rows of load that are asked for."""
        rows = [row for row in self._rows if self.wants(row.name)]
        if not rows:
            return []
        lines: list[Line] = []
        with ExitStack() as stack:
            servers = self._started(stack)
            columns = columns_of(list(servers))
            names = [column.name for column in columns]
            print_heading("load, the sides in turns", names)
            for row in rows:
                found, notes = runner.run(gateway_rows.measured(row, columns, servers, self._pace))
                for line in found:
                    print_line(line, names)
                _print_notes(notes)
                lines += found
            if self._compares_servers:
                for line in runner.run(gateway_servers.leaving_lines(servers, self._pace.rounds)):
                    print_line(line, names)
        return lines

    def _started(self, stack: ExitStack) -> dict[str, Server]:
        servers: dict[str, Server] = {}
        for name in self._sides:
            try:
                server = self.start(name)
            except NotServingError as error:
                print(f"{name} IS LEFT OUT: {error}", flush=True)
                continue
            stack.callback(server.stop)
            server.settle()
            server.pause()
            servers[name] = server
        return servers


def _print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        print(f"  ! {note}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints every row that is asked for."""
    options = _arguments(arguments)
    check_system()
    _raise_file_limit()
    # Servers must not outlive a benchmark that is told to end.
    signal.signal(signal.SIGTERM, _end)
    started, cores = perf_counter(), Cores.available()
    cores.pin_client()
    sides, releases = installed(_wanted_sides(options), options.peers_python)
    _print_setting(releases, cores, QUICK if options.quick else FULL)
    with (
        tempfile.TemporaryDirectory(prefix="gateway-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        copy_handlers(Path(folder))
        benchmark = _Benchmark(sides, options, Path(folder), cores)
        lines = [*benchmark.memory_lines(runner), *benchmark.load_lines(runner)]
    if not options.servers:
        print_summary(lines)
    print(f"Took {perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
