"""One line of JSON for each request: who, which model, how many tokens, how long; no prompt, no secret.

The loop only hands over the facts. A thread makes and writes the lines, some at a time so that the loop gets its turn:
many alike in a row take half the time, and a terminal that stands still, or a full pipe, must not stop the server.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Protocol, TextIO, cast

import msgspec

from modelport.gateway.record import RequestRecord
from modelport.wire.json_text import encode_line

MAX_LINES = 10_000
"""How many lines wait at most for a file that takes none; more are counted and dropped."""
GATHERING_SECONDS = 0.05
"""How long lines gather before they are written together."""
LINES_PER_WRITE = 100
MAX_NAMES = 1000
"""How many names of keys, models and the like are kept as they are written."""
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


_LINE = (
    b'{"time":"%b.%06dZ","request_id":%b,"key_id":%b,"endpoint":%b,"model":%b,"deployment":%b,"stream":%b,'
    b'"status":%d,"error_type":%b,"prompt_tokens":%d,"completion_tokens":%d,"first_token_ms":%b,"queue_ms":%.3f,'
    b'"total_ms":%.3f}\n'
)


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
        self._waiting: deque[RequestRecord | _Mark] = deque()
        self._dropped = 0
        self._refused = 0
        self._said = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._texts: dict[str | None, bytes] = {}
        self._second = 0
        self._second_text = b""
        self._wall_clock_ahead = 0.0

    @property
    def dropped_lines(self) -> int:
        """How many lines were dropped since the start: because too many waited, or the file refused them."""
        return self._dropped + self._refused

    def write(self, record: RequestRecord) -> None:
        """Take a request that is over, and whose record does not change any more; never wait. Called on one loop."""
        waiting = self._waiting
        if len(waiting) >= self._max_lines:
            self._dropped += 1
            return
        waiting.append(record)
        if not self._wake.is_set():
            self._start()

    def _line_of(self, record: RequestRecord) -> bytes:
        """Return a record's line: what is the same in many lines is encoded once."""
        now = self._wall_clock_ahead + (record.ended or record.started)
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        started, first_token_at = record.started, record.first_token_at
        text = self._text_of
        return _LINE % (
            self._second_text,
            (now - second) * 1_000_000,
            encode_line(record.request_id),
            text(record.key_id),
            text(record.endpoint),
            text(record.model),
            text(record.deployment),
            b"true" if record.stream else b"false",
            record.status,
            text(record.error_type),
            record.prompt_tokens,
            record.completion_tokens,
            b"%.3f" % ((first_token_at - started) * 1000) if first_token_at else b"null",
            record.queue_seconds * 1000,
            (record.ended - started) * 1000,
        )

    def _text_of(self, value: str | None) -> bytes:
        """Return a name as JSON."""
        known = self._texts.get(value)
        if known is None:
            known = encode_line(value)
            if len(self._texts) < MAX_NAMES:
                self._texts[value] = known
        return known

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
                records, mark = self._next_block()
                self._write_block(records)
                if mark is None:
                    continue
                if mark.is_last:
                    self._thread = None
                    self._wake.clear()
                mark.reached.set()
                if mark.is_last:
                    return

    def _next_block(self) -> tuple[list[RequestRecord], _Mark | None]:
        records: list[RequestRecord] = []
        take = self._waiting.popleft
        for _ in range(min(len(self._waiting), LINES_PER_WRITE)):
            entry = take()
            if isinstance(entry, _Mark):
                return records, entry
            records.append(entry)
        return records, None

    def _write_block(self, records: list[RequestRecord]) -> None:
        """Write some lines, and when they went through, how many others did not."""
        if not records:
            return
        try:
            self._wall_clock_ahead = time.time() - time.perf_counter()
            self._write_bytes(b"".join([self._line_of(record) for record in records]))
            if (dropped := self.dropped_lines) != self._said:
                note = _DroppedLines(datetime.now(UTC), "request_log_lines_dropped", dropped - self._said)
                self._write_bytes(encode_line(note) + b"\n")
                self._said = dropped
        except (OSError, ValueError):
            # A closed pipe or file: the server goes on without its log.
            self._refused += len(records)

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
    buffer = getattr(sys.stderr, "buffer", None)
    return cast("BinaryFile", _TextOnly() if buffer is None else getattr(buffer, "raw", buffer))


class _TextOnly:
    """Is a standard error that takes texts only, as a notebook's; or the one of a process that was started without."""

    def __init__(self) -> None:
        self._stream: TextIO | None = sys.stderr

    def write(self, data: bytes | memoryview) -> int:
        if self._stream is not None:
            self._stream.write(bytes(data).decode())
        return len(data)

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()
