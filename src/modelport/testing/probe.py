"""A probe: the author's class with every hook watched, and steered where a check needs that.

The hooks of the generated subclass note who called them, where, with what, and how they ended; between those notes
runs the author's own code, unless the check scripts the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any

from modelport.engine.hooks import Hook, ReadHook
from modelport.runs.loops import call_soon
from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable
from modelport.testing.faces import Face
from modelport.testing.gates import Gate
from modelport.testing.raw_scope import SCRIPTED
from modelport.testing.ways import text_of

_POLL_SECONDS = 0.005


class ProbeError(Exception):
    """Is what a probed hook raises when the check wants it to fail."""


class HookCall:
    """Is one call of a hook, as the probe saw it."""

    def __init__(self, model: Any, hook: Hook, argument: Any, keywords: dict[str, Any]) -> None:
        self.model = model
        """The probed model, for calls from inside the hook."""
        self.hook = hook
        """The hook: its name and kind."""
        self.argument = argument
        """The prompt or the messages; for a batch hook the list of them."""
        self.stop: list[str] | None = keywords.get("stop")
        """The stop strings that the hook was given."""
        self.keywords = {name: value for name, value in keywords.items() if name not in ("stop", "run_manager")}
        """The caller's keywords that the hook was given."""
        self.manager: Any = keywords.get("run_manager")
        """The hook's `run_manager`."""
        self.thread = threading.get_ident()
        """The thread that the hook started in."""
        self.loop = _running_loop()
        """The event loop that the hook runs on; None in a plain thread."""
        self.given: list[Any] = []
        """The pieces, or the results, that the hook gave so far."""
        self.closing_thread: int | None = None
        """The thread that the hook ended in."""
        self.error: BaseException | None = None
        """What ended the hook before its end: its own exception, a cancel, GeneratorExit."""
        self.ended = False
        """Whether the hook is done, one way or the other."""

    @property
    def on_loop(self) -> bool:
        """Whether the hook blocks an event loop while it runs."""
        return self.loop is not None

    @property
    def told(self) -> bool:
        """Whether the hook can know that nobody waits for it any more."""
        return self.error is not None or bool(getattr(self.manager, "cancelled", False))

    @property
    def managers(self) -> list[Any]:
        """The `run_manager` of each item."""
        return list(self.manager.items) if self.hook.is_batch else [self.manager]

    @property
    def text(self) -> str:
        """The joined text of what the hook gave."""
        if any(isinstance(piece, (bytes, bytearray)) for piece in self.given):
            return b"".join(self.given).decode("utf-8", "replace")
        return "".join(map(text_of, self.given))


class Probe:
    """Watches one model; the attributes marked as knobs steer its hooks.

    A knob may return a `Gate`, at which the hook waits, or (async hooks only) an awaitable.
    """

    def __init__(self) -> None:
        self.model: Any = None
        """The probed model: checks set its fields."""
        self.face: Any = None
        """What is called in the model's place; the model itself, unless the checks go through something else."""
        self.calls: list[HookCall] = []
        """The hook calls, in the order of their start."""
        self.on_enter: Callable[[HookCall], Any] | None = None
        """Knob: runs in the hook before the author's code."""
        self.on_piece: Callable[[HookCall], Any] | None = None
        """Knob: runs in a streaming hook before each piece."""
        self.on_leave: Callable[[HookCall], None] | None = None
        """Knob: runs in the hook when it has ended."""
        self.spread: Callable[[Any], Iterable[Any]] | None = None
        """Knob: turns one piece of a streaming hook into several."""
        self.replace: Callable[[Any], Any] | None = None
        """Knob: changes a result, each result of a batch hook, or each piece."""
        self.script: Sequence[Any] | None = None
        """Knob: the pieces that are answered in place of the author's code; joined where the hook gives one text."""
        self.answer: Callable[[HookCall], Any] | None = None
        """Knob: gives what a hook that does not stream returns in place of the author's code, whole."""
        self.fail_for: Any = None
        """Knob: the argument for which the hook raises `failure`; a batch hook puts it into the slot."""
        self.failure = ProbeError("the check made this hook fail")
        """What it raises."""
        self.running = 0
        """How many hook calls run now."""
        self.peak = 0
        """How many ran at once at the most."""
        self._lock = threading.Lock()
        self._watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def runnable(self) -> Any:
        """What is called, as a runnable that others can be made of."""
        return self.face.runnable() if isinstance(self.face, Face) else self.face

    def enter(self, call: HookCall) -> Any:
        """Note a hook call; return what it has to wait for."""
        with self._lock:
            self.calls.append(call)
            self.running += 1
            self.peak = max(self.peak, self.running)
        self._changed()
        if self.fail_for is not None and not call.hook.is_batch and call.argument == self.fail_for:
            raise self.failure
        return self.on_enter(call) if self.on_enter is not None else None

    def leave(self, call: HookCall) -> None:
        """Note that a hook call has ended."""
        call.closing_thread = threading.get_ident()
        with self._lock:
            self.running -= 1
        call.ended = True
        if self.on_leave is not None:
            self.on_leave(call)
        self._changed()

    def before_piece(self, call: HookCall) -> Any:
        """Return what a streaming hook has to wait for before its next piece."""
        return self.on_piece(call) if self.on_piece is not None else None

    def pieces_of(self, piece: Any) -> Iterable[Any]:
        """Return the pieces that the check makes of one of the author's."""
        pieces = self.spread(piece) if self.spread is not None else (piece,)
        return pieces if self.replace is None else map(self.replace, pieces)

    def result_of(self, call: HookCall, result: Any) -> Any:
        """Return what the check makes of the author's result, and note it."""
        if isinstance(call.hook, ReadHook):  # vectors and images: noted as they are
            call.given.append(result)
            return result
        if not call.hook.is_batch:
            result = result if self.replace is None else self.replace(result)
            call.given.append(result)
            return result
        results = [
            self.failure
            if self.fail_for is not None and argument == self.fail_for
            else one
            if self.replace is None
            else self.replace(one)
            for argument, one in zip(call.argument, result, strict=True)
        ]
        call.given.extend(results)
        return results

    @property
    def is_scripted(self) -> bool:
        """Whether the check answers in place of the author's code."""
        return self.script is not None or self.answer is not None

    def scripted(self, call: HookCall) -> Any:
        """Return the scripted answer of a hook that gives no stream."""
        if self.answer is not None:
            return self.answer(call)
        assert self.script is not None
        joined = (b"" if isinstance(self.script[0], bytes) else "").join(self.script)
        return [joined] * len(call.argument) if call.hook.is_batch else joined

    def given_for(self, value: Any) -> str:
        """Return the text that the hook gave for an input of the model.

        Raises:
            CheckFailure: No hook was called with that input.
        """
        argument = self.model.argument_of(value)
        for call in reversed(self.calls):
            if not call.hook.is_batch and call.argument == argument:
                return call.text
            if call.hook.is_batch and argument in call.argument:
                return text_of(call.given[call.argument.index(argument)])
        raise CheckFailure(f"no hook was called with {argument!r}")

    async def until(self, happened: Callable[[], bool], what: str, mend: str = "") -> None:
        """Wait until something has happened to the hooks.

        Raises:
            CheckFailure: It did not happen in time.
        """
        event = asyncio.Event()
        watcher = (asyncio.get_running_loop(), event)
        self._watchers.append(watcher)
        try:
            async with asyncio.timeout(gates.patience_seconds()):
                while not happened():
                    # Not everything that is waited for is noted by a hook: look again now and then.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await event.wait()
                    event.clear()
        except TimeoutError:
            if happened():
                return
            raise CheckFailure(f"{what}: not within {gates.patience_seconds():g} seconds", mend) from None
        finally:
            self._watchers.remove(watcher)

    def _changed(self) -> None:
        for loop, event in list(self._watchers):
            call_soon(loop, event.set)


class RawProbe(Probe):
    """Watches a model in raw mode: it steers the author's code, and never answers in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if value is not None and name in ("script", "answer", "replace", "spread"):
            raise NotApplicable(SCRIPTED)
        super().__setattr__(name, value)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def pause(wanted: Any) -> None:
    """Wait, in a sync hook, for what a knob returned."""
    if isinstance(wanted, Gate):
        wanted.wait()


async def apause(wanted: Any) -> None:
    """Wait, in an async hook, for what a knob returned."""
    if isinstance(wanted, Gate):
        await wanted.wait_async()
    elif inspect.isawaitable(wanted):
        await wanted


def iterate_scripted(script: Sequence[Any]) -> Iterator[Any]:
    """Yield scripted pieces."""
    yield from script


async def aiterate_scripted(script: Sequence[Any]) -> AsyncIterator[Any]:
    """Yield scripted pieces to an async consumer."""
    for piece in script:
        yield piece
