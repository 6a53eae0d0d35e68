"""This process as the system sees it: its terminal, its end, its open files."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def has_terminal() -> bool:
    """Tell whether a terminal controls this process."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def end_at_once(number: int) -> None:
    """End this process as the signal does by default, also where it is the first one of a container."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(128 + number)


def allow_many_connections() -> None:
    """Let this process open as many connections as the system allows: the usual soft bound is 1,024 files."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
