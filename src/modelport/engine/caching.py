"""The cache around answers: equal calls are answered once (guarantee 10).

What finds an answer does not know of this; what asks for one looks here first. An answer is kept as bytes, with its
pieces when it was streamed, so no caller sees another's objects.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from modelport.engine.bridge_async import call_in_thread
from modelport.engine.cache_entries import Entry, decode_entry, encode_entry
from modelport.engine.flights import Flight, Turn, board
from modelport.engine.state import say_once, state_of

if TYPE_CHECKING:
    from modelport.engine.cache import Cache
    from modelport.engine.call import Call

_log = logging.getLogger("modelport.cache")


class Lookup:
    """Looks one call up: `with` gives its entry, or waits for one, or leads in finding one.

    Inside, `entry` is what was found. When it is None, the body finds the answer and gives it to `store`; a body that
    ends without leaves the lead to the next that waits.
    """

    __slots__ = ("_cache", "_call", "_flight", "_key", "entry")

    def __init__(self, call: Call, cache: Cache, key: str) -> None:
        self._call = call
        self._cache = cache
        self._key = key
        self._flight: Flight | None = None
        self.entry: Entry | None = None
        """What the cache, or the call that was waited for, has for this call."""

    @property
    def _deadline(self) -> float | None:
        scope = self._call.scope
        return scope.next_deadline(started=False) if scope is not None else None

    def _board(self) -> Turn:
        """Take the lead when nobody has it; a call made while finding an answer never waits for another."""
        scope = self._call.scope
        if scope is not None and self._key in scope.leads:
            return Turn.ALONE
        flight, turn = board(self._cache, self._key)
        self._flight = flight
        if turn is Turn.LEAD:
            self._call.key = self._key
        elif scope is not None and scope.leads:
            return Turn.ALONE
        return turn

    def _read(self, value: bytes | None) -> bool:
        """Read what the cache gave; bytes that are no entry are no answer."""
        if value is None:
            return False
        try:
            self.entry = decode_entry(value, self._call.model.__modelport_kind__)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        return True

    def look(self) -> Turn | None:
        """Look once, without waiting for another call; None when the entry is there."""
        if self._read(self._get()):
            return None
        turn = self._board()
        if turn is Turn.LEAD:
            try:
                found = self._read(self._get())
            except BaseException:
                self.end()
                raise
            if found:
                self._land()
                return None
        return turn

    async def alook(self) -> Turn | None:
        """Look once, on the running loop, as `look` does."""
        if self._read(await self._aget()):
            return None
        turn = self._board()
        if turn is Turn.LEAD:
            try:
                found = self._read(await self._aget())
            except BaseException:
                self.end()
                raise
            if found:
                self._land()
                return None
        return turn

    def _land(self) -> None:
        """Give those who wait the entry that another call has stored between the look and the lead."""
        if self._flight is not None and self.entry is not None:
            self._flight.land(encode_entry(self.entry.answers, self.entry.pieces))
        self._call.key = None

    def __enter__(self) -> Self:
        while self.look() is Turn.WAIT:
            assert self._flight is not None
            outcome = self._flight.wait(self._deadline)
            if not self._take(outcome):
                break
        return self

    async def __aenter__(self) -> Self:
        while await self.alook() is Turn.WAIT:
            assert self._flight is not None
            outcome = await self._flight.wait_async(self._deadline)
            if not self._take(outcome):
                break
        return self

    def _take(self, outcome: bytes | Turn) -> bool:
        """Take what waiting gave; tell whether to look again."""
        if outcome is Turn.LEAD:
            self._call.key = self._key
            return False
        if isinstance(outcome, bytes):
            return not self._read(outcome)
        return outcome is Turn.WAIT

    def store(self, answers: Sequence[Any], pieces: Sequence[Any] | None) -> None:
        """Keep the answer, and give it to those who wait."""
        value = self._encoded(answers, pieces)
        if value is not None:
            self._set(value)
        self._finish(value)

    async def astore(self, answers: Sequence[Any], pieces: Sequence[Any] | None) -> None:
        """Keep the answer as `store` does, on the running loop."""
        value = self._encoded(answers, pieces)
        if value is not None and self._cache.blocks:
            await self._in_thread(lambda: self._set(value))
        elif value is not None:
            self._set(value)
        self._finish(value)

    def _finish(self, value: bytes | None) -> None:
        if self._call.key is not None and self._flight is not None:
            self._call.key = None
            self._flight.land(Turn.ALONE if value is None else value)

    def end(self) -> None:
        """Leave the lead to the next that waits, when nothing was stored."""
        if self._call.key is not None and self._flight is not None:
            self._call.key = None
            self._flight.give_up()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def park(self, since: float | None) -> None:
        """Say since when the leading stream waits for its consumer; None: it does not."""
        if self._flight is not None and self._call.key is not None:
            self._flight.parked_at = since

    # ── the store ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _encoded(self, answers: Sequence[Any], pieces: Sequence[Any] | None) -> bytes | None:
        try:
            return encode_entry(answers, pieces)
        except (TypeError, ValueError, OverflowError) as error:
            self._say("an answer cannot be cached, for it carries more than plain data", error)
            return None

    def _get(self) -> bytes | None:
        try:
            return self._cache.get(self._key)
        except Exception as error:  # noqa: BLE001 - a cache that fails never fails a call
            self._say("the cache cannot be read", error)
            return None

    async def _aget(self) -> bytes | None:
        return await self._in_thread(self._get) if self._cache.blocks else self._get()

    def _set(self, value: bytes) -> None:
        try:
            self._cache.set(self._key, value)
        except Exception as error:  # noqa: BLE001 - a cache that fails never fails a call
            self._say("the cache cannot be written", error)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await call_in_thread(work, contextvars.copy_context(), _nothing, _nothing)

    def _say(self, what: str, error: Exception) -> None:
        model, kind = self._call.model, type(error).__name__
        say_once(state_of(model), what, lambda: _log.warning("%s: %s (%s)", model.get_name(), what, kind))


def lookup_for(call: Call) -> Lookup | None:
    """Return the lookup of a call; None when its model has no cache, or the call cannot be told from others."""
    cache: Any = call.model.cache
    if cache is None or cache is False:
        return None
    if not call.hooks.gives_text and call.model.__modelport_kind__ in ("llm", "chat_model"):
        return None  # a ranking
    from modelport.engine.cache_keys import key_of

    if cache is True:
        from modelport.engine.memory_cache import process_cache

        cache = process_cache()
    key = key_of(call)
    return None if key is None else Lookup(call, cache, key)


def _nothing() -> None:
    """Do nothing: nobody has to be told."""
