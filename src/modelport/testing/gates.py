"""Meeting points between a check and the hooks it watches: events that threads and tasks wait for alike.

Nothing here sleeps to be in time: every wait is for an event, and bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Self, TypeVar

from modelport.runs.loops import call_soon

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""How long a check waits for something that must happen."""
SOON_SECONDS = 0.02
"""How long a deadline is that is meant to pass."""
GLANCE_SECONDS = 0.1
"""How long a check looks out for something that must not happen."""


_most_patience: contextvars.ContextVar[float] = contextvars.ContextVar("modelport_check_patience", default=math.inf)


def patience_seconds() -> float:
    """Return how long the running check waits for something that must happen."""
    return min(PATIENCE_SECONDS, _most_patience.get())


@contextlib.contextmanager
def impatient(seconds: float) -> Generator[None, None, None]:
    """Let the checks inside wait no longer: of code that nothing steers, much of what they wait for never happens."""
    token = _most_patience.set(seconds)
    try:
        yield
    finally:
        _most_patience.reset(token)


def _held_seconds() -> float:
    """Return how long a gate holds a hook at most: longer than the check that closed it waits."""
    return 3 * patience_seconds()


class Gate:
    """Is closed until somebody opens it; threads and tasks of any loop wait at it. `with` opens it at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened = threading.Event()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()

    @property
    def is_open(self) -> bool:
        """Whether it was opened."""
        return self._opened.is_set()

    def open(self) -> None:
        """Let everybody pass, now and from now on."""
        with self._lock:
            self._opened.set()
            waiters, self._waiters = self._waiters, []
        for loop, event in waiters:
            call_soon(loop, event.set)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait in a thread; return whether the gate is open."""
        return self._opened.wait(_held_seconds() if seconds is None else seconds)

    async def wait_async(self, seconds: float | None = None) -> bool:
        """Wait on the running loop; return whether the gate is open."""
        with self._lock:
            if self._opened.is_set():
                return True
            event = asyncio.Event()
            self._waiters.append((asyncio.get_running_loop(), event))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_held_seconds() if seconds is None else seconds):
                await event.wait()
        return self.is_open


class Rendezvous(Gate):
    """Opens when `count` parties have come; `arrive` is called by each."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._missing = count
        self._counting = threading.Lock()

    def arrive(self) -> Self:
        """Count one more party; return the gate to wait at."""
        with self._counting:
            self._missing -= 1
            met = self._missing <= 0
        if met:
            self.met = True
            self.open()
        return self

    met: bool = False
    """Whether all parties were there at once."""


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a daemon thread of its own, in a copy of the context, and wait for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if isinstance(error, StopIteration):  # which no future takes
            error = EOFError("an iterator ended before its consumer had all that was due")
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def serve() -> None:
        result, error = None, None
        try:
            result = context.run(work)
        except BaseException as raised:  # noqa: BLE001 - handed to the task that waits
            error = raised
        call_soon(loop, settle, result, error)

    threading.Thread(target=serve, name="modelport-check", daemon=True).start()
    return await future


@contextlib.asynccontextmanager
async def patiently(what: str) -> AsyncGenerator[None, None]:
    """Fail the check when the body does not end in time; `what` names what is waited for."""
    from modelport.testing.checks import CheckFailure

    seconds = patience_seconds()
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            yield
    except TimeoutError:
        if not timer.expired():
            raise
        raise CheckFailure(f"{what} did not end within {seconds:g} seconds") from None
