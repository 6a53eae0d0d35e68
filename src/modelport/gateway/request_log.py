"""One line of JSON for each request: who, which model, how many tokens, how long; no prompt, no secret.

The loop only makes the line. A thread writes: a terminal that stands still or a full pipe must not stop the server.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Protocol, cast

import msgspec

from modelport.gateway.record import RequestRecord
from modelport.wire.json_text import encode_line

MAX_LINES = 10_000
"""How many lines wait at most for a file that takes none; more are counted and dropped."""
GATHERING_SECONDS = 0.05
"""How long lines gather before they are written together."""
LINES_PER_WRITE = 1000
RETRY_SECONDS = 0.01
"""How long the thread rests when a pipe that does not block is full."""


class BinaryFile(Protocol):
    """Is what lines are written to."""

    def write(self, data: bytes, /) -> int | None:
        """Take bytes; return how many were taken, None for none of them yet."""
        ...

    def flush(self) -> object:
        """Pass on what was taken."""
        ...


class _Line(msgspec.Struct, gc=False):
    time: datetime
    request_id: str
    key_id: str | None
    endpoint: str
    model: str | None
    deployment: str | None
    stream: bool
    status: int
    error_type: str | None
    prompt_tokens: int
    completion_tokens: int
    first_token_ms: float | None
    queue_ms: float
    total_ms: float


class _DroppedLines(msgspec.Struct, gc=False):
    time: datetime
    event: str
    lines: int


class _Mark:
    """Is a place between lines: set when all before it is written."""

    __slots__ = ("is_last", "reached")

    def __init__(self, *, is_last: bool) -> None:
        self.is_last = is_last
        self.reached = threading.Event()


class RequestLog:
    """Writes one line of JSON for each request, in blocks, from a thread of its own."""

    def __init__(self, file: BinaryFile | None = None, *, max_lines: int = MAX_LINES) -> None:
        """Make a log; its thread starts with the first line.

        Args:
            file: Where the lines go; None: standard error, unbuffered.
            max_lines: How many lines wait at most.
        """
        self._file = file if file is not None else _standard_error()
        self._max_lines = max_lines
        self._waiting: deque[bytes | _Mark] = deque()
        self._dropped = 0
        self._refused = 0
        self._said = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def dropped_lines(self) -> int:
        """How many lines were dropped since the start: because too many waited, or the file refused them."""
        return self._dropped + self._refused

    def write(self, record: RequestRecord) -> None:
        """Take the line of a request that is over; never wait. Called on one loop."""
        waiting = self._waiting
        if len(waiting) >= self._max_lines:
            self._dropped += 1
            return
        started, first_token_at = record.started, record.first_token_at
        line = _Line(
            datetime.fromtimestamp(time.time(), UTC),
            record.request_id,
            record.key_id,
            record.endpoint,
            record.model,
            record.deployment,
            record.stream,
            record.status,
            record.error_type,
            record.prompt_tokens,
            record.completion_tokens,
            # Cut to microseconds; `round` takes five times as long.
            int((first_token_at - started) * 1_000_000) / 1000 if first_token_at else None,
            int(record.queue_seconds * 1_000_000) / 1000,
            int((record.ended - started) * 1_000_000) / 1000,
        )
        waiting.append(encode_line(line))
        if not self._wake.is_set():
            self._start()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all lines are written, `timeout` seconds at most, and tell whether they are; blocks."""
        return self._wait_for(_Mark(is_last=False), timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Do as `flush`, and end the thread; a later line starts another."""
        thread = self._thread
        is_written = self._wait_for(_Mark(is_last=True), timeout)
        if thread is not None and is_written:
            thread.join(timeout)
        return is_written

    def _wait_for(self, mark: _Mark, timeout: float) -> bool:
        if self._thread is None:
            return True
        self._waiting.append(mark)
        self._hurry.set()
        self._wake.set()
        return mark.reached.wait(timeout)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="modelport-request-log", daemon=True)
            self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        """Write what waits, whenever something does; ends at a last mark."""
        while True:
            self._wake.wait()
            self._hurry.wait(GATHERING_SECONDS)
            # Cleared before the lines are taken: one that comes later wakes the thread again.
            self._wake.clear()
            self._hurry.clear()
            while self._waiting:
                lines, mark = self._next_block()
                self._write_block(lines)
                if mark is None:
                    continue
                if mark.is_last:
                    self._thread = None
                    self._wake.clear()
                mark.reached.set()
                if mark.is_last:
                    return

    def _next_block(self) -> tuple[list[bytes], _Mark | None]:
        lines: list[bytes] = []
        while self._waiting and len(lines) < LINES_PER_WRITE:
            entry = self._waiting.popleft()
            if isinstance(entry, _Mark):
                return lines, entry
            lines.append(entry)
        return lines, None

    def _write_block(self, lines: list[bytes]) -> None:
        """Write some lines, and when they went through, how many others did not."""
        if not lines:
            return
        try:
            self._write_bytes(b"\n".join([*lines, b""]))
            if (dropped := self.dropped_lines) != self._said:
                note = _DroppedLines(datetime.now(UTC), "request_log_lines_dropped", dropped - self._said)
                self._write_bytes(encode_line(note) + b"\n")
                self._said = dropped
        except (OSError, ValueError):
            # A closed pipe or file: the server goes on without its log.
            self._refused += len(lines)

    def _write_bytes(self, rest: bytes) -> None:
        while rest:
            try:
                taken = self._file.write(rest)
            except BlockingIOError as error:
                taken = error.characters_written or None
            if taken is None:
                time.sleep(RETRY_SECONDS)
            else:
                rest = rest[taken:]
        self._file.flush()


def _standard_error() -> BinaryFile:
    """Return what is below standard error's buffer: a thread that holds the buffer's lock would abort the exit."""
    buffer = cast("io.BufferedWriter", sys.stderr.buffer)
    return cast("BinaryFile", getattr(buffer, "raw", buffer))
