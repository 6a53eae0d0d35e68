"""The end of a server: what was accepted is answered, what comes now is refused, nobody's connection is reset."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
import struct
import sys
from collections.abc import Callable, Collection
from typing import Any, Protocol

logger = logging.getLogger("modelport.gateway")

LOOK_SECONDS = 0.02
"""How often it is looked whether all is done."""
LAST_CALL_SECONDS = 0.5
"""How long it must have been quiet before open connections are closed: requests may be under way to them."""
LONGEST_CALL_SECONDS = 3.0
"""How long that may take at most, as clients may keep coming, or connect and say nothing."""
LEAVING_SECONDS = 0.3
"""How long clients may take to close their side."""
CANCEL_SECONDS = 5.0
"""How long requests that were cancelled may take to say so to their clients."""
_SO_ATTACH_FILTER = 26
_FLAGS_OF_TCP, _SYN = 13, 0x02


class Listener(Protocol):
    """Is what accepts connections."""

    def close(self) -> None:
        """Accept no more."""
        ...


class Draining(Protocol):
    """Is a connection as the end of the server sees it."""

    def is_awaited(self) -> bool:
        """Tell whether a request of the client has begun to come, or should: it has connected and not had one yet."""
        ...

    def finish(self) -> None:
        """End the connection after the answer that is being given; at once when there is none."""
        ...

    def linger(self) -> None:
        """Say that nothing more comes, and wait for the client to close."""
        ...


async def wait_for_requests(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    """Wait until all requests are answered; cancel those that are not after `seconds`.

    Args:
        tasks: One for each request.
        seconds: How long.
    """
    if tasks:
        logger.info("open requests: %d; waiting for them for up to %g seconds", len(tasks), seconds)
    if await _until(lambda: _all_done(tasks), seconds):
        return
    logger.warning("requests still open after %g seconds: %d; cancelling them", seconds, len(tasks))
    for task in tuple(tasks):
        task.cancel("the server ends")
    if not await _until(lambda: _all_done(tasks), CANCEL_SECONDS):
        logger.error("requests that do not end: %d; leaving them behind", len(tasks))


async def close_down(
    listeners: Collection[Listener],
    sockets: Collection[socket.socket],
    connections: Collection[Draining],
    tasks: Collection[asyncio.Task[Any]],
    count_events: Callable[[], int],
) -> None:
    """Close the listeners, and then the connections, so that what was under way is still refused with an answer.

    Args:
        listeners: What accepts.
        sockets: What they accept from.
        connections: Those that are open.
        tasks: One for each request.
        count_events: Grows with each connection and each answer.
    """
    for one in sockets:
        turn_away(one)
    await _quiet(connections, tasks, count_events)
    for listener in listeners:
        listener.close()
    for one in sockets:
        one.close()
    # What the loop has accepted until now is answered, also where the system could not turn others away.
    await _quiet((), tasks, count_events)
    for connection in tuple(connections):
        connection.linger()
    await _until(lambda: not connections, LEAVING_SECONDS)
    for connection in tuple(connections):
        connection.finish()


async def _quiet(
    connections: Collection[Draining], tasks: Collection[asyncio.Task[Any]], count_events: Callable[[], int]
) -> None:
    """Wait until nothing has happened for a while.

    Looks are counted, not seconds: a process that gets no processor has not seen what has arrived in the meantime.
    """
    looks, events = 0, count_events()
    for _ in range(int(LONGEST_CALL_SECONDS / LOOK_SECONDS)):
        await asyncio.sleep(LOOK_SECONDS)
        before, events = events, count_events()
        is_quiet = events == before and _all_done(tasks) and not any(one.is_awaited() for one in connections)
        looks = looks + 1 if is_quiet else 0
        if looks * LOOK_SECONDS >= (LAST_CALL_SECONDS if connections else LAST_CALL_SECONDS / 5):
            return


def turn_away(listener: socket.socket) -> bool:
    """Let the system drop new connections to a socket that listens; tell whether it can.

    Those that it has accepted already wait to be served, and to close the socket under them would reset them. A
    client whose first packet is dropped sends it again after a second, and then finds the port closed, or the next
    server. Works for TCP on Linux: a classic packet filter that refuses packets with SYN in their TCP header.
    """
    if not sys.platform.startswith("linux"):
        return False
    program = b"".join(
        [
            struct.pack("HBBI", 0x30, 0, 0, _FLAGS_OF_TCP),  # load the byte with the flags
            struct.pack("HBBI", 0x45, 0, 1, _SYN),  # without SYN: to the last line
            struct.pack("HBBI", 0x06, 0, 0, 0),  # drop
            struct.pack("HBBI", 0x06, 0, 0, 0xFFFFFFFF),  # take
        ]
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program) // 8, ctypes.addressof(buffer))
        )
    except OSError:
        return False
    return True


def _all_done(tasks: Collection[asyncio.Task[Any]]) -> bool:
    """Tell whether all requests are over; one that was cancelled before it began stays among the tasks."""
    return not tasks or all(task.done() for task in tasks)


async def _until(is_done: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so, for so long; tell whether it is."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not is_done():
        left = end - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(LOOK_SECONDS, left))
    return True
