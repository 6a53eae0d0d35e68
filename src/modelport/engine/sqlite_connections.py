"""Connections to one SQLite file: a thread takes one for one piece of work, so that none waits for another's.

SQLite's connections must not cross a fork. Those that lie idle are closed before it; those at work belong to threads
that the child does not have.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager

MAX_IDLE = 8
"""How many connections to a file are kept open for the next piece of work."""


class Connections:
    """Opens connections when they are needed, and keeps a few for the next time."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Make a pool with nothing open.

        Args:
            connect: Opens a connection, in autocommit mode, that any thread may use.
        """
        self._connect = connect
        self._idle: list[sqlite3.Connection] = []
        self.lock = threading.Lock()
        """Guards the idle connections, for no longer than it takes to put one there or take one away."""
        # Also at exit: an open connection that is collected then would warn.
        weakref.finalize(self, _close_all, self._idle)
        with _all_lock:
            _all.add(self)

    @contextmanager
    def one(self) -> Generator[sqlite3.Connection]:
        """Lend a connection; after an exception it is closed, which undoes what was not committed."""
        with self.lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self.lock:
            if len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close_idle(self) -> None:
        """Close the idle connections; the next piece of work opens a new one."""
        with self.lock:
            idle, self._idle[:] = list(self._idle), []
        _close_all(idle)

    def hold(self) -> None:
        """Close the idle connections and let none become idle until `lock` is released."""
        self.lock.acquire()
        _close_all(self._idle)


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


_all: weakref.WeakSet[Connections] = weakref.WeakSet()
_all_lock = threading.Lock()
_held: list[Connections] = []


def _hold_all() -> None:
    """Before a fork: leave nothing idle anywhere until `_all_lock` is released."""
    _all_lock.acquire()
    for connections in list(_all):
        connections.hold()
        _held.append(connections)


def _release_all() -> None:
    """In the process that forked: go on."""
    while _held:
        _held.pop().lock.release()
    _all_lock.release()


def _start_anew() -> None:
    """In the child: go on with new locks; the thread that held the old ones is here, but waiters are not."""
    global _all_lock
    while _held:
        _held.pop().lock = threading.Lock()
    _all_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_all, after_in_parent=_release_all, after_in_child=_start_anew)
