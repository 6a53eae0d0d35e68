"""All numbers of one process at one moment, and the folder in which a server's workers show them to each other."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec

logger = logging.getLogger("modelport.gateway")

ErrorKey = tuple[str, int]
"""An error's type and status."""
AnswerKey = tuple[str, int]
"""An endpoint and the status that it answered."""


class DurationCounts(msgspec.Struct, array_like=True):
    """Is what a histogram has counted."""

    counts: list[int]
    """How many are in each bucket, those of the shorter ones not included."""
    sum_seconds: float
    """All durations together."""

    def add(self, other: DurationCounts) -> None:
        """Add what another has counted, over the same bounds."""
        self.counts = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        self.sum_seconds += other.sum_seconds


class ModelCounts(msgspec.Struct, array_like=True):
    """Is what one deployment of one model has counted."""

    model: str
    """The configured name."""
    deployment: str
    """Which of its deployments; empty for requests that came to none."""
    running: int
    """How many requests the model works on now."""
    waiting: int
    """How many wait for a place now."""
    succeeded: int
    """How many went well."""
    prompt_tokens: int
    """The tokens of all prompts."""
    generation_tokens: int
    """The tokens of all answers."""
    errors: dict[ErrorKey, int]
    """How many failed, by type and status."""
    failed_attempts: dict[ErrorKey, int]
    """How many attempts failed and were followed by another, by type and status."""
    first_token: DurationCounts
    """From the request's head to the first token."""
    between_tokens: DurationCounts
    """From one token of a stream to the next."""
    whole: DurationCounts
    """From the request's head to the end of the answer."""
    queue: DurationCounts
    """How long requests waited for a place."""

    def add(self, other: ModelCounts) -> None:
        """Add what another process has counted of the same deployment."""
        self.running += other.running
        self.waiting += other.waiting
        self.succeeded += other.succeeded
        self.prompt_tokens += other.prompt_tokens
        self.generation_tokens += other.generation_tokens
        _add(self.errors, other.errors)
        _add(self.failed_attempts, other.failed_attempts)
        self.first_token.add(other.first_token)
        self.between_tokens.add(other.between_tokens)
        self.whole.add(other.whole)
        self.queue.add(other.queue)


class Snapshot(msgspec.Struct, array_like=True):
    """Is what one process has counted."""

    pid: int
    """Which process."""
    models: list[ModelCounts]
    """One entry for each deployment of each model."""
    answers: dict[AnswerKey, int]
    """How many answers each endpoint gave, by status; also to requests that came to no model."""

    def without_gauges(self) -> Snapshot:
        """Set to 0 what holds only while the process lives, and return the snapshot."""
        for counts in self.models:
            counts.running = counts.waiting = 0
        return self


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Return the sum of snapshots, which are changed by it; its pid is the first one's."""
    answers: dict[AnswerKey, int] = {}
    models: dict[tuple[str, str], ModelCounts] = {}
    pid = 0
    for snapshot in snapshots:
        pid = pid or snapshot.pid
        _add(answers, snapshot.answers)
        for counts in snapshot.models:
            known = models.setdefault((counts.model, counts.deployment), counts)
            if known is not counts:
                known.add(counts)
    return Snapshot(pid, list(models.values()), answers)


class SnapshotFolder:
    """Is where the workers of one server show each other what they count: one file for each worker's number.

    A worker takes over what the worker of the same number counted before it, so counters never go down when one dies,
    and there are never more files than workers. What holds only while a worker lives (how many requests it works on)
    is left out once its process is gone.
    """

    def __init__(self, folder: Path, number: int) -> None:
        """Open the folder for one worker.

        Args:
            folder: Exists, belongs to this run of the server, and is the same for all its workers.
            number: This worker's number. A process may get a number again when the one before has ended.
        """
        self._folder = folder
        self._own = folder / f"worker-{number}.counts"
        before = _read(self._own)
        self._inherited = None if before is None else msgspec.msgpack.encode(before.without_gauges())
        self._lock = threading.Lock()
        self._newest = 0
        self._shown: bytes | None = None
        self._has_complained = False

    def with_inherited(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot of this process with what its predecessors counted."""
        if self._inherited is None:
            return snapshot
        return merged([snapshot, msgspec.msgpack.decode(self._inherited, type=Snapshot)])

    def publish(self, snapshot: Snapshot, age: int) -> None:
        """Show the siblings a snapshot that has its inheritance; from any thread; log it once when that fails.

        Args:
            snapshot: What this process has counted, and its predecessors.
            age: A number that grows with each snapshot: an older one never replaces a newer one.
        """
        raw = msgspec.msgpack.encode(snapshot)
        with self._lock:
            if age < self._newest or raw == self._shown:
                return
            draft = self._own.with_suffix(".draft")
            try:
                draft.write_bytes(raw)
                draft.replace(self._own)
            except OSError as error:
                if not self._has_complained:
                    logger.warning("the other workers cannot see this one's counts: %s", error.strerror)
                    self._has_complained = True
                return
            self._newest, self._shown = age, raw

    def siblings(self) -> list[Snapshot]:
        """Return what the other workers last showed; of those that have ended, only what they counted."""
        found = [_read(file) for file in sorted(self._folder.glob("worker-*.counts")) if file != self._own]
        return [one if _is_alive(one.pid) else one.without_gauges() for one in found if one is not None]


def _read(file: Path) -> Snapshot | None:
    try:
        return msgspec.msgpack.decode(file.read_bytes(), type=Snapshot)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        logger.warning("the counts of a worker cannot be read and are left out: %s", type(error).__name__)
        return None


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        # There signal 0 is Ctrl-C, and servers have one process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _add(counts: dict[tuple[str, int], int], others: dict[tuple[str, int], int]) -> None:
    for key, count in others.items():
        counts[key] = counts.get(key, 0) + count
