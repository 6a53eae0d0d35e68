"""Meeting points between a check and the hooks it watches: events that threads and tasks wait for alike.

Nothing here sleeps to be in time: every wait is for an event, and bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Self, TypeVar

from typing_extensions import override

from modelport.runs.loops import call_soon

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""How long a check waits for something that must happen."""
SOON_SECONDS = 0.02
"""How long a deadline is that is meant to pass."""
GLANCE_SECONDS = 0.1
"""How long a check looks out for something that must not happen."""


_patience: contextvars.ContextVar[float | None] = contextvars.ContextVar("modelport_check_patience", default=None)
_answering: contextvars.ContextVar[float | None] = contextvars.ContextVar("modelport_check_answering", default=None)


def patience_seconds() -> float:
    """Return how long the running check waits for something that must happen."""
    own = _patience.get()
    return answer_seconds() if own is None else own


def answer_seconds() -> float:
    """Return how long an answer may take in the running check."""
    own = _answering.get()
    return PATIENCE_SECONDS if own is None else own


@contextlib.contextmanager
def patience(answer_seconds: float | None, seconds: float | None) -> Generator[None, None, None]:
    """Let the checks inside wait so long for an answer, and for anything else; None: as long as usual."""
    tokens = _answering.set(answer_seconds), _patience.set(seconds)
    try:
        yield
    finally:
        _answering.reset(tokens[0])
        _patience.reset(tokens[1])


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

    @override
    def wait(self, seconds: float | None = None) -> bool:
        if not super().wait(seconds):
            self.open()  # who has gone will not be met: nobody else waits for that
        return self.met

    @override
    async def wait_async(self, seconds: float | None = None) -> bool:
        if not await super().wait_async(seconds):
            self.open()
        return self.met


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

    seconds = answer_seconds()
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            yield
    except TimeoutError:
        if not timer.expired():
            raise
        longer = "a model that takes longer is given more: --timeout, or timeout_seconds="
        raise CheckFailure(f"{what} did not end within {seconds:g} seconds ({longer})") from None
